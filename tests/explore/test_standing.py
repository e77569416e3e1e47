"""What a look ahead is given: those that move as they are, and of the others only what matters."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from simbbm.arm64.context import Shared
from simbbm.arm64.cpu import Pending
from simbbm.arm64.descriptor import leaf
from simbbm.arm64.features import Features
from simbbm.arm64.machine import Arm64
from simbbm.arm64.registers import Ttbr
from simbbm.arm64.rows import Rows
from simbbm.arm64.state import Machine
from simbbm.core.system import Problem
from simbbm.explore.search.reductions.invalidations import is_quiet
from simbbm.explore.search.reductions.standing import SOME_TLBI, Future, Standing
from simbbm.explore.search.reductions.symmetry import Symmetry
from tests.support import FLAG, NEW, OLD, PX, REGIME, ROOT, little, representative

NOP, FLUSH = ("nop",), ("tlbi", "vmalle1is")
COMMON: dict[str, Any] = {
    "regime": REGIME._replace(ttbr0=(Ttbr(ROOT, asid=1, cnp=True),)),
    "features": Features(tlb=1),
}


def standing(system: Arm64, *, symmetry: bool = False) -> Standing:
    rows = Rows(system)
    return Standing(rows, Symmetry(rows, wanted=symmetry))


class Seen(NamedTuple):
    """A future as a machine, and who moves in it."""

    state: Machine
    active: int


def seen(there: Standing, future: Future) -> Seen:
    return Seen(there.rows.machine(future[0]), future[1])


def future_of(there: Standing, state: Machine, active: int) -> Future:
    return there.future(there.rows.state(state), active)


def after_each(there: Standing, future: Future, cpu: int) -> list[Future]:
    """The successors by each move of a CPU whose TLBIs are complete."""
    steps = there.rows.row(future[0], cpu, 0).steps
    return [there.after(future, step) for step in steps]


def moved(system: Arm64, *cpus: int) -> Machine:
    """The state after the first move of each of these CPUs."""
    state = system.initial()
    for cpu in cpus:
        state = system.apply(state, next(m for m in system.moves(state) if m.cpu == cpu))
    return state


def test_who_moves_stays_as_it_is_and_of_others_nothing_is_left() -> None:
    system = little((("ldr", FLAG), NOP), (("str", PX, leaf(NEW)), NOP), x=leaf(OLD), uniform=True)
    state = moved(system, 0, 1, 1)
    there = standing(system)
    found = seen(there, future_of(there, state, 0b01))

    assert (state.memory, 0b01) == (found.state.memory, found.active)
    assert state.cpus[0] is found.state.cpus[0]
    statue = found.state.cpus[1]
    assert is_quiet(statue)
    assert statue.finished
    moves = system.moves_of(statue, found.state.memory, 1, owed=False)
    assert ((), 1, ()) == (statue.pending_tlbis, statue.el, moves)


def test_what_others_have_done_is_all_the_same() -> None:
    """In common it is not: what they hold may be used."""
    steps = (("str", PX, leaf(NEW)), NOP)
    for more, same in (({}, True), (COMMON, False)):
        system = little((NOP,), steps, x=leaf(OLD), uniform=True, **more)
        there = standing(system)
        late = moved(system, 1, 1, 1)
        early = late._replace(cpus=(late.cpus[0], system.initial().cpus[1]))
        assert (future_of(there, early, 0b01) == future_of(there, late, 0b01)) == same


def test_whom_they_owe_a_tlbi_is_known_and_no_more() -> None:
    """Of those that move: what one that stands still waits for is nothing to the others."""
    system = little((FLUSH, NOP), (FLUSH, NOP), (NOP,), x=leaf(OLD), uniform=True)
    there, state = standing(system), moved(system, 0, 1)

    for active, owed in ((0b001, (0,)), (0b010, (1,)), (0b011, (0, 1)), (0b100, ())):
        found = seen(there, future_of(there, state, active))
        pending_tlbis = tuple(Pending(issuer, SOME_TLBI) for issuer in owed)
        for i, cpu in enumerate(found.state.cpus):
            assert cpu.pending_tlbis == (
                state.cpus[i].pending_tlbis if active >> i & 1 else pending_tlbis
            )


def test_in_common_they_keep_what_they_hold_and_are_to_act_on() -> None:
    system = little((FLUSH,), (NOP,), x=leaf(OLD), uniform=True, **COMMON)
    state = moved(system, 0)
    there = standing(system)
    statue = seen(there, future_of(there, state, 0b01)).state.cpus[1]

    before = state.cpus[1]
    assert (before.mmu, before.pending_tlbis, before.features) == (
        statue.mmu,
        statue.pending_tlbis,
        statue.features,
    )
    assert statue.finished
    assert not before.finished


def test_a_tlbi_is_complete_at_once_on_who_stands_still() -> None:
    system = little((FLUSH, ("dsb", "ish")), (NOP,), x=leaf(OLD), uniform=True)
    there = standing(system)
    start = future_of(there, system.initial(), 0b01)
    [issued] = after_each(there, start, 0)
    after = seen(there, issued)

    assert after.state.cpus[1] is seen(there, start).state.cpus[1]
    assert [pending.issuer for pending in after.state.cpus[0].pending_tlbis] == [0]


def test_in_common_who_stands_still_gets_what_the_others_hold() -> None:
    system = little((("str", PX, leaf(NEW)),), (NOP,), x=leaf(OLD), uniform=True, **COMMON)
    there = standing(system)
    start = future_of(there, moved(system, 0), 0b01)
    [drained] = after_each(there, start, 0)
    mover, statue = seen(there, drained).state.cpus

    assert statue.mmu.leaves
    assert statue.mmu is mover.mmu
    assert statue.finished


@pytest.mark.parametrize("symmetry", [True, False])
def test_of_like_cpus_it_does_not_matter_which_of_them_move(symmetry: bool) -> None:
    system = little((NOP,), (NOP,), (NOP,), uniform=True)
    there = standing(system, symmetry=symmetry)
    assert representative(there.symmetry, system.initial()) == system.initial()
    pairs = [future_of(there, system.initial(), active) for active in (0b011, 0b101, 0b110)]

    assert len(set(pairs)) == (1 if symmetry else 3)
    active = {seen(there, pair).active for pair in pairs}
    assert active == ({0b011} if symmetry else {0b011, 0b101, 0b110})
    assert {0b011} == {seen(there, after).active for after in after_each(there, pairs[0], 0)}


def test_properties_are_judged_on_those_that_move() -> None:
    """This one fails on a statue, which has finished; it is not asked of it."""
    told = []

    def counts_those_that_store(shared: Shared, state: Machine) -> Problem | None:
        """Whoever has a store in its buffer."""
        storing = [i for i, cpu in enumerate(state.cpus) if cpu.buffer.stores or cpu.finished]
        told.append(f"{len(storing)} of {len(state.cpus)}")
        return Problem("no_panic", told[-1]) if storing else None

    stores = (("str", FLAG, 1), NOP)
    system = little(stores, stores, uniform=True, always=(counts_those_that_store,))
    there = standing(system)

    for one, fails in ((moved(system), False), (moved(system, 0), True)):
        future = future_of(there, one, 0b01)
        assert there.fails(future, {0: there.rows.row(future[0], 0, 0)}) == fails
    assert set(told) == {"0 of 1", "1 of 1"}
