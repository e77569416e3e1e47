"""Stage 2: combined entries, and what each TLBI leaves of them. Rules R30 and R31."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simbbm.arm64.descriptor import INVALID_DESCRIPTOR as INV
from simbbm.arm64.descriptor import RO, Attributes, Descriptor, leaf, table
from simbbm.arm64.features import CONCRETE, DELAYED
from simbbm.arm64.geometry import SCALED
from simbbm.arm64.registers import Regime, Tcr, Ttbr, Vttbr
from simbbm.arm64.translation.guest_mmu import GuestMmu
from simbbm.arm64.translation.guests import GuestMmus
from simbbm.arm64.translation.memory import MemoryPool, Tables
from simbbm.arm64.translation.mmu import Mmu
from simbbm.arm64.translation.stage2 import TwoStageView, combined
from simbbm.arm64.translation.tlb import LeafEntry, Tlbi

W = SCALED.page_words
ONE, ONE_PTES, TWO, TWO_PTES, OTHER_TWO = (6 * W + 2 * n for n in range(5))
"""Tables: root and pages of stage 1; the same of stage 2; the root of another VM."""
VTTBR = Vttbr(TWO, vmid=1, bits=2)
REGIME = Regime((Ttbr(ONE, asid=1),), (Ttbr(0),), (Tcr(2, 0, a1=False, epd1=True),), (VTTBR,))
MAPPED: dict[int, tuple[Descriptor, ...]] = {
    ONE: (table(ONE_PTES), leaf(2)),
    ONE_PTES: (leaf(0), leaf(1, not_global=True)),
    TWO: (table(TWO_PTES), leaf(4)),
    TWO_PTES: (leaf(8), leaf(9)),
    OTHER_TWO: (leaf(12), leaf(14)),
}


def interned(tables: Mapping[int, tuple[Descriptor, ...]]) -> Tables:
    return MemoryPool(SCALED.entries).tables(dict(tables))


def view_of(mmus: GuestMmus, mmu: Mmu, tables: Tables) -> TwoStageView:
    view = mmus.view(mmu, tables)
    assert isinstance(view, TwoStageView)
    return view


# What two entries make


def page_by_page(one: LeafEntry, two: LeafEntry) -> dict[int, int]:
    """Where each virtual page comes to by both."""
    ipas = {one.va + i: one.page + i for i in range(one.pages(SCALED))}
    behind = {two.va + i: two.page + i for i in range(two.pages(SCALED))}
    return {va: behind[ipa] for va, ipa in ipas.items() if ipa in behind}


def entries(level: int, count: int, at: int, page: int, **more: Any) -> LeafEntry:
    size = SCALED.pages(level)
    shape = {"contiguous": False, "group": False, "asid": -1} | more
    return LeafEntry(level, at * size, count, page * size, Attributes(), **shape)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_two_entries_make_what_they_lead_to_page_by_page(data: st.DataObject) -> None:
    small = st.integers(0, 3)
    drawn = st.builds(entries, st.integers(2, 3), st.integers(1, 4), small, small)
    one, two = data.draw(drawn), data.draw(drawn)
    made = combined(SCALED, one, two, 1)

    expected = page_by_page(one, two)
    found = {} if made is None else {made.va + i: made.page + i for i in range(made.pages(SCALED))}
    assert found == expected
    assert made is None or made.level == max(one.level, two.level)


def test_groups_are_groups_if_both_stages_say_so() -> None:
    group = entries(3, 2, 0, 0, contiguous=True, group=True)
    own = group._replace(group=False)
    block = entries(2, 1, 0, 0)

    made: dict[str, Any] = {"vmid": 1, "stage1_pages": 2}
    assert combined(SCALED, group, block, 1) == group._replace(**made)
    assert combined(SCALED, block, group, 1) == group._replace(**made)
    assert combined(SCALED, group, group, 1) == group._replace(**made)
    assert combined(SCALED, group, own, 1) is None
    assert combined(SCALED, own, own, 1) == own._replace(vmid=1, stage1_pages=1)
    plain = combined(SCALED, own, entries(3, 2, 0, 0), 1)
    assert plain is not None
    assert not plain.contiguous


def test_both_stages_decide_on_writing_and_on_the_type() -> None:
    mmus = GuestMmus(SCALED, DELAYED)
    tables = interned(MAPPED | {TWO_PTES: (leaf(8, RO), leaf(9, Attributes(memory="device")))})
    first, second = view_of(mmus, mmus.start(REGIME, tables), tables).leaves[:2]

    assert not first.attributes.stage2_write
    assert first.attributes.write
    assert second.attributes.memory == "device"


# The closure, and walkers' steps


def descriptors(level: int, tables: tuple[int, ...]) -> st.SearchStrategy[Descriptor]:
    size = SCALED.pages(level)
    below = [table(t) for t in tables] if level < 3 else []
    pages = [leaf(n * size, a) for n in range(4 // size) for a in (Attributes(), RO)]
    cold = [leaf(0, access_flag=False), leaf(size, contiguous=True), leaf(0, not_global=True)]
    return st.sampled_from([INV, *below, *pages, *cold])


@st.composite
def random_tables(draw: st.DrawFn) -> dict[int, tuple[Descriptor, ...]]:
    def pair(level: int, *below: int) -> tuple[Descriptor, ...]:
        return tuple(draw(descriptors(level, below)) for _ in range(2))

    return {
        ONE: pair(2, ONE_PTES),
        ONE_PTES: pair(3),
        TWO: pair(2, TWO_PTES),
        TWO_PTES: pair(3),
        OTHER_TWO: pair(2, TWO_PTES),
    }


def filled_up(mmus: GuestMmus, mmu: Mmu, tables: Tables) -> Mmu:
    before = None
    while mmu is not before:
        before = mmu
        for page in range(4):
            for entry in mmus.view(mmu, tables).fills(page):
                mmu = mmus.filled(mmu, entry)
    return mmu


@settings(max_examples=80, deadline=None)
@given(random_tables(), random_tables())
def test_steps_of_walkers_lead_to_what_may_be_held(before: Any, after: Any) -> None:
    """With tables as they are, and with what is left of tables as they were.

    (Walkers come to a contiguous group of stage 2 only by a page of it that stage 1 leads to.)
    """
    walkers, closure = GuestMmus(SCALED, CONCRETE), GuestMmus(SCALED, DELAYED)
    pool = MemoryPool(SCALED.entries)
    now, tables = before, pool.tables(before)
    does = filled_up(walkers, walkers.start(REGIME, tables), tables)
    may = closure.start(REGIME, tables)
    groups = any(d.contiguous for entries in before.values() for d in entries)

    for page in range(4):
        few, many = results_of(walkers, does, tables, page), results_of(closure, may, tables, page)
        assert few == many or (groups and few < many)

    for address in after:
        now = now | {address: after[address]}
        last, tables = tables, pool.tables(now)
        may = closure.observed(may, last, tables, address)
    does = filled_up(walkers, does, tables)
    for page in range(4):
        assert results_of(walkers, does, tables, page) <= results_of(closure, may, tables, page)


def results_of(mmus: GuestMmus, mmu: Mmu, tables: Tables, page: int) -> set[Any]:
    return {result[:2] for result in mmus.view(mmu, tables).lookup(page)}


# TLBIs


def held_of(mmus: GuestMmus, mmu: Mmu, tables: Tables) -> tuple[bool, bool, bool]:
    """Whether anything of page 0 is held: of stage 1, combined, of stage 2."""
    assert isinstance(mmu, GuestMmu)
    if mmu.stage2 is None:
        own = next((p for p in mmu.parked if p.vmid == 1), None)
        parts = (own.leaves, own.combined, own.stage2_leaves) if own else ((), (), ())
        return _covers(parts[0]), _covers(parts[1]), _covers(parts[2])
    view = view_of(mmus, mmu, tables)
    return _covers(view.stage1.leaves), _covers(view.leaves), _covers(view.stage2.leaves)


def _covers(leaves: tuple[LeafEntry, ...]) -> bool:
    return any(entry.covers(0, SCALED) for entry in leaves)


SCOPES = {
    # operation: what it leaves of stage 1, of both, of stage 2
    Tlbi("vmalle1", True): (False, False, True),
    Tlbi("vae1", True, 0, 1): (False, False, True),
    Tlbi("vaae1", True, 0): (False, False, True),
    Tlbi("vaae1", True, 1): (True, True, True),
    Tlbi("ipas2e1", True, 0): (True, True, False),
    Tlbi("ipas2le1", True, 0): (True, True, False),
    Tlbi("ipas2e1", True, 1): (True, True, True),
    Tlbi("vmalls12e1", True): (False, False, False),
    Tlbi("alle1", True): (False, False, False),
}


@pytest.mark.parametrize("parked", [False, True], ids=["running", "parked"])
@pytest.mark.parametrize("vmid", [1, 2])
@pytest.mark.parametrize("tlbi", SCOPES, ids=str)
def test_what_each_tlbi_leaves(tlbi: Tlbi, vmid: int, parked: bool) -> None:
    """All tables are gone, so that nothing comes back."""
    mmus, pool = GuestMmus(SCALED, DELAYED), MemoryPool(SCALED.entries)
    tables = pool.tables(MAPPED)
    mmu = mmus.start(REGIME, tables)
    for root in (ONE_PTES, TWO_PTES, ONE, TWO):
        entries_after = {a: t.entries for a, t in tables.by_address.items()} | {root: (INV, INV)}
        gone = pool.tables(entries_after)
        mmu, tables = mmus.observed(mmu, tables, gone, root), gone
    if parked:
        mmu = mmus.at_level(mmu, tables, 2)
    assert held_of(mmus, mmu, tables) == (True, True, True)

    after = mmus.invalidated(mmu, tables, tlbi._replace(vmid=vmid))

    untouched = vmid != 1 and tlbi.op != "alle1"
    assert held_of(mmus, after, tables) == ((True,) * 3 if untouched else SCOPES[tlbi])
    # As many of the same are left in pieces elsewhere: another page is as it was.
    if tlbi.page is not None and not parked:
        assert any(e.covers(2, SCALED) for e in view_of(mmus, after, tables).leaves)


def test_entries_by_ipa_come_back_from_combined_ones_no_more() -> None:
    """The order matters: of stage 1 first, and a walk makes the combined entry once more."""
    mmus, pool = GuestMmus(SCALED, DELAYED), MemoryPool(SCALED.entries)
    before, after = pool.tables(MAPPED), pool.tables(MAPPED | {TWO_PTES: (INV, leaf(9))})
    mmu = mmus.observed(mmus.start(REGIME, before), before, after, TWO_PTES)
    by_ipa, stage1 = (Tlbi(op, True, p, vmid=1) for op, p in (("ipas2e1", 0), ("vmalle1", None)))

    def left(*tlbis: Tlbi) -> bool:
        now = mmu
        for tlbi in tlbis:
            now = mmus.invalidated(now, after, tlbi)
        return _covers(mmus.view(now, after).leaves)

    assert not left(by_ipa, stage1)
    assert left(stage1, by_ipa)
    assert left(by_ipa)
    assert left(stage1)


@pytest.mark.parametrize("page", [0, 1])
def test_a_tlbi_by_address_is_for_all_of_a_block_whatever_stage_2_says(page: int) -> None:
    """A guest cannot know in how small pieces its block is mapped; its pages it does know."""
    mmus, pool = GuestMmus(SCALED, DELAYED), MemoryPool(SCALED.entries)
    tlbi = Tlbi("vaae1", True, page, vmid=1)

    def left(root: Descriptor) -> list[bool]:
        before = pool.tables(MAPPED | {ONE: (root, leaf(2))})
        after = pool.tables(MAPPED | {ONE: (INV, leaf(2)), ONE_PTES: (INV, INV)})
        mmu = mmus.observed(mmus.start(REGIME, before), before, after, ONE)
        held = view_of(mmus, mmus.invalidated(mmu, after, tlbi), after).leaves
        return [any(e.covers(p, SCALED) for e in held) for p in range(4)]

    assert left(leaf(0)) == [False, False, True, True]
    assert left(table(ONE_PTES)) == [page != 0, page != 1, True, True]
