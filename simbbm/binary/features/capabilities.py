"""The CPU capabilities that a kernel knows, by which its alternatives are chosen.

arch/arm64/kernel/cpufeature.c:arm64_features and cpu_errata.c:arm64_errata are arrays of
`struct arm64_cpu_capabilities`, which end with an empty entry. Alternatives name a capability by
its number, which differs between builds; its description is text in the image.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from simbbm.binary.formats.image import Image
from simbbm.binary.formats.symbols import Symbols
from simbbm.binary.formats.types import Types
from simbbm.core.errors import UsageError
from simbbm.host.reading import nearest, quoted

ENTRIES_MAX = 1_000
"""Entries of an array that has no end."""
STRUCT = "arm64_cpu_capabilities"

SHORT = (
    ("LSE atomic instructions", "LSE"),
    ("TLB range maintenance instructions", "TLB_RANGE"),
    ("ARMv8.4 Translation Table Level", "TTL"),
    ("Common not Private translations", "CnP"),
    ("Broken broadcast TLBI completion", "REPEAT_TLBI"),
    ("Qualcomm erratum 1009", "REPEAT_TLBI"),  # up to 6.19, with Arm's behind it
    ("52-bit Virtual Addressing (LPA2)", "VA52"),
    ("Privileged Access Never", "PAN"),
    ("Memory Tagging Extension", "MTE"),
    ("Kernel page table isolation (KPTI)", "KPTI"),
    ("BBM Level 2 without TLB conflict abort", "BBML2_NOABORT"),
    ("BBM Level 3", "BBML3"),
)
"""How a description in the image begins, and the capability's name in the kernel's sources
(ARM64_HAS_..., ARM64_WORKAROUND_...). What is not here is called by its description."""
ALWAYS = (0, 1)
"""ARM64_ALWAYS_BOOT and ARM64_ALWAYS_SYSTEM: first in tools/cpucaps, and true of every machine."""


class Capability(NamedTuple):
    """A row of arm64_features or arm64_errata."""

    number: int
    description: str

    @property
    def name(self) -> str:
        """The short name, else the description, else the number."""
        short = (name for begin, name in SHORT if self.description.startswith(begin))
        return next(short, self.description or f"#{self.number}")


class Capabilities:
    """What a kernel can be patched for."""

    def __init__(self, rows: dict[int, Capability]) -> None:
        self.rows = rows
        """By number; of several rows with one number the first that has a description."""

    def name(self, number: int) -> str:
        """What a number is called: ALWAYS for what holds everywhere."""
        if number in ALWAYS:
            return "ALWAYS"
        return self.rows[number].name if number in self.rows else f"#{number}"

    def numbers(self, names: Iterable[str]) -> frozenset[int]:
        """The numbers of some names, and what holds everywhere. UsageError for an unknown one."""
        return frozenset(ALWAYS) | {self._number(name) for name in names}

    def _number(self, name: str) -> int:
        wanted = name.casefold()
        for row in self.rows.values():
            if wanted in (row.name.casefold(), row.description.casefold(), f"#{row.number}"):
                return row.number
        known = [row.name for row in self.rows.values()]
        near = nearest(name, known)
        raise UsageError(
            f"the kernel has no capability {quoted(name)}",
            f"did you mean {near}?" if near else "simbbm kernel IMAGE lists those on the path",
        )


def capabilities(image: Image, symbols: Symbols, types: Types) -> Capabilities:
    """Every row of the two arrays, by the number of its capability."""
    found: dict[int, Capability] = {}
    size = types.size(STRUCT)
    matches, number, desc = (types.offset(STRUCT, m) for m in ("matches", "capability", "desc"))
    for array in ("arm64_features", "arm64_errata"):
        start = symbols.find(array) or 0
        for place in range(start, start + size * ENTRIES_MAX if start else 0, size):
            if not image.u64(place + matches):
                break
            text = image.u64(place + desc)
            row = Capability(image.u16(place + number), image.text(text) if text else "")
            if row.description or row.number not in found:
                found.setdefault(row.number, row)
    return Capabilities(found)
