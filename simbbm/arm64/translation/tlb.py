"""TLB entries and which of them a TLBI matches.

A cached table descriptor is a TLB entry like a leaf (R13, RRVJDB). A contiguous leaf may be held in
two sizes, as its own granule and as its whole group, and is two entries here. Leaves that continue
one another are kept as one entry with a count.

By VA and by ASID, table entries match by the ASID of their fill, never as "global" (R16).

A hint of a level (TTL) is a promise: of entries for which it is wrong none need be removed. It is
for leaves of its level and for the tables above them (R40).

Where stage 2 is in use, leaves that a guest's accesses match are combined: of both stages, from VA
to physical page, tagged by a VMID. TLBIs of stage 1 match them, those by IPA do not (R30); what
these match are entries of stage 2 alone, kept apart (`guests`).

Simplified: a TLBI by range acts on all of one CPU's entries at once (fewer behaviours).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from simbbm.arm64.descriptor import Attributes, Descriptor
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
    vmid: int = 0
    """Of an entry that combines both stages; 0: of one stage."""
    stage1_pages: int = 0
    """Pages of the entry of stage 1 that a combined one is made of, all of which a TLBI by address
    is for, in how small pieces ever stage 2 maps them."""

    def recorded(self) -> tuple[Any, ...]:
        """What digests are made of (`core.values.encode`)."""
        return self if self.vmid else self[:8]

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


class Stage2Entry(NamedTuple):
    """An entry of stage 2 alone, beside those of stage 1 (concrete mode)."""

    entry: Entry


Cached = Entry | Stage2Entry


class Copy(NamedTuple):
    """A descriptor as a walk has read it, kept by its physical address (`physical_cache`)."""

    address: int
    descriptor: Descriptor
    level: int
    va: int
    asid: int


WRONG_LEVEL = -1
"""A hint of a level that speaks of another granule than is in use."""
EVERYTHING = ("vmalle1", "vmalls12e1", "alle1")
"""Operations that invalidate all entries of stage 1 within their scope."""
BY_IPA = {"ipas2e1": "vaae1", "ipas2le1": "vaale1", "ripas2e1": "rvaae1", "ripas2le1": "rvaale1"}
"""Operations on entries of stage 2 alone, and what does the same by address at stage 1."""
_LEAF_ONLY = ("vale1", "vaale1", "rvale1", "rvaale1")
_ANY_ASID = ("vaae1", "vaale1", "rvaae1", "rvaale1")


class Tlbi(NamedTuple):
    """A TLB invalidation: its operation in lower case, without IS, and its operands.

    Those by address have forms by range, RVAE1 and so on, which are for several pages, and a hint
    that says at which level their leaves are (FEAT_TTL, R40).
    """

    op: str
    broadcast: bool
    page: int | None = None
    """A virtual page; of operations by IPA, an intermediate physical one."""
    asid: int | None = None
    pages: int = 1
    """How many pages it is for, from `page` on."""
    ttl: int = 0
    """The level of the leaves that it is for; 0: of any level; WRONG_LEVEL: of none."""
    vmid: int = 0
    """The VMID of its issuer, whatever the operation; 0: there is no stage 2."""

    def __str__(self) -> str:
        return self.op + ("is" if self.broadcast else "")

    def recorded(self) -> tuple[Any, ...]:
        """What digests are made of (`core.values.encode`)."""
        if self.vmid:
            return self
        return self[: 6 if self.pages > 1 or self.ttl else 4]

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

    def has_vmid(self, vmid: int) -> bool:
        """Whether entries of a VMID are in its scope."""
        return self.vmid == vmid or self.op == "alle1"

    def at_stage1(self) -> Tlbi | None:
        """What it does to entries of stage 1 of a VMID in its scope; None: nothing."""
        if self.op in BY_IPA:
            return None
        return self._replace(op="vmalle1" if self.op in EVERYTHING else self.op, vmid=0)

    def at_stage2(self) -> Tlbi | None:
        """What it does to entries of stage 2 of a VMID in its scope; None: nothing."""
        op = "vmalle1" if self.op in ("vmalls12e1", "alle1") else BY_IPA.get(self.op)
        return self._replace(op=op, vmid=0) if op else None

    def matches_table(self, entry: TableEntry, geometry: Geometry) -> bool:
        """Whether a cached table descriptor is invalidated."""
        if self.op in EVERYTHING:
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
        if not self.has_vmid(entry.vmid) or self.op in BY_IPA:
            return (entry,)
        if self.op in EVERYTHING:
            return ()
        if self.op == "aside1":
            return () if entry.asid == self.asid else (entry,)
        assert self.page is not None
        same_asid = self.any_asid or entry.asid in (GLOBAL, self.asid)
        # A combined entry may be smaller than what stage 1 says: the hint is about that.
        wrong_level = self.ttl not in (0, entry.level) and not entry.vmid
        start, stop = self.page, self.page + self.pages
        if whole := entry.stage1_pages:
            start, stop = start // whole * whole, -(-stop // whole) * whole
        meets = start < entry.va + entry.pages(geometry) and entry.va < stop
        if wrong_level or not (same_asid and meets):
            return (entry,)
        size = geometry.group(entry.level) if entry.group else 1
        pages = geometry.pages(entry.level) * size
        first = max(start - entry.va, 0) // pages * size
        end = min(-(-(stop - entry.va) // pages) * size, entry.count)
        before = entry.part(0, first, geometry)
        after = entry.part(end, entry.count - end, geometry)
        return tuple(part for part in (before, after) if part.count > 0)
