"""Phrases that initial values, code and conditions have in common: values, registers, places."""

from __future__ import annotations

import re

from simbbm.host.reading import quoted
from simbbm.litmus.herd import tree
from simbbm.litmus.herd.lexer import Token, error
from simbbm.litmus.herd.tree import Value, Where, Word
from simbbm.litmus.herd.words import Words

REGISTER = re.compile(r"([XW])(\d+|ZR)", re.IGNORECASE)
ZERO = 31
"""Number of the zero register."""
_FIELDS = ("oa", "valid", "af", "db", "dbm", "el0", "x", "attrs")


class Values(Words):
    """Reads values."""

    def where(self, *, declares: bool = False) -> Where:
        """A register, or a word of memory, perhaps in brackets."""
        if self.take("["):
            word = self.word(declares=False)
            self.need("]")
            return word
        thread = self.thread()
        if thread is None:
            return self.word(declares=declares)
        register = self.register(self.next("a register"))
        return tree.ThreadRegister(thread, register.number)

    def thread(self) -> int | None:
        """The thread in `1:` or `P1:`."""
        word, following = self.peek(), self.words[min(self.at + 1, len(self.words) - 1)]
        match = re.fullmatch(r"P?(\d+)", word.text)
        if match is None or following.text != ":":
            return None
        self.at += 2
        return int(match[1])

    def word(self, *, declares: bool) -> Word:
        """A place in memory."""
        place = self.peek()
        value = self.value(declares=declares)
        if not isinstance(value, tree.Variable | tree.Descriptor | tree.Page):
            raise error(self.file, place.at, f"`{place.text}` is no place in memory", "x or PTE(x)")
        return value

    def value(self, *, declares: bool = False) -> Value:
        """A value; where a variable is declared, `[3]` behind it is no index."""
        self.take("&")
        word = self.peek()
        if word.kind == "number":
            self.at += 1
            return int(word.text, 0)
        if word.text == "(":
            return self._fields()
        if word.kind != "name":
            raise self.expected("a value")
        self.at += 1
        if word.text == "label" and self.take(":"):
            return self._label()
        if word.text == "instr" and self.peek().text == ":":
            raise self.unsupported(word, "instructions as values are not modelled")
        if self.peek().text == "(" and word.text in ("PTE", "TTD", "PA"):
            return self._of_name(word)
        for prefix, made in (("pte_", tree.Descriptor), ("phy_", tree.Page)):
            if word.text.startswith(prefix) and len(word.text) > len(prefix):
                return made(word.text.removeprefix(prefix))
        index = 0
        if not declares and self.take("["):
            index = self.number("an index")
            self.need("]")
        return tree.Variable(word.text, index)

    def _of_name(self, word: Token) -> Value:
        self.need("(")
        name = self.next("a variable")
        if self.peek().text == "(":
            raise self.unsupported(name, "descriptors of tables are not modelled")
        self.need(")")
        return tree.Page(name.text) if word.text == "PA" else tree.Descriptor(name.text)

    def _label(self) -> tree.Label:
        word = self.next("a label")
        match = re.fullmatch(r'"?P?(\d+):(\w+)"?', word.text)
        if match is None:
            raise error(self.file, word.at, f"{word.text} is no label", 'label:"P1:L0" is one')
        return tree.Label(int(match[1]), match[2])

    def _fields(self) -> tree.Fields:
        self.need("(")
        output, values, attributes = "", dict[str, int](), tuple[str, ...]()
        while not self.take(")"):
            word = self.next("a field of a descriptor")
            if word.text not in _FIELDS:
                told = f"a descriptor has no field {quoted(word.text)}"
                raise error(self.file, word.at, told, f"fields are {', '.join(_FIELDS)}")
            self.need(":")
            if word.text == "oa":
                output = self._output()
            elif word.text == "attrs":
                attributes = self._attributes()
            else:
                values[word.text] = self._bit(word.text)
            if self.peek().text != ")":
                self.need(",")
        return tree.Fields(output, tuple(sorted(values.items())), attributes)

    def _output(self) -> str:
        word = self.peek()
        value = self.value()
        if not isinstance(value, tree.Page):
            raise error(self.file, word.at, f"oa:{quoted(word.text)} is no page", "write oa:PA(x)")
        return value.name

    def _bit(self, name: str) -> int:
        word = self.peek()
        value = self.number(f"{name}:0 or {name}:1")
        if value not in (0, 1):
            raise error(self.file, word.at, f"{name}:{word.text}: it is 0 or 1")
        return value

    def _attributes(self) -> tuple[str, ...]:
        """`attrs:(Normal, NSH)`, in order; names may have a hyphen."""
        self.need("(")
        found = []
        while not self.take(")"):
            text = self.next("an attribute").text
            while self.take("-"):
                text += f"-{self.next('an attribute').text}"
            found.append(text)
            if self.peek().text != ")":
                self.need(",")
        return tuple(sorted(found))

    def register(self, word: Token) -> tree.Register:
        """A register."""
        match = REGISTER.fullmatch(word.text)
        if match is None or (match[2].isdigit() and int(match[2]) > 30):
            raise self.unsupported(word, f"register {quoted(word.text)} is not known")
        number = int(match[2]) if match[2].isdigit() else ZERO
        return tree.Register(number, match[1].upper() == "X")
