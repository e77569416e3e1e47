"""MIDR_EL1 in parts: implementer, part number, and the revision as Arm writes it (r0p3)."""

from __future__ import annotations

import re
from typing import NamedTuple

_WRITTEN = re.compile(r"r(1[0-5]|[0-9])p(1[0-5]|[0-9])")


class Revision(NamedTuple):
    """Variant and revision, in the order in which they came."""

    variant: int
    revision: int

    def __str__(self) -> str:
        return f"r{self.variant}p{self.revision}"


def revision_from(text: str) -> Revision | None:
    """Read r0p3; None if it is none."""
    match = _WRITTEN.fullmatch(text.lower())
    return Revision(int(match[1]), int(match[2])) if match else None


class Midr(NamedTuple):
    """What a CPU says that it is."""

    implementer: int
    part: int
    revision: Revision

    @property
    def model(self) -> tuple[int, int]:
        """Implementer and part number."""
        return self.implementer, self.part


def midr_from(bits: int) -> Midr | None:
    """Take MIDR_EL1 apart; None if these bits are none, as of a CPU that says nothing."""
    if not 0 < bits < 1 << 32 or not bits >> 24:
        return None
    return Midr(bits >> 24, bits >> 4 & 0xFFF, Revision(bits >> 20 & 15, bits & 15))
