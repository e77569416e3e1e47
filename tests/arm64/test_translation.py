"""What a CPU may hold and a walk may find, against a naive oracle on random page tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simbbm.arm64.features import DELAYED
from simbbm.arm64.geometry import LEAF_LEVEL, SCALED, SCALED4, Geometry
from simbbm.arm64.registers import Regime
from simbbm.arm64.translation.memory import MemoryPool
from simbbm.arm64.translation.mmu import Mmu, Mmus
from simbbm.arm64.translation.tlb import LeafEntry, TableEntry, Tlbi
from simbbm.arm64.translation.view import Hit, View, build_view
from simbbm.arm64.translation.walks import merged, without
from tests.arm64 import naive
from tests.arm64.naive import BITS, Held, Tables

GEOMETRIES = (SCALED, SCALED4)
T = TypeVar("T")


class Case:
    """Random memory, registers and held entries of one geometry."""

    def __init__(self, geometry: Geometry, data: st.DataObject) -> None:
        self.geometry = geometry
        self.memory: Tables = data.draw(naive.memories(geometry), "memory")
        self.regime: Regime = data.draw(naive.regimes(geometry), "regime")
        few = st.lists(naive.table_entries(geometry), max_size=2)
        self.tables: list[TableEntry] = data.draw(few, "tables")
        some = st.lists(naive.leaf_runs(geometry), max_size=3)
        self.leaves: list[LeafEntry] = data.draw(some, "leaves")
        self.pool = MemoryPool(geometry.entries)
        self.mmus = Mmus(geometry, DELAYED)
        self.interned = self.pool.tables(dict(self.memory))

    @property
    def pages(self) -> range:
        return range((1 << BITS[self.geometry]) + 1)

    def view(self) -> View:
        held = tuple(self.tables), tuple(self.leaves)
        return build_view(self.geometry, DELAYED, self.regime, *held, self.interned)

    def mmu(self, tables: Any = None, leaves: Any = None) -> Mmu:
        """The MMU value that holds these entries; by default the case's own."""
        tables = self.tables if tables is None else tables
        leaves = self.leaves if leaves is None else leaves
        return self.mmus._canonical(self.regime, tables, leaves, (), (), 0, self.interned)

    def held_by(self, mmu: Mmu) -> Held:
        view = self.mmus.view(mmu, self.interned)
        return naive.expanded(self.geometry, view.tables, view.leaves)

    def closed(self, held: Held) -> Held:
        return naive.closed(self.geometry, self.memory, self.regime, held)

    def oracle(self) -> Held:
        return self.closed(naive.expanded(self.geometry, self.tables, self.leaves))


def on_random_tables(examples: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test on random cases of both geometries."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        chosen = settings(max_examples=examples)(given(data=st.data())(test))
        both = pytest.mark.parametrize("geometry", GEOMETRIES, ids=lambda g: g.name)
        return cast("Callable[..., None]", both(chosen))

    return decorate


@on_random_tables(80)
def test_closure_holds_what_walks_from_roots_and_cached_tables_reach(
    geometry: Geometry, data: st.DataObject
) -> None:
    case = Case(geometry, data)
    view = case.view()

    assert case.oracle() == naive.expanded(geometry, view.tables, view.leaves)


@on_random_tables(80)
def test_lookup_gives_every_held_leaf_every_walk_and_the_faults_of_walks(
    geometry: Geometry, data: st.DataObject
) -> None:
    case = Case(geometry, data)
    view, held = case.view(), case.oracle()
    for page in case.pages:
        expected = naive.results(geometry, case.memory, case.regime, held, page)
        actual = view.lookup(page)
        assert expected == {tuple(r[:2]) for r in actual}
        assert len(expected) == len(actual)
        for hit in actual:
            if isinstance(hit, Hit):
                assert hit.entry is not None
                (unit,) = naive.units_of(geometry, hit.entry)
                assert (hit.page, hit.attributes) == (unit.output(page), unit.attributes)
                assert unit in held.units


@on_random_tables(120)
def test_view_is_not_that_of_other_tables(geometry: Geometry, data: st.DataObject) -> None:
    """A view is kept for tables that differ where no walk of it can come, and for no others."""
    case = Case(geometry, data)
    mmu = case.mmus._make(case.regime, tuple(case.tables), tuple(case.leaves), (), (), 0)
    first = case.mmus.view(mmu, case.interned)
    for page in case.pages:
        first.lookup(page)
    address = data.draw(st.sampled_from(naive.ADDRESSES), "changed table")
    case.memory = {**case.memory, address: data.draw(naive.rows(geometry), "its contents")}
    case.interned = case.pool.tables(dict(case.memory))
    kept, anew = case.mmus.view(mmu, case.interned), case.view()
    assert (kept is first) == (
        case.interned is first.memory or address not in first.table_addresses()
    )
    assert (kept.tables, kept.leaves) == (anew.tables, anew.leaves)
    assert [kept.lookup(page) for page in case.pages] == [anew.lookup(p) for p in case.pages]


@on_random_tables(80)
def test_conflicts_are_pairs_that_one_access_may_match(
    geometry: Geometry, data: st.DataObject
) -> None:
    case = Case(geometry, data)
    view, held = case.view(), case.oracle()
    found = [naive.conflicts(case.regime, held, page) for page in case.pages]
    assert [bool(size) for size, _ in found] == [view.size_differs(p) for p in case.pages]
    assert [bool(out) for _, out in found] == [view.conflicting(p) for p in case.pages]
    for which, conflict in enumerate((view.size_conflict(), view.output_conflict())):
        assert any(pairs[which] for pairs in found) == (conflict is not None)
        if conflict:
            pairs = found[conflict.page][which]
            sides = [set(naive.units_of(geometry, e)) for e in (conflict.first, conflict.second)]
            assert any(a in sides[0] and b in sides[1] for a, b in pairs)


@on_random_tables(60)
def test_uncovered_finds_what_a_walk_of_the_live_map_does_not_translate(
    geometry: Geometry, data: st.DataObject
) -> None:
    case = Case(geometry, data)
    last = len(case.pages) - 2
    span = data.draw(st.tuples(st.integers(0, last), st.integers(1, last + 1)), "range")
    root = data.draw(st.sampled_from(naive.ADDRESSES), "root")
    asids = {context.asid for context in case.regime.contexts()}
    starts = [
        (baddr, geometry.start_level(bits), va, 1 << bits)
        for _, baddr, va, bits in naive.roots(case.regime)
        if baddr == root
    ]
    starts += [
        (e.baddr, e.level + 1, e.va, geometry.pages(e.level))
        for e in case.tables
        if e.asid in asids
    ]
    bad = {
        page
        for baddr, level, va, pages in starts
        for page in range(max(va, span[0]), min(va + pages, sum(span)))
        if isinstance(naive.walk(geometry, case.memory, baddr, level, va, page)[0], str)
    }

    gap = case.view().uncovered(root, (span,))

    assert bool(bad) == (gap is not None)
    assert gap is None or gap[0] in bad


# One form for each set of held entries.


@on_random_tables(80)
def test_canonical_form_stands_for_the_same_entries(
    geometry: Geometry, data: st.DataObject
) -> None:
    case = Case(geometry, data)

    assert case.oracle() == case.held_by(case.mmu())


@on_random_tables(250)
def test_canonical_form_is_unique(geometry: Geometry, data: st.DataObject) -> None:
    case = Case(geometry, data)
    view = case.view()
    mmu = case.mmu()

    # Said in full; in any order; with some of what is implied; in pieces.
    assert mmu is case.mmu(view.tables, view.leaves)
    assert mmu is case.mmu(case.tables[::-1], case.leaves[::-1])
    tables = [*case.tables, *data.draw(some_of(view.tables))]
    leaves = [*case.leaves, *data.draw(some_of(view.leaves))]
    assert mmu is case.mmu(tables, leaves)
    pieces = [
        part
        for entry in case.leaves
        for unit in [geometry.group(entry.level) if entry.group else 1]
        for first in range(0, entry.count, unit)
        for part in [entry.part(first, unit, geometry)]
    ]
    assert mmu is case.mmu(case.tables, pieces)


def some_of(items: tuple[T, ...]) -> st.SearchStrategy[list[T]]:
    return st.lists(st.sampled_from(items)) if items else st.just([])


@on_random_tables(100)
def test_without_cuts_out_exactly_the_others(geometry: Geometry, data: st.DataObject) -> None:
    lists = st.lists(naive.leaf_runs(geometry), max_size=5)
    leaves: list[LeafEntry] = data.draw(lists)
    others: list[LeafEntry] = data.draw(lists)
    if leaves and data.draw(st.sampled_from([False, True])):
        # All alike, so that they overlap.
        leaves, others = ([overlapping(e, leaves[0]) for e in of] for of in (leaves, others))
    one = naive.expanded(geometry, (), leaves).units
    other = naive.expanded(geometry, (), others).units

    assert one == naive.expanded(geometry, (), merged(geometry, leaves)).units
    assert one - other == naive.expanded(geometry, (), without(geometry, leaves, others)).units


def overlapping(entry: LeafEntry, like: LeafEntry) -> LeafEntry:
    """Make an entry that is like another in all but its range."""
    return like._replace(
        level=LEAF_LEVEL,
        va=entry.va,
        count=entry.count,
        page=entry.va,
        contiguous=False,
        group=False,
    )


# TLBIs.


@on_random_tables(100)
def test_tlbi_removes_exactly_the_entries_that_it_matches(
    geometry: Geometry, data: st.DataObject
) -> None:
    tlbi: Tlbi = data.draw(naive.tlbis(geometry))
    entry: LeafEntry = data.draw(naive.leaf_runs(geometry))
    cached: TableEntry = data.draw(naive.table_entries(geometry))
    expected = naive.invalidated(geometry, tlbi, naive.expanded(geometry, [cached], [entry]))

    left = tlbi.remainder(entry, geometry)
    tables = () if tlbi.matches_table(cached, geometry) else (cached,)

    assert expected == naive.expanded(geometry, tables, left)
    units = list(naive.units_of(geometry, entry))
    taken = len(units) - len(expected.units)
    assert taken in (0, 1, len(units)) or 1 < taken <= tlbi.pages
    assert (left == (entry,)) == (len(expected.units) == len(units))


@on_random_tables(80)
def test_after_a_tlbi_acted_only_what_it_left_or_walks_may_refill_is_held(
    geometry: Geometry, data: st.DataObject
) -> None:
    case = Case(geometry, data)
    tlbi: Tlbi = data.draw(naive.tlbis(geometry))
    before = case.mmu()
    expected = case.closed(naive.invalidated(geometry, tlbi, case.oracle()))

    after = case.mmus.invalidated(before, case.interned, tlbi)

    assert expected == case.held_by(after)
    early = naive.expanded(geometry, (), after.early_leaves).units
    assert case.oracle().units - expected.units == early


@on_random_tables(250)
def test_store_to_a_table_takes_nothing_away(geometry: Geometry, data: st.DataObject) -> None:
    case = Case(geometry, data)
    address = data.draw(st.sampled_from(naive.ADDRESSES))
    row = data.draw(naive.rows(geometry))
    before, held = case.mmu(), case.oracle()
    old, case.memory = case.interned, {**case.memory, address: row}
    case.interned = case.pool.tables(dict(case.memory))

    after = case.mmus.observed(before, old, case.interned, address)

    assert case.closed(held) == case.held_by(after)


@on_random_tables(60)
def test_change_of_context_takes_nothing_away(geometry: Geometry, data: st.DataObject) -> None:
    case = Case(geometry, data)
    before, held = case.mmu(), case.oracle()

    after = case.mmus.synchronised(before, case.interned)

    case.regime = case.regime.synchronised()
    assert case.regime == after.regime
    assert case.closed(held) == case.held_by(after)


@on_random_tables(80)
def test_entry_includes_what_it_matches_in_the_same_way(
    geometry: Geometry, data: st.DataObject
) -> None:
    one: LeafEntry = data.draw(naive.leaf_runs(geometry))
    first = data.draw(st.integers(0, one.count - 1))
    other = data.draw(
        st.one_of(
            naive.leaf_runs(geometry),
            st.integers(1, one.count - first).map(lambda n: one.part(first, n, geometry)),
        )
    )
    unit = geometry.group(one.level)
    if other.group and (other.count % unit or first % unit):
        other = one
    inside = set(naive.units_of(geometry, other)) <= set(naive.units_of(geometry, one))

    assert inside == one.includes(other, geometry)


def test_levels_and_indices_of_the_real_granules() -> None:
    from simbbm.arm64.geometry import GEOMETRIES as ALL

    assert [0, 1] == [ALL["4k"].start_level(bits) for bits in (36, 27)]
    assert [0, 1, 2] == [ALL["16k"].start_level(bits) for bits in (34, 33, 22)]
    assert [1, 2] == [ALL["64k"].start_level(bits) for bits in (32, 26)]
    assert [1 << 18, 1 << 9, 1] == [ALL["4k"].pages(level) for level in (1, 2, LEAF_LEVEL)]
    assert [16, 16] == [ALL["4k"].group(level) for level in (2, 3)]
    assert [32, 128] == [ALL["16k"].group(level) for level in (2, 3)]
    assert 1 == ALL["4k"].group(1)
