"""Errata of CPUs: one table of what each changes. The next one is an entry here, and a scenario.

Two kinds are known. Accesses *outlive* a broadcast TLBI: it completes on the CPU before accesses
that were translated by what it invalidates, until something else ends them. And a CPU *stalls*: an
access that meets two sizes for one page is tried again for ever, as long as both are held.

Simplified: what outlives a TLBI are stores that are pending and, if an exception ends them,
translations that were made early, of all instructions alike (cries wolf: 4193714 is about SME's).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

TLBI, EXCEPTION = "any broadcast TLBI", "an exception"
"""What ends accesses that have outlived a TLBI."""


class Erratum(NamedTuple):
    """What an erratum changes."""

    about: str
    ends: str = ""
    """Accesses outlive a broadcast TLBI until this: TLBI or EXCEPTION."""
    stalls: bool = False
    """An access that meets entries of two sizes need not get on."""


ERRATA: dict[str, Erratum] = {
    "4118414": Erratum(
        "A76 to A78, A710, X1 to X4, X925, N1, N2, V1 to V3, C1-Ultra, C1-Premium: a broadcast "
        "TLBI and DSB do not wait for others' stores; a further one does (CVE-2025-10263)",
        ends=TLBI,
    ),
    "4193714": Erratum(
        "C1-Pro: a broadcast TLBI and DSB do not wait for SME's accesses; who has taken an "
        "exception has completed them",
        ends=EXCEPTION,
    ),
    "3683289": Erratum(
        "C1-Ultra and C1-Premium before r1p1: a size change without break-before-make may livelock",
        stalls=True,
    ),
}
"""By Arm's number."""


def ends_of(errata: Iterable[str]) -> frozenset[str]:
    """What accesses that outlive a TLBI wait for; empty: none does."""
    return frozenset(ERRATA[name].ends for name in errata) - {""}


def stalls(errata: Iterable[str]) -> bool:
    """Whether an access that meets two sizes may be tried for ever."""
    return any(ERRATA[name].stalls for name in errata)
