"""The parts of a linear map: alike leaves, one part after another in order of address."""

from __future__ import annotations

from typing import NamedTuple

from simbbm.arm64.geometry import Geometry
from simbbm.core.errors import UsageError

PARTS = ("pud", "contpmd", "pmd", "contpte", "pages")
"""Leaves of the linear map, of which a layout is made."""
MIXED = ("contpte", "pages", "contpmd", "pmd")
"""All leaves but a block of 1 GiB, which is a quarter of a million pages, in the order in which the
fewest stores are pending together: the last link of a table waits for no DSB."""
LAYOUTS = {name: (name,) for name in PARTS} | {"mixed": MIXED}


class Leaves(NamedTuple):
    """One part of the linear map: alike leaves, by their first page and all pages."""

    name: str
    first: int
    pages: int
    level: int
    count: int  # type: ignore[assignment]
    contiguous: bool


def parts(name: str, geometry: Geometry) -> list[Leaves]:
    """The parts of a layout in order of address, each at a multiple of its leaves' size."""
    sizes = {
        "pud": (1, 1, False),
        "contpmd": (2, geometry.group(2), True),
        "pmd": (2, 1, False),
        "contpte": (3, geometry.entries, True),
        "pages": (3, geometry.entries, False),
    }
    found: list[Leaves] = []
    page = 0
    for part in LAYOUTS.get(name) or tuple(name.split("+")):
        if part == "pud" and not geometry.level1_blocks:
            continue
        level, number, contiguous = sizes[part]
        size = geometry.pages(level)
        aligned = size * (geometry.group(level) if contiguous else 1)
        page = -(-page // aligned) * aligned
        found.append(Leaves(part, page, number * size, level, number, contiguous))
        page += number * size
    if not found:
        raise UsageError(f"layout={name}: the {geometry.name} granule has no level 1 blocks")
    return found
