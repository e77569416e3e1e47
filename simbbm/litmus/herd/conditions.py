r"""Conditions: what a test asks of its ends, `exists ([x]=1 /\ fault(P0:L0,x))`."""

from __future__ import annotations

import re
from collections.abc import Callable

from simbbm.host.reading import quoted
from simbbm.litmus.herd import tree
from simbbm.litmus.herd.lexer import error
from simbbm.litmus.herd.tree import Where
from simbbm.litmus.herd.values import Values
from simbbm.litmus.notation.conditions import DEPTH_MAX, And, Not, Or

_FAULTS = {"translation": "translation", "permission": "permission", "accessflag": "access-flag"}
_OTHER_FAULTS = ("undefinedinstruction", "supervisorcall", "svc", "tagcheck", "pac")


class Conditions(Values):
    """Reads conditions, and `locations`."""

    def condition(self) -> tree.Condition:
        """A whole condition."""
        first = self._either()
        if self.take("=>"):
            return Or((Not(first), self.condition()))  # type: ignore[arg-type]
        return first

    def _either(self) -> tree.Condition:
        return self._joined(self._both, "\\/", Or)

    def _both(self) -> tree.Condition:
        return self._joined(self._one, "/\\", And)

    def _joined(
        self, part: Callable[[], tree.Condition], mark: str, made: type[Or | And]
    ) -> tree.Condition:
        parts = [part()]
        while self.take(mark):
            parts.append(part())
        return parts[0] if len(parts) == 1 else made(tuple(parts))  # type: ignore[arg-type]

    def _one(self) -> tree.Condition:
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise self.expected(f"a condition nested less than {DEPTH_MAX} deep")
        try:
            if self.take("~") or self.takes("not"):
                return Not(self._one())  # type: ignore[arg-type]
            if self.take("("):
                inside = self.condition()
                self.need(")")
                return inside
            return self._atom()
        finally:
            self.depth -= 1

    def _atom(self) -> tree.Condition:
        word = self.peek()
        if word.text in ("true", "false"):
            self.at += 1
            return tree.Always(word.text == "true")
        if word.text.lower() == "fault" and self.words[self.at + 1].text == "(":
            return self.fault()
        where = self.where()
        negated = bool(self.take("<>") or self.take("!="))
        if not negated:
            self.need("=")
        value = self.value()
        found: tree.Atom
        if isinstance(where, tree.ThreadRegister):
            found = tree.RegisterIs(where, value)
        else:
            found = tree.WordIs(where, value)
        return Not(found) if negated else found  # type: ignore[arg-type]

    def fault(self) -> tree.Faulted:
        """`fault(P0:L0,x,MMU:Translation)`."""
        self.at += 2
        word = self.next("a thread")
        match = re.fullmatch(r"P?(\d+)", word.text)
        if match is None:
            raise error(self.file, word.at, f"`{quoted(word.text)}` is no thread", "fault(P0:L0,x)")
        label = self.next("a label").text if self.take(":") else ""
        variable = kind = ""
        while self.take(","):
            place = self.next("a variable or a kind of fault")
            if place.text == "MMU" and self.take(":"):
                place = self.next("a kind of fault")
                kind = _FAULTS.get(place.text.lower(), "")
                if not kind:
                    raise self.unsupported(place, f"faults {quoted(place.text)} are not modelled")
            elif place.text.lower() in _OTHER_FAULTS:
                raise self.unsupported(place, f"faults {quoted(place.text)} are not modelled")
            else:
                variable = place.text
        self.need(")")
        return tree.Faulted(int(match[1]), label, variable, kind)

    def locations(self) -> tuple[Where, ...]:
        """`locations [0:X1; x;]`: what is of interest besides; faults always are."""
        self.need("[")
        found: list[Where] = []
        while not self.take("]"):
            if self.take(";"):
                continue
            if self.peek().text.lower() == "fault":
                self.fault()
            else:
                found.append(self.where())
        return tuple(found)
