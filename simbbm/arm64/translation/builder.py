"""Builds translation tables for scenarios: map this page here, at that level."""

from __future__ import annotations

from collections.abc import Iterator

from simbbm.arm64.descriptor import (
    INVALID,
    INVALID_DESCRIPTOR,
    Attributes,
    Descriptor,
    leaf,
    table,
)
from simbbm.arm64.geometry import KERNEL_PAGE, LEAF_LEVEL, Geometry

TABLE_NAMES = {-1: "pgd", 0: "pgd", 1: "pud", 2: "pmd", 3: "pte"}


class TableBuilder:
    """Translation tables under construction; `tables` is their contents by address."""

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry
        self.tables: dict[int, list[Descriptor]] = {}
        self.names: dict[int, str] = {}

    def table(self, address: int, name: str) -> int:
        """Add an empty table at a word address; return the address."""
        self.tables[address] = [INVALID_DESCRIPTOR] * self.geometry.entries
        self.names[address] = name
        return address

    def map(
        self,
        root: int,
        bits: int,
        va: int,
        page: int,
        attributes: Attributes,
        *,
        allocate: Iterator[int],
        level: int = LEAF_LEVEL,
        count: int = 1,
        contiguous: bool = False,
        invalid_as: int | None = None,
    ) -> None:
        """Map `count` leaves at `level`, from page `va` on to `page` on, below a root.

        `bits` are the page-number bits of the root's region; missing tables are taken from
        `allocate` (word addresses). With `invalid_as` the leaves are not valid, and have these
        software bits.
        """
        size = self.geometry.pages(level)
        for i in range(count):
            at = va + i * size
            address = self._descend(root, bits, at, level, allocate)
            entry = leaf(page + i * size, attributes, contiguous=contiguous)
            if invalid_as is not None:
                entry = entry._replace(kind=INVALID, software=invalid_as)
            self.tables[address][self.geometry.index(at % KERNEL_PAGE, level)] = entry

    def _descend(self, root: int, bits: int, va: int, level: int, allocate: Iterator[int]) -> int:
        address = root
        for above in range(self.geometry.start_level(bits), level):
            index = self.geometry.index(va % KERNEL_PAGE, above)
            descriptor = self.tables[address][index]
            if not descriptor.valid:
                size = self.geometry.pages(above)
                name = f"{TABLE_NAMES[above + 1]}@{va % KERNEL_PAGE // size * size}"
                descriptor = table(self.table(next(allocate), name))
                self.tables[address][index] = descriptor
            address = descriptor.output
        return address

    def contents(self) -> dict[int, tuple[Descriptor, ...]]:
        """Return the finished tables."""
        return {address: tuple(entries) for address, entries in self.tables.items()}
