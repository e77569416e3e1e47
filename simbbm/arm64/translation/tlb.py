"""TLB entries and which of them a TLBI matches.

A cached table descriptor is a TLB entry like a leaf (R13, RRVJDB). A contiguous leaf may be held in
two sizes, as its own granule and as its whole group, and is two entries here. Leaves that continue
one another are kept as one entry with a count.

By VA and by ASID, table entries match by the ASID of their fill, never as "global" (R16).
"""

from __future__ import annotations

from typing import NamedTuple

from simbbm.arm64.descriptor import Attributes
from simbbm.arm64.geometry import Geometry

GLOBAL = -1
"""In place of an ASID: the entry matches every ASID."""


class TableEntry(NamedTuple):
    """A cached table descriptor (walk cache): walks of its range may start at the table `baddr`."""

    level: int
    """Level of the descriptor; the table it points to is one level further down."""
    va: int
    baddr: int
    asid: int

    def covers(self, page: int, geometry: Geometry) -> bool:
        """Whether the page lies in the entry's range."""
        return 0 <= page - self.va < geometry.pages(self.level)


class LeafEntry(NamedTuple):
    """`count` cached leaves that continue one another; `va` and `page` are the first pages."""

    level: int
    va: int
    count: int  # type: ignore[assignment]
    page: int
    attributes: Attributes
    contiguous: bool
    group: bool
    """Held as the whole contiguous group rather than as its own granule."""
    asid: int

    def pages(self, geometry: Geometry) -> int:
        """Pages that the entry covers."""
        return self.count * geometry.pages(self.level)

    def covers(self, page: int, geometry: Geometry) -> bool:
        """Whether the page lies in the entry's range."""
        return 0 <= page - self.va < self.pages(geometry)

    def includes(self, other: LeafEntry, geometry: Geometry) -> bool:
        """Whether everything that `other` can match is matched by this entry in the same way."""
        shift = other.va - self.va
        return (
            shift >= 0
            and shift + other.pages(geometry) <= self.pages(geometry)
            and other.page - self.page == shift
            and self._replace(va=0, page=0, count=0) == other._replace(va=0, page=0, count=0)
        )

    def part(self, first: int, count: int, geometry: Geometry) -> LeafEntry:
        """Some of the leaves."""
        shift = first * geometry.pages(self.level)
        return self._replace(va=self.va + shift, page=self.page + shift, count=count)


Entry = TableEntry | LeafEntry


class Tlbi(NamedTuple):
    """A TLB invalidation. `op` is VMALLE1, VAE1, VAAE1, VALE1, VAALE1 or ASIDE1 in lower case."""

    op: str
    broadcast: bool
    page: int | None = None
    asid: int | None = None

    def __str__(self) -> str:
        return self.op + ("is" if self.broadcast else "")

    @property
    def leaf_only(self) -> bool:
        """The last-level-only forms keep cached table descriptors."""
        return self.op in ("vale1", "vaale1")

    @property
    def any_asid(self) -> bool:
        """The all-ASID forms."""
        return self.op in ("vaae1", "vaale1")

    def matches_table(self, entry: TableEntry, geometry: Geometry) -> bool:
        """Whether a cached table descriptor is invalidated."""
        if self.op == "vmalle1":
            return True
        if self.op == "aside1":
            return entry.asid == self.asid
        assert self.page is not None
        return (
            not self.leaf_only
            and entry.covers(self.page, geometry)
            and (self.any_asid or entry.asid == self.asid)
        )

    def remainder(self, entry: LeafEntry, geometry: Geometry) -> tuple[LeafEntry, ...]:
        """What the TLBI leaves of an entry: all, some of its leaves, or nothing."""
        if self.op == "vmalle1":
            return ()
        if self.op == "aside1":
            return () if entry.asid == self.asid else (entry,)
        assert self.page is not None
        same_asid = self.any_asid or entry.asid in (GLOBAL, self.asid)
        if not (same_asid and entry.covers(self.page, geometry)):
            return (entry,)
        size = geometry.group(entry.level) if entry.group else 1
        hit = (self.page - entry.va) // geometry.pages(entry.level) // size * size
        before = entry.part(0, hit, geometry)
        after = entry.part(hit + size, entry.count - hit - size, geometry)
        return tuple(part for part in (before, after) if part.count > 0)
