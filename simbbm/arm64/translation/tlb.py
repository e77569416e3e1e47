"""TLB entries and which of them a TLBI matches.

A cached table descriptor is a TLB entry like a leaf (R13, RRVJDB). A contiguous leaf may be held in
two sizes, as its own granule and as its whole group, and is two entries here. Leaves that continue
one another are kept as one entry with a count.

By VA and by ASID, table entries match by the ASID of their fill, never as "global" (R16).

A hint of a level (TTL) is a promise: of entries for which it is wrong none need be removed. It is
for leaves of its level and for the tables above them (R40).

Simplified: a TLBI by range acts on all of one CPU's entries at once (fewer behaviours).
"""

from __future__ import annotations

from typing import Any, NamedTuple

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


WRONG_LEVEL = -1
"""A hint of a level that speaks of another granule than is in use."""
_LEAF_ONLY = ("vale1", "vaale1", "rvale1", "rvaale1")
_ANY_ASID = ("vaae1", "vaale1", "rvaae1", "rvaale1")


class Tlbi(NamedTuple):
    """A TLB invalidation. `op` is VMALLE1, VAE1, VAAE1, VALE1, VAALE1 or ASIDE1 in lower case.

    Those by address have forms by range, RVAE1 and so on, which are for several pages, and a hint
    that says at which level their leaves are (FEAT_TTL, R40).
    """

    op: str
    broadcast: bool
    page: int | None = None
    asid: int | None = None
    pages: int = 1
    """How many pages it is for, from `page` on."""
    ttl: int = 0
    """The level of the leaves that it is for; 0: of any level; WRONG_LEVEL: of none."""

    def __str__(self) -> str:
        return self.op + ("is" if self.broadcast else "")

    def recorded(self) -> tuple[Any, ...]:
        """What digests are made of (`core.values.encode`)."""
        return self if self.pages > 1 or self.ttl else self[:4]

    @property
    def leaf_only(self) -> bool:
        """The last-level-only forms keep cached table descriptors."""
        return self.op in _LEAF_ONLY

    @property
    def any_asid(self) -> bool:
        """The all-ASID forms."""
        return self.op in _ANY_ASID

    def is_for(self, first: int, pages: int = 1) -> bool:
        """Whether its address or range meets these pages."""
        return self.page is None or (self.page < first + pages and first < self.page + self.pages)

    def matches_table(self, entry: TableEntry, geometry: Geometry) -> bool:
        """Whether a cached table descriptor is invalidated."""
        if self.op == "vmalle1":
            return True
        if self.op == "aside1":
            return entry.asid == self.asid
        return (
            not self.leaf_only
            and self.is_for(entry.va, geometry.pages(entry.level))
            and (self.any_asid or entry.asid == self.asid)
            and (not self.ttl or entry.level < self.ttl)
        )

    def remainder(self, entry: LeafEntry, geometry: Geometry) -> tuple[LeafEntry, ...]:
        """What the TLBI leaves of an entry: all, some of its leaves, or nothing."""
        if self.op == "vmalle1":
            return ()
        if self.op == "aside1":
            return () if entry.asid == self.asid else (entry,)
        assert self.page is not None
        same_asid = self.any_asid or entry.asid in (GLOBAL, self.asid)
        wrong_level = self.ttl not in (0, entry.level)
        if wrong_level or not (same_asid and self.is_for(entry.va, entry.pages(geometry))):
            return (entry,)
        size = geometry.group(entry.level) if entry.group else 1
        pages = geometry.pages(entry.level) * size
        first = max(self.page - entry.va, 0) // pages * size
        end = min(-(-(self.page + self.pages - entry.va) // pages) * size, entry.count)
        before = entry.part(0, first, geometry)
        after = entry.part(end, entry.count - end, geometry)
        return tuple(part for part in (before, after) if part.count > 0)
