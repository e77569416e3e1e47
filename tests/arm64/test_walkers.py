"""Concrete walkers on random tables: what any number of their steps leads to is the closure."""

from __future__ import annotations

from hypothesis import strategies as st

from simbbm.arm64.features import CONCRETE, Hardware
from simbbm.arm64.geometry import Geometry
from simbbm.arm64.translation.mmu import Mmu, Mmus
from simbbm.arm64.translation.tlb import GLOBAL, Tlbi
from tests.arm64 import naive
from tests.arm64.naive import Held
from tests.arm64.test_translation import Case, on_random_tables


def concrete(case: Case, hardware: Hardware = CONCRETE) -> tuple[Mmus, Mmu]:
    """A concrete TLB with the entries of a case, a leaf or a group each."""
    mmus = Mmus(case.geometry, hardware)
    mmu = mmus.start(case.regime, case.interned)
    single = [
        entry.part(first, unit, case.geometry)
        for entry in case.leaves
        for unit in [case.geometry.group(entry.level) if entry.group else 1]
        for first in range(0, entry.count, unit)
    ]
    for table in case.tables:
        mmu = mmus.filled(mmu, table)
    for leaf in single:
        mmu = mmus.filled(mmu, leaf)
    return mmus, mmu


def filled_up(case: Case, mmus: Mmus, mmu: Mmu) -> Mmu:
    """The TLB after every step that a walker can take, until none adds anything."""
    before = None
    while mmu is not before:
        before = mmu
        view = mmus.view(mmu, case.interned)
        for page in case.pages:
            for entry in view.fills(page):
                mmu = mmus.filled(mmu, entry)
    return mmu


def current(case: Case, held: Held) -> Held:
    """What walks may go by: cached tables of another ASID are kept, and not walked from."""
    asids = {GLOBAL, *(context.asid for context in case.regime.contexts())}
    tables = frozenset(entry for entry in held.tables if entry.asid in asids)
    return held._replace(tables=tables)


@on_random_tables(150)
def test_the_closure_is_what_steps_of_walkers_lead_to(
    geometry: Geometry, data: st.DataObject
) -> None:
    case = Case(geometry, data)
    mmus, mmu = concrete(case)
    start = naive.expanded(geometry, mmu.tables, mmu.leaves)

    full = filled_up(case, mmus, mmu)

    held = naive.expanded(geometry, full.tables, full.leaves)
    walked = case.closed(current(case, start))
    assert held == Held(walked.tables | start.tables, walked.units | start.units)
    closure = case.held_by(case.mmu())
    assert held.tables <= closure.tables
    assert held.units <= closure.units


@on_random_tables(60)
def test_every_result_of_a_full_concrete_tlb_is_one_of_the_closure(
    geometry: Geometry, data: st.DataObject
) -> None:
    case = Case(geometry, data)
    mmus, mmu = concrete(case)
    views = mmus.view(mmu, case.interned), mmus.view(filled_up(case, mmus, mmu), case.interned)

    for page in case.pages:
        few, many = ({result[:2] for result in view.lookup(page)} for view in views)
        assert few <= many <= {result[:2] for result in case.view().lookup(page)}


@on_random_tables(60)
def test_without_a_walk_cache_walkers_bring_in_leaves_alone(
    geometry: Geometry, data: st.DataObject
) -> None:
    case = Case(geometry, data)
    mmus, mmu = concrete(case, CONCRETE._replace(walk_cache=False))

    assert filled_up(case, mmus, mmu).tables == mmu.tables


@on_random_tables(100)
def test_a_tlbi_takes_the_same_from_a_concrete_tlb(geometry: Geometry, data: st.DataObject) -> None:
    case = Case(geometry, data)
    tlbi: Tlbi = data.draw(naive.tlbis(geometry))
    mmus, mmu = concrete(case)
    held = naive.expanded(geometry, mmu.tables, mmu.leaves)

    after = mmus.invalidated(mmu, case.interned, tlbi)

    left = naive.expanded(geometry, after.tables, after.leaves)
    assert naive.invalidated(geometry, tlbi, held) == left
    closure = case.held_by(case.mmus.invalidated(case.mmu(), case.interned, tlbi))
    assert left.tables <= closure.tables
    assert left.units <= closure.units
