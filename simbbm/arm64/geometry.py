"""Geometry: how many entries a table has, how many of them make a contiguous group.

Addresses are counted in words of 8 bytes, pages in pages; a descriptor is one word. The same code
runs the real granules and scaled ones on which proofs are feasible. In the scaled ones a table is
smaller than a page, so that page tables still fit into the memory that they map.

Simplified: 52-bit addresses and concatenated tables are left out (fewer shapes, no other rules).
"""

from __future__ import annotations

from typing import NamedTuple

LEAF_LEVEL = 3
"""The level of pages."""
KERNEL_PAGE = 1 << 60
"""First page of the TTBR1 half: stands for the addresses whose top bits are all ones."""


class Geometry(NamedTuple):
    """A translation granule: how many words a page has, and how many entries a table."""

    name: str
    entry_bits: int
    page_words: int
    contiguous: tuple[int, int]
    """Entries of a contiguous group at level 2 and at level 3 (CONT_PMDS, CONT_PTES)."""
    level1_blocks: bool

    @property
    def entries(self) -> int:
        """Entries of a table."""
        return 1 << self.entry_bits

    def pages(self, level: int) -> int:
        """Pages that one entry at `level` maps."""
        return 1 << (self.entry_bits * (LEAF_LEVEL - level))

    def group(self, level: int) -> int:
        """Entries of a contiguous group at `level`; 1 where the hint means nothing to Linux."""
        return self.contiguous[level - 2] if level >= 2 else 1

    def start_level(self, va_bits: int) -> int:
        """Level at which a walk of a region of 2**va_bits pages starts."""
        return LEAF_LEVEL + 1 - -(-va_bits // self.entry_bits)

    def index(self, page: int, level: int) -> int:  # type: ignore[override]
        """Index into the table at `level` for a page of its region."""
        return page // self.pages(level) % self.entries

    def page(self, address: int) -> int:
        """Page of a word address."""
        return address // self.page_words

    def table(self, address: int) -> int:
        """Address of the table that an entry at `address` is part of."""
        return address & -self.entries


SCALED = Geometry("scaled", 1, 16, (2, 2), level1_blocks=True)
"""Tables of two entries, pages of 16 words: small enough to visit every state."""
SCALED4 = Geometry("scaled4", 2, 16, (2, 2), level1_blocks=True)
GEOMETRIES = {
    "scaled": SCALED,
    "scaled4": SCALED4,
    "4k": Geometry("4k", 9, 512, (16, 16), level1_blocks=True),
    "16k": Geometry("16k", 11, 2048, (32, 128), level1_blocks=False),
    "64k": Geometry("64k", 13, 8192, (32, 32), level1_blocks=False),
}
"""By name: the scaled ones, and the granules that Linux can be built for."""
