"""Translation table walks: one step of a walk, where a walk leads, and all that is below a table.

A walk reads current memory and never the store buffer (R4). Descriptors that fault are never
cached (R1), so a fault is always a fault of the current tables.

Both kinds of TLB (`Hardware.closure`, or concrete entries) go by the same definitions: which
descriptor a step reads is `read`, what a TLB may hold of a descriptor is `table_entry` and
`leaf_entries`, where walks start is `view.py:View.starts`, and what a TLBI takes away is
`mmu.py:Mmus.invalidated`, by `tlb.py:Tlbi`. Two things are different and cannot be shared:

* A concrete walker takes steps, one a move (`view.py:View.fills`). The closure is what any number
  of them lead to, and is worked out from tables as wholes (`below`), which are remembered by their
  contents: step by step it would take too long for tables of 512 entries.
* Concrete entries are there or not, so a store to a table changes none of them. The closure keeps
  what the old descriptor allowed (`mmu.py:Mmus.observed`), as a walker may have cached it before.

That the closure is what the steps lead to is tested on random tables, and that every concrete state
is within it on whole programs (`tests/arm64/test_walkers.py`, `test_hardware.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from simbbm.arm64.descriptor import LEAF, TABLE, Descriptor
from simbbm.arm64.geometry import LEAF_LEVEL, Geometry
from simbbm.arm64.registers import Context
from simbbm.arm64.translation.memory import Table, Tables
from simbbm.arm64.translation.tlb import GLOBAL, LeafEntry, TableEntry, Tlbi

TRANSLATION, ACCESS_FLAG, PERMISSION, CONFLICT, ADDRESS_SIZE, STALL = (
    "translation",
    "access-flag",
    "permission",
    "conflict",
    "address size",
    "stall",
)
"""Kinds of faults (`Fault.kind`, `Aborted.kind`). A stall is none: the access is tried again."""


class Fault(NamedTuple):
    """Why an access has no translation: kind and level, as in ESR_ELx.xFSC."""

    kind: str
    level: int
    ipa: int | None = None
    """Of stage 2: the page that has none (HPFAR_EL2); None: a fault of stage 1."""

    def recorded(self) -> tuple[Any, ...]:
        """What digests are made of (`core.values.encode`)."""
        return self[:2] if self.ipa is None else self

    @property
    def name(self) -> str:
        """Kind and level in one word."""
        return f"{'' if self.ipa is None else 'stage2-'}{self.kind}{self.level}"

    @property
    def told(self) -> str:
        """In words."""
        if self.kind == STALL:
            return "two sizes match: it does not get on"
        return f"level {self.level}{'' if self.ipa is None else ' stage 2'} {self.kind} fault"

    def __str__(self) -> str:
        stage = "" if self.ipa is None else " of stage 2"
        return f"{self.kind} fault, level {self.level}{stage}"


class FaultRun(NamedTuple):
    """Neighbouring pages on which walks meet the same fault."""

    first: int
    pages: int
    fault: Fault

    @property
    def end(self) -> int:
        """The first page behind them."""
        return self.first + self.pages


class EarlyFault(NamedTuple):
    """A fault that a translation of these pages may have met, though the entry is valid by now."""

    va: int
    pages: int
    fault: Fault
    marked: bool = False
    """A broadcast TLBI for it has completed since: the next barrier drops it (R10)."""

    def matched_by(self, tlbi: Tlbi) -> bool:
        """Whether a TLBI is for these pages; its ASID says nothing about a fault."""
        right_level = not tlbi.ttl or self.fault.level <= tlbi.ttl
        return right_level and tlbi.is_for(self.va, self.pages)


class Place(NamedTuple):
    """A table that a walk has come to."""

    baddr: int
    level: int
    """Of the table's entries."""
    va: int
    """The first page that the table maps."""
    asid: int


class Reading(NamedTuple):
    """A descriptor that a step of a walk has read."""

    descriptor: Descriptor
    level: int
    va: int
    """The first page that the descriptor is for."""
    asid: int


class Below:
    """Everything that walks can reach from one table, with addresses relative to its range.

    Compare by identity: the same one for a table of the same contents above the same ones.
    """

    __slots__ = ("leaves", "tables")

    def __init__(self, tables: tuple[TableEntry, ...], leaves: tuple[LeafEntry, ...]) -> None:
        self.tables = tables
        self.leaves = leaves


NOTHING_BELOW = Below((), ())
"""Where there is no table."""


def is_table(descriptor: Descriptor, level: int) -> bool:
    """Whether a walk goes on below this descriptor."""
    return descriptor.kind == TABLE and level < LEAF_LEVEL


def is_leaf(descriptor: Descriptor, level: int) -> bool:
    """Whether the descriptor maps memory at this level (there are no level 0 blocks)."""
    return descriptor.kind == LEAF and level > 0


def fault_of(descriptor: Descriptor, level: int) -> Fault | None:
    """Fault that a walk meets at this descriptor, if any."""
    if is_table(descriptor, level):
        return None
    if not is_leaf(descriptor, level):
        return Fault(TRANSLATION, level)
    return None if descriptor.access_flag else Fault(ACCESS_FLAG, level)


def faults_in(geometry: Geometry, tables: Tables, baddr: int, level: int) -> list[FaultRun]:
    """The pages on which walks fault at the entries of this table itself."""
    size = geometry.pages(level)
    table = tables.by_address.get(baddr)
    if table is None:
        return [FaultRun(0, geometry.entries * size, Fault(TRANSLATION, level))]
    memo = table.memo.get(("faults", level))
    if memo is None:
        memo = table.memo["faults", level] = _fault_runs(table, level, size)
    return memo  # type: ignore[return-value]


def _fault_runs(table: Table, level: int, size: int) -> list[FaultRun]:
    runs: list[FaultRun] = []
    for index, descriptor in enumerate(table.entries):
        fault = fault_of(descriptor, level)
        if fault and runs and runs[-1].fault == fault and runs[-1].end == index * size:
            runs[-1] = runs[-1]._replace(pages=runs[-1].pages + size)
        elif fault:
            runs.append(FaultRun(index * size, size, fault))
    return runs


def read(geometry: Geometry, tables: Tables, place: Place, page: int) -> Reading | None:
    """One step of a walk for `page`: read the table's descriptor; None if there is no table."""
    table = tables.by_address.get(place.baddr)
    if table is None:
        return None
    offset, size = page - place.va, geometry.pages(place.level)
    descriptor = table.entries[geometry.index(offset, place.level)]
    return Reading(descriptor, place.level, place.va + offset // size * size, place.asid)


def table_entry(descriptor: Descriptor, level: int, va: int, asid: int) -> TableEntry | None:
    """The entry as which a TLB may hold a table descriptor; None if it is not one."""
    if not is_table(descriptor, level):
        return None
    return TableEntry(level, va, descriptor.output, asid)


def leaf_entries(
    geometry: Geometry, descriptor: Descriptor, level: int, va: int, asid: int, count: int = 1
) -> list[LeafEntry]:
    """The entries as which a TLB may hold `count` leaves, the first of them this one at `va`.

    None if it is not a leaf, or one whose access flag is clear (R1).
    """
    if not (is_leaf(descriptor, level) and descriptor.cacheable):
        return []
    tag = asid if descriptor.not_global else GLOBAL
    own = LeafEntry(
        level,
        va,
        count,
        descriptor.output,
        descriptor.attributes,
        descriptor.contiguous,
        group=False,
        asid=tag,
    )
    group = geometry.group(level)
    if not descriptor.contiguous or group == 1:
        return [own]
    size = geometry.pages(level)
    head = va // size % group
    tail = -(head + count) % group
    start = va - head * size
    return [
        own,
        own._replace(va=start, page=own.page - head * size, count=head + count + tail, group=True),
    ]


def below(geometry: Geometry, tables: Tables, baddr: int, level: int) -> Below:
    """Everything reachable from the table at `baddr`, whose entries are at `level`.

    Entries carry asid 0 where the walk's own ASID has to be filled in, GLOBAL elsewhere.
    """
    table = tables.by_address.get(baddr)
    if table is None:
        return NOTHING_BELOW
    found = tables.memo.get((baddr, level)) if table.children else None
    if found is None:
        # A store to one table leaves most others as they are, and what is below these.
        links = table.children if level < LEAF_LEVEL else ()
        children = tuple([below(geometry, tables, at, level + 1) for _, at in links])
        found = table.memo.get((level, children))
        if found is None:
            found = table.memo[level, children] = _below(geometry, table, level, children)
        if table.children:
            tables.memo[baddr, level] = found
    assert isinstance(found, Below)
    return found


def _below(geometry: Geometry, table: Table, level: int, children: tuple[Below, ...]) -> Below:
    """The same, of a table and what is below each of its table descriptors."""
    size = geometry.pages(level)
    entries: list[TableEntry] = []
    leaves: list[LeafEntry] = []
    for run in table.runs(size):
        leaves += leaf_entries(geometry, run.descriptor, level, run.index * size, 0, run.count)
    for (index, baddr), under in zip(table.children, children, strict=False):
        va = index * size
        entries.append(TableEntry(level, va, baddr, 0))
        entries += [TableEntry(e.level, e.va + va, e.baddr, e.asid) for e in under.tables]
        leaves += [LeafEntry(e[0], e.va + va, *e[2:]) for e in under.leaves]
    return Below(tuple(entries), tuple(merged(geometry, leaves)))


def merged(geometry: Geometry, leaves: Iterable[LeafEntry]) -> list[LeafEntry]:
    """Leaves in order of address; those that overlap or continue one another made one entry."""
    result: list[LeafEntry] = []
    last: dict[tuple[object, ...], int] = {}
    for entry in sorted(leaves, key=lambda e: e.va):
        kind = _alike(entry)
        at = last.get(kind)
        if at is not None and entry.va <= result[at].va + result[at].pages(geometry):
            end = (entry.va - result[at].va) // geometry.pages(entry.level) + entry.count
            result[at] = result[at]._replace(count=max(result[at].count, end))
        else:
            last[kind] = len(result)
            result.append(entry)
    return result


def without(
    geometry: Geometry, leaves: Iterable[LeafEntry], others: Iterable[LeafEntry]
) -> list[LeafEntry]:
    """What `leaves` hold and `others` do not, in normal form."""
    rest = merged(geometry, leaves)
    by_kind: dict[tuple[object, ...], list[LeafEntry]] = {}
    for other in others if rest else ():
        by_kind.setdefault(_alike(other), []).append(other)
    for kind, cuts in by_kind.items():
        for cut in cuts:
            rest = [
                part
                for leaf in rest
                for part in (_cut(geometry, leaf, cut) if _alike(leaf) == kind else (leaf,))
            ]
    return rest


def _alike(leaf: LeafEntry) -> tuple[object, ...]:
    """What must be equal for two entries to be parts of one."""
    return leaf.page - leaf.va, leaf.level, leaf[4:]


def _cut(geometry: Geometry, leaf: LeafEntry, other: LeafEntry) -> list[LeafEntry]:
    size = geometry.pages(leaf.level)
    first = max((other.va - leaf.va) // size, 0)
    end = min((other.va - leaf.va) // size + other.count, leaf.count)
    if first >= end:
        return [leaf]
    parts = leaf.part(0, first, geometry), leaf.part(end, leaf.count - end, geometry)
    return [part for part in parts if part.count > 0]


def mapped_pages(
    geometry: Geometry,
    tables: Mapping[int, Sequence[Descriptor]],
    roots: Iterable[tuple[int, int, int]],
) -> tuple[int, ...]:
    """The first page of every leaf below roots: table, first page, and page-number bits of each."""
    found: dict[int, None] = {}
    waiting = [(baddr, geometry.start_level(bits), first) for baddr, first, bits in roots]
    for baddr, level, first in waiting:
        for index, descriptor in enumerate(tables.get(baddr, ())):
            page = first + index * geometry.pages(level)
            if is_table(descriptor, level):
                waiting.append((descriptor.output, level + 1, page))
            elif is_leaf(descriptor, level):
                found[page] = None
    return tuple(sorted(found))


def walk(geometry: Geometry, tables: Tables, place: Place, page: int) -> Reading | Fault:
    """Walk for `page` from a table down to a leaf; return that, or the fault."""
    while True:
        found = read(geometry, tables, place, page)
        if found is None:
            return Fault(TRANSLATION, place.level)
        descriptor, level, va, asid = found
        if not is_table(descriptor, level):
            return fault_of(descriptor, level) or found
        place = Place(descriptor.output, level + 1, va, asid)


def walk_root(
    geometry: Geometry, tables: Tables, context: Context, page: int
) -> tuple[Descriptor, int] | Fault:
    """Walk from the root that a `context` gives for this `page`, in `tables` of this `geometry`.

    Returns the leaf and its level, or the fault.
    """
    for baddr, first, bits in context.roots():
        if 0 <= page - first < 1 << bits:
            place = Place(baddr, geometry.start_level(bits), first, context.asid)
            found = walk(geometry, tables, place, page)
            return found if isinstance(found, Fault) else (found.descriptor, found.level)
    return Fault(TRANSLATION, 0)
