"""How a row of the decode table is written, and how a word is found in it.

A row is a name, a pattern as the manual draws it, and the function that executes it:

    Form("add/sub (immediate)", "sf op S 100010 sh imm12 Rn Rd", add_sub_immediate)

Digits are bits that have to be so; a word is a field. A field's width is in its name (imm12), or
it is a register (5 bits), or one of `WIDTHS`, or one bit. The bits of a row are 32, which is
checked when the table is made. Where a row has values that the manual calls UNDEFINED or
UNPREDICTABLE, its function raises `Undefined`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from simbbm.binary.a64.cpu import Cpu
from simbbm.binary.a64.operations import Stop

WIDTHS = {
    **dict.fromkeys(("Rd", "Rn", "Rm", "Ra", "Rt", "Rt2", "Rs"), 5),
    **dict.fromkeys(("cond", "nzcv", "CRn", "CRm"), 4),
    **dict.fromkeys(("option", "op1", "op2"), 3),
    **dict.fromkeys(("size", "opc", "shift", "hw"), 2),
    **dict.fromkeys(("o0", "o3"), 1),
}
Execute = Callable[[Cpu, Any], Stop | None]


class Undefined(Exception):
    """A word that no row has, or with values that the manual leaves undefined."""


@dataclass(frozen=True)
class Form:
    """A row of the table."""

    name: str
    pattern: str
    execute: Execute

    def fields(self) -> list[tuple[str, int, int]]:
        """Name, lowest bit and width of each part; the name of fixed bits is their digits."""
        found, at = [], 32
        for part in self.pattern.split():
            width = len(part) if part.strip("01") == "" else width_of(part)
            at -= width
            found.append((part, at, width))
        assert at == 0, f"{self.name}: {32 - at} bits"
        return found

    def mask_and_value(self) -> tuple[int, int]:
        """The bits that have to be so, and what they have to be."""
        fixed = [(p, at, w) for p, at, w in self.fields() if p.strip("01") == ""]
        mask = sum((1 << w) - 1 << at for _, at, w in fixed)
        return mask, sum(int(p, 2) << at for p, at, _ in fixed)


def width_of(field: str) -> int:
    """How many bits a field has."""
    number = re.search(r"\d+$", field)
    return WIDTHS.get(field) or (int(number[0]) if number else 1)


class Instruction:
    """A word, decoded."""

    __slots__ = ("fields", "form", "word")

    def __init__(self, word: int, form: Form, fields: Any) -> None:
        self.word = word
        self.form = form
        self.fields = fields


class Table:
    """All rows, and the words that were met."""

    def __init__(self, forms: Iterable[Form]) -> None:
        self.forms = tuple(forms)
        self._rows = [
            (*form.mask_and_value(), form, [f for f in form.fields() if f[0].strip("01")])
            for form in self.forms
        ]
        self._groups: dict[int, list[Any]] = {}
        for row in self._rows:
            for group in range(16):  # op0 of the manual's first table: bits 28:25
                if not (group << 25 ^ row[1]) & row[0] & 0xF << 25:
                    self._groups.setdefault(group, []).append(row)
        self._met: dict[int, Instruction] = {}

    def decode(self, word: int) -> Instruction:
        """Which row a word is, and what its fields are. Undefined if there is none."""
        found = self._met.get(word)
        if found is None:
            found = self._met[word] = self._decode(word)
        return found

    def _decode(self, word: int) -> Instruction:
        for mask, value, form, fields in self._groups.get(word >> 25 & 15, ()):
            if word & mask == value:
                values = {name: word >> at & (1 << width) - 1 for name, at, width in fields}
                return Instruction(word, form, SimpleNamespace(**values))
        raise Undefined
