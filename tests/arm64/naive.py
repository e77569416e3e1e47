"""What a TLB may hold and a walk may find, page by page and entry by entry: slow and plain."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import permutations, product
from typing import NamedTuple, TypeVar

from hypothesis import strategies as st

from simbbm.arm64.descriptor import RO, RW, Attributes, Descriptor, leaf, table
from simbbm.arm64.geometry import SCALED, SCALED4, Geometry
from simbbm.arm64.registers import ON_MMU, Regime, Tcr, Ttbr
from simbbm.arm64.translation.tlb import GLOBAL, LeafEntry, TableEntry, Tlbi

Tables = Mapping[int, tuple[Descriptor, ...]]
T = TypeVar("T")

BITS = {SCALED: 3, SCALED4: 4}
"""Page-number bits of the region: three levels of tables of 2, two levels of tables of 4."""
DEVICE = Attributes(memory="device")


class Unit(NamedTuple):
    """One thing in a TLB: a leaf on its own, or a whole contiguous group."""

    level: int
    va: int
    pages: int
    page: int
    attributes: Attributes
    contiguous: bool
    group: bool
    asid: int

    def covers(self, page: int) -> bool:
        return self.va <= page < self.va + self.pages

    def output(self, page: int) -> int:
        return self.page + page - self.va


class Held(NamedTuple):
    """All that a TLB holds."""

    tables: frozenset[TableEntry]
    units: frozenset[Unit]


def units_of(geometry: Geometry, entry: LeafEntry) -> Iterator[Unit]:
    """The single things that an entry with a count stands for."""
    size = geometry.pages(entry.level) * (geometry.group(entry.level) if entry.group else 1)
    for start in range(0, entry.count * geometry.pages(entry.level), size):
        yield Unit(
            entry.level,
            entry.va + start,
            size,
            entry.page + start,
            entry.attributes,
            entry.contiguous,
            entry.group,
            entry.asid,
        )


def expanded(geometry: Geometry, tables: Iterable[TableEntry], leaves: Iterable[LeafEntry]) -> Held:
    """What entries stand for."""
    return Held(frozenset(tables), frozenset(u for e in leaves for u in units_of(geometry, e)))


def leaf_units(g: Geometry, d: Descriptor, level: int, va: int, asid: int) -> Iterator[Unit]:
    """As what a leaf may be cached."""
    tag = asid if d.not_global else GLOBAL
    size = g.pages(level)
    yield Unit(level, va, size, d.output, d.attributes, d.contiguous, False, tag)
    group = g.contiguous[level - 2] * size if d.contiguous and level >= 2 else 0
    if group:
        first = va - va % group
        output = d.output - (va - first)
        yield Unit(level, first, group, output, d.attributes, True, True, tag)


def roots(regime: Regime) -> Iterator[tuple[int, int, int, int]]:
    """ASID, root table, first page and bits of what may be live."""
    for context in regime.contexts():
        for root in context.roots():
            yield (context.asid, *root)


def closed(g: Geometry, memory: Tables, regime: Regime, held: Held) -> Held:
    """Add all that walks from live roots and from held tables may bring in."""
    tables, units = set(held.tables), set(held.units)
    waiting = [(baddr, g.start_level(bits), va, asid) for asid, baddr, va, bits in roots(regime)]
    waiting += [(e.baddr, e.level + 1, e.va, e.asid) for e in tables]
    while waiting:
        baddr, level, va, asid = waiting.pop()
        for index, d in enumerate(memory.get(baddr, ())):
            at = va + index * g.pages(level)
            if d.kind == "table" and level < 3:
                entry = TableEntry(level, at, d.output, asid)
                waiting.append((d.output, level + 1, at, asid))
                tables.add(entry)
            elif d.kind == "leaf" and level > 0 and d.access_flag:
                units |= set(leaf_units(g, d, level, at, asid))
    return Held(frozenset(tables), frozenset(units))


def matches(tlbi: Tlbi, level: int, va: int, pages: int, asid: int, *, is_table: bool) -> bool:
    """Whether a TLBI takes away something that was cached for these pages."""
    match tlbi.op:
        case "vmalle1":
            return True
        case "aside1":
            return asid == tlbi.asid
        case "vale1" | "vaale1" | "rvale1" | "rvaale1" if is_table:
            return False
    assert tlbi.page is not None
    if set(range(va, va + pages)).isdisjoint(range(tlbi.page, tlbi.page + tlbi.pages)):
        return False
    if tlbi.ttl and (level >= tlbi.ttl if is_table else level != tlbi.ttl):
        return False
    if tlbi.op.lstrip("r") in ("vaae1", "vaale1"):
        return True
    return asid == tlbi.asid or (asid == GLOBAL and not is_table)


def invalidated(g: Geometry, tlbi: Tlbi, held: Held) -> Held:
    """What a TLBI leaves."""
    return Held(
        frozenset(
            e
            for e in held.tables
            if not matches(tlbi, e.level, e.va, g.pages(e.level), e.asid, is_table=True)
        ),
        frozenset(
            u
            for u in held.units
            if not matches(tlbi, u.level, u.va, u.pages, u.asid, is_table=False)
        ),
    )


def walk(
    g: Geometry, memory: Tables, baddr: int, level: int, va: int, page: int
) -> tuple[str, int] | tuple[int, Attributes]:
    """Where a walk leads: output page and attributes, or kind and level of a fault."""
    while True:
        if baddr not in memory:
            return "translation", level
        index = (page - va) // g.pages(level)
        d = memory[baddr][index]
        va += index * g.pages(level)
        if d.kind == "table" and level < 3:
            baddr, level = d.output, level + 1
        elif d.kind != "leaf" or level == 0:
            return "translation", level
        elif not d.access_flag:
            return "access-flag", level
        else:
            return d.output + page - va, d.attributes


def results(g: Geometry, memory: Tables, regime: Regime, held: Held, page: int) -> set[object]:
    """Every result that an access to a page may get."""
    found: set[object] = set()
    asids = {context.asid for context in regime.contexts()}
    for context in regime.contexts():
        covering = [r for r in context.roots() if 0 <= page - r[1] < 1 << r[2]]
        if not covering:
            found.add(("translation", 0))
        for baddr, first, bits in covering:
            found.add(walk(g, memory, baddr, g.start_level(bits), first, page))
    for e in held.tables:
        if e.asid in asids and 0 <= page - e.va < g.pages(e.level):
            found.add(walk(g, memory, e.baddr, e.level + 1, e.va, page))
    for u in held.units:
        if u.covers(page) and u.asid in (GLOBAL, *asids):
            found.add((u.output(page), u.attributes))
    return found


def conflicts(
    regime: Regime, held: Held, page: int
) -> tuple[list[tuple[Unit, Unit]], list[tuple[Unit, Unit]]]:
    """Pairs of units for a page that differ in size, and that differ in output, type or nG."""
    size, output = [], []
    for asid in {context.asid for context in regime.contexts()}:
        mine = [u for u in held.units if u.covers(page) and u.asid in (GLOBAL, asid)]
        for a, b in product(mine, mine):
            if (a.level, a.contiguous) != (b.level, b.contiguous):
                size.append((a, b))
            one, other = ((u.output(page), u.attributes.memory, u.asid == GLOBAL) for u in (a, b))
            if one != other:
                output.append((a, b))
    return size, output


# Random tables, registers and entries.

ADDRESSES = (64, 68, 72, 76)


# Everything is drawn from a list: one draw for each thing is what keeps these tests quick.

LEAVES = [
    leaf(8 * n, attributes, contiguous=contiguous, not_global=not_global, access_flag=flag)
    for flag in (True, True, True, False)
    for not_global in (False, True)
    for contiguous in (False, True)
    for attributes in (RW, RW, RO, DEVICE)
    for n in range(4)
]
TABLE_DESCRIPTORS = [table(address) for address in (*ADDRESSES, 80)]
"""Linked in any way, also twice and in circles; one leads nowhere."""
DESCRIPTORS = [Descriptor()] * 64 + TABLE_DESCRIPTORS * 16 + LEAVES


def straight(geometry: Geometry, first: Descriptor, stride: int) -> tuple[Descriptor, ...]:
    """Leaves that continue one another."""
    n = geometry.entries
    return tuple(first._replace(output=first.output + i * stride) for i in range(n))


@cache
def rows(geometry: Geometry) -> st.SearchStrategy[tuple[Descriptor, ...]]:
    """A table: any entries, or leaves that continue one another."""
    runs = [straight(geometry, d, stride) for stride in (1, 2, 4) for d in LEAVES]
    return st.one_of(
        st.tuples(*[st.sampled_from(DESCRIPTORS)] * geometry.entries), st.sampled_from(runs)
    )


@cache
def memories(geometry: Geometry) -> st.SearchStrategy[Tables]:
    """Four tables."""
    return st.tuples(*[rows(geometry)] * len(ADDRESSES)).map(
        lambda drawn: dict(zip(ADDRESSES, drawn, strict=True))
    )


def some(items: list[T]) -> st.SearchStrategy[tuple[T, ...]]:
    """One or two of these."""
    return st.sampled_from([*((a,) for a in items), *permutations(items, 2)])


@cache
def regimes(geometry: Geometry) -> st.SearchStrategy[Regime]:
    """One or two possible values of each register; the MMU is on."""
    bits = BITS[geometry]
    ttbrs = [Ttbr(address, asid) for address in ADDRESSES for asid in (0, 1)]
    tcrs = [
        Tcr(t0, 0, a1=a1, epd0=epd0, epd1=True)
        for epd0 in (False, True)
        for a1 in (False, True)
        for t0 in (bits, bits - geometry.entry_bits)
    ]
    on = st.just((ON_MMU,))
    return st.builds(Regime, some(ttbrs), some(ttbrs), some(tcrs), sctlr=on)


@cache
def table_entries(geometry: Geometry) -> st.SearchStrategy[TableEntry]:
    """A cached table of any level of the region."""
    end = 1 << BITS[geometry]
    return st.sampled_from(
        [
            TableEntry(level, va, baddr, asid)
            for level in range(geometry.start_level(BITS[geometry]), 3)
            for va in range(0, end, geometry.pages(level))
            for baddr in ADDRESSES
            for asid in range(3)
        ]
    )


@cache
def leaf_runs(geometry: Geometry) -> st.SearchStrategy[LeafEntry]:
    """A cached run of leaves of any level."""
    found = []
    for level in range(geometry.start_level(BITS[geometry]), 4):
        size, units = geometry.pages(level), (1 << BITS[geometry]) // geometry.pages(level)
        for contiguous, group in ((False, False), (True, False), (True, True)):
            unit = geometry.group(level) if group else 1
            spans = [
                (first, count)
                for first in range(0, units, unit)
                for count in range(unit, units - first + 1, unit)
            ]
            found += [
                LeafEntry(
                    level, i * size, n, i * size + offset, attributes, contiguous, group, asid
                )
                for i, n in (spans if unit <= units and level + (not group) > 1 else ())
                for offset in (0, 8)
                for attributes in (RW, RO)
                for asid in (GLOBAL, 0, 1, 2)
            ]
    return st.sampled_from(found)


@cache
def tlbis(geometry: Geometry) -> st.SearchStrategy[Tlbi]:
    """Any TLBI."""
    pages, asids = range(1 << BITS[geometry]), range(3)
    return st.sampled_from(
        [
            Tlbi("vmalle1", broadcast=False),
            *(Tlbi("aside1", broadcast=False, asid=asid) for asid in asids),
            *(Tlbi(op, False, p, a) for op in ("vae1", "vale1") for p in pages for a in asids),
            *(Tlbi(op, False, p) for op in ("vaae1", "vaale1") for p in pages),
            *(
                Tlbi(op, False, p, None, n, ttl)
                for op in ("rvaae1", "rvaale1")
                for p in pages
                for n in (2, 4)
                for ttl in range(4)
            ),
        ]
    )
