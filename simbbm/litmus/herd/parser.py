"""Reads a herd7 test of AArch64 by recursive descent: one method for each phrase of the format.

The format is small and line-oriented in places (header, columns of threads), which is why this is
written out rather than given to a parser generator, and errors can say what was expected.
"""

from __future__ import annotations

import re

from simbbm.host.reading import quoted
from simbbm.litmus.herd import tree
from simbbm.litmus.herd.conditions import Conditions
from simbbm.litmus.herd.lexer import error, tokens, without_comments
from simbbm.litmus.herd.tree import At, HerdTest, Item, Where
from simbbm.litmus.herd.values import REGISTER
from simbbm.litmus.notation.syntax import Unsupported

_TYPES = {
    "int": 4, "int8_t": 1, "uint8_t": 1, "char": 1, "int16_t": 2, "uint16_t": 2, "int32_t": 4,
    "uint32_t": 4, "int64_t": 8, "uint64_t": 8, "long": 8, "intptr_t": 8, "uintptr_t": 8,
    "pteval_t": 8, "ins_t": 4,
}  # fmt: skip
_QUANTIFIERS = ("exists", "forall")


def parse(file: str, text: str) -> HerdTest:
    """Read a test; Malformed or Unsupported with the place of what is not understood."""
    bare = without_comments(text)
    brace = bare.find("{")
    if brace < 0:
        raise error(file, At(1, 1), "there is no `{`: what is initial is missing", _WHOLE)
    head = bare[:brace]
    name, header = _header(file, head)
    line = head.count("\n") + 1
    words = [*tokens(file, " " * (brace - head.rfind("\n") - 1) + bare[brace:], line)]
    return _Parser(file, bare, words).test(name, header)


_WHOLE = "a test is a line `AArch64 NAME`, `{ initial }`, columns `P0 | P1 ;`, `exists (...)`"


def _header(file: str, head: str) -> tuple[str, tuple[tuple[str, str, At], ...]]:
    first, *rest = head.split("\n")
    match = re.fullmatch(r"\s*(\S+)\s+(\S.*?)\s*", first)
    if match is None:
        raise error(file, At(1, 1), "the first line is not `AArch64 NAME`", _WHOLE)
    if match[1] != "AArch64":
        raise Unsupported(f"{file}:1:1: tests of {quoted(match[1])} are not run, but of AArch64")
    found = []
    for number, line in enumerate(rest, 2):
        if pair := re.fullmatch(r"\s*(\w[\w.-]*)\s*=\s*(.*?)\s*", line):
            found.append((pair[1], pair[2], At(number, pair.start(1) + 1)))
    return match[2], tuple(found)


class _Parser(Conditions):
    """Reads a whole test."""

    # The whole

    def test(self, name: str, header: tuple[tuple[str, str, At], ...]) -> HerdTest:
        items = self._items()
        code = self._code()
        shown: tuple[Where, ...] = ()
        filtered = None
        if self.takes("locations"):
            shown = self.locations()
        if self.takes("filter"):
            filtered = self.condition()
        if self.peek().kind == "end":
            end = tree.Always(value=True)
            return HerdTest(
                name, header, items, code, shown, "forall", end, filtered, "true", self.file
            )
        quantifier = self._quantifier()
        start = self.peek().at
        condition = self.condition()
        text = self.text_from(start)
        self.take(";")
        if self.peek().kind != "end":
            raise self.expected("the end of the test")
        return HerdTest(
            name, header, items, code, shown, quantifier, condition, filtered, text, self.file
        )

    def _quantifier(self) -> str:
        negated = bool(self.take("~")) or bool(self.takes("not"))
        word = self.peek()
        if word.text not in _QUANTIFIERS or (negated and word.text == "forall"):
            raise self.expected("exists, ~exists or forall")
        self.at += 1
        return "~exists" if negated else word.text

    # Initial values

    def _items(self) -> tuple[Item, ...]:
        self.need("{")
        found: list[Item] = []
        while not self.take("}"):
            if self.take(";"):
                continue
            found.append(self._item())
            if self.peek().text != "}":
                self.need(";")
        return tuple(found)

    def _item(self) -> Item:
        at = self.peek().at
        size = self._type()
        where = self.where(declares=True)
        count = None
        if isinstance(where, tree.Variable) and self.take("["):
            count = self.number("the number of elements")
            self.need("]")
        if not self.take("="):
            value = None if count is None else tree.Array((0,) * count)
            return Item(at, where, value, size)
        if self.take("{"):
            values = self.separated(self.value, "}")
            return Item(at, where, tree.Array(tuple(values)), size)
        return Item(at, where, self.value(), size)

    def _type(self) -> int:
        """Bytes of the type that is given; 4 without one."""
        word = self.peek()
        if word.text not in _TYPES or self.words[self.at + 1].text in ("=", ":"):
            return 4
        self.at += 1
        size = _TYPES[word.text]
        while self.take("*"):
            size = 8
        return size

    # Code

    def _code(self) -> tuple[tree.Code, ...]:
        columns = self._columns()
        lines: list[list[tree.Line]] = [[] for _ in columns]
        while self.peek().text not in ("exists", "forall", "locations", "filter", "~", "not", ""):
            for column in range(len(columns)):
                if line := self._instruction():
                    lines[column].append(line)
                if self.peek().text == ";":
                    break
                if column + 1 < len(columns):
                    self.need("|")
            self.need(";")
        return tuple(tree.Code(*head, tuple(own)) for head, own in zip(columns, lines, strict=True))

    def _columns(self) -> list[tuple[int, bool]]:
        found: list[tuple[int, bool]] = []
        while True:
            word = self.next("P0")
            match = re.fullmatch(r"P(\d+)(\.F)?", word.text)
            if match is None:
                raise error(self.file, word.at, f"`{quoted(word.text)}` is no thread", "P0 or P0.F")
            found.append((int(match[1]), bool(match[2])))
            if self.take(";"):
                break
            self.need("|")
        threads = [thread for thread, handler in found if not handler]
        if threads != [*range(len(threads))]:
            raise error(self.file, word.at, "threads are not P0, P1, ... in order")
        return found

    def _instruction(self) -> tree.Line | None:
        labels = []
        at = self.peek().at
        while self.peek().kind == "name" and self.words[self.at + 1].text == ":":
            labels.append(self.next("a label").text)
            self.at += 1
        if self.peek().text in ("|", ";"):
            return tree.Line(at, tuple(labels)) if labels else None
        word = self.next("an instruction")
        if word.kind != "name":
            self.at -= 1
            raise self.expected("an instruction")
        operands: list[tree.Operand] = []
        while self.peek().text not in ("|", ";"):
            if operands:
                self.need(",")
            operands.append(self._operand())
        return tree.Line(word.at, tuple(labels), word.text.upper(), tuple(operands))

    def _operand(self) -> tree.Operand:
        if self.take("["):
            return self._memory()
        if self.peek().text == "#" or self.peek().kind == "number":
            return self._immediate()
        word = self.next("an operand")
        if word.kind != "name":
            self.at -= 1
            raise self.expected("an operand")
        if REGISTER.fullmatch(word.text):
            return self.register(word)
        if word.text.upper() in ("LSL", "LSR", "ASR", "SXTW", "UXTW") and self.peek().text == "#":
            raise self.unsupported(word, "operands that are shifted are not modelled")
        return tree.Name(word.text)

    def _immediate(self) -> tree.Immediate:
        self.take("#")
        return tree.Immediate(self.number("a number"))

    def _memory(self) -> tree.Memory:
        base = self.register(self.next("a register"))
        offset: tree.Register | tree.Immediate | None = None
        extend, shift = "", 0
        if self.take(","):
            following = self.peek()
            if following.text == "#" or following.kind == "number":
                offset = self._immediate()
            else:
                offset = self.register(self.next("a register"))
                if self.take(","):
                    extend = self.next("SXTW, UXTW or LSL").text.upper()
                    if self.peek().text == "#":
                        shift = self._immediate().value
        self.need("]")
        return tree.Memory(base, offset, extend, shift, bool(self.take("!")))
