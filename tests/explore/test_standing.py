"""What a look ahead is given: those that move as they are, and of the others only what matters."""

from __future__ import annotations

from typing import Any

import pytest

from simbbm.arm64.context import Shared
from simbbm.arm64.cpu import Pending
from simbbm.arm64.descriptor import leaf
from simbbm.arm64.features import Features
from simbbm.arm64.machine import Arm64
from simbbm.arm64.registers import Ttbr
from simbbm.arm64.state import Machine
from simbbm.arm64.symmetry import Symmetry
from simbbm.core.system import Problem
from simbbm.explore.search.persistent_sets import is_quiet
from simbbm.explore.search.standing import SOME_TLBI, Standing
from tests.support import FLAG, NEW, OLD, PX, REGIME, ROOT, little

NOP, FLUSH = ("nop",), ("tlbi", "vmalle1is")
COMMON: dict[str, Any] = {
    "regime": REGIME._replace(ttbr0=(Ttbr(ROOT, asid=1, cnp=True),)),
    "features": Features(tlb=1),
}


def standing(system: Arm64, *, symmetry: bool = False) -> Standing:
    system.keeps_values = True
    return Standing(system, Symmetry(system, wanted=symmetry))


def moved(system: Arm64, *cpus: int) -> Machine:
    """The state after the first move of each of these CPUs."""
    state = system.initial()
    for cpu in cpus:
        state = system.apply(state, next(m for m in system.moves(state) if m.cpu == cpu))
    return state


def test_who_moves_stays_as_it_is_and_of_others_nothing_is_left() -> None:
    system = little((("ldr", FLAG), NOP), (("str", PX, leaf(NEW)), NOP), x=leaf(OLD), uniform=True)
    state = moved(system, 0, 1, 1)
    found = standing(system).future(state, 0b01)

    assert (state.memory, 0b01) == (found.state.memory, found.active)
    assert state.cpus[0] is found.state.cpus[0]
    statue = found.state.cpus[1]
    assert is_quiet(statue)
    assert statue.finished
    assert ((), 1, ()) == (statue.pending_tlbis, statue.el, system.moves_of(found.state, 1, 0))


def test_what_others_have_done_is_all_the_same() -> None:
    """In common it is not: what they hold may be used."""
    steps = (("str", PX, leaf(NEW)), NOP)
    for more, same in (({}, True), (COMMON, False)):
        system = little((NOP,), steps, x=leaf(OLD), uniform=True, **more)
        there = standing(system)
        late = moved(system, 1, 1, 1)
        early = late._replace(cpus=(late.cpus[0], system.initial().cpus[1]))
        assert (there.future(early, 0b01) == there.future(late, 0b01)) == same


def test_whom_they_owe_a_tlbi_is_known_and_no_more() -> None:
    """Of those that move: what one that stands still waits for is nothing to the others."""
    system = little((FLUSH, NOP), (FLUSH, NOP), (NOP,), x=leaf(OLD), uniform=True)
    there, state = standing(system), moved(system, 0, 1)

    for active, owed in ((0b001, (0,)), (0b010, (1,)), (0b011, (0, 1)), (0b100, ())):
        found = there.future(state, active)
        pending_tlbis = tuple(Pending(issuer, SOME_TLBI) for issuer in owed)
        for i, cpu in enumerate(found.state.cpus):
            assert cpu.pending_tlbis == (
                state.cpus[i].pending_tlbis if active >> i & 1 else pending_tlbis
            )


def test_in_common_they_keep_what_they_hold_and_are_to_act_on() -> None:
    system = little((FLUSH,), (NOP,), x=leaf(OLD), uniform=True, **COMMON)
    state = moved(system, 0)
    statue = standing(system).future(state, 0b01).state.cpus[1]

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
    start = there.future(system.initial(), 0b01)
    [issue] = system.moves_of(start.state, 0, 0)
    after = there.after(start, issue)

    assert after.state.cpus[1] is start.state.cpus[1]
    assert [pending.issuer for pending in after.state.cpus[0].pending_tlbis] == [0]


def test_in_common_who_stands_still_gets_what_the_others_hold() -> None:
    system = little((("str", PX, leaf(NEW)),), (NOP,), x=leaf(OLD), uniform=True, **COMMON)
    there = standing(system)
    start = there.future(moved(system, 0), 0b01)
    [drain] = system.moves_of(start.state, 0, 0)
    statue = there.after(start, drain).state.cpus[1]

    assert statue.mmu.leaves
    assert statue.mmu is there.after(start, drain).state.cpus[0].mmu
    assert statue.finished


@pytest.mark.parametrize("symmetry", [True, False])
def test_of_like_cpus_it_does_not_matter_which_of_them_move(symmetry: bool) -> None:
    system = little((NOP,), (NOP,), (NOP,), uniform=True)
    there = standing(system, symmetry=symmetry)
    assert there.symmetry.canonical(system.initial()) == system.initial()
    pairs = [there.future(system.initial(), active) for active in (0b011, 0b101, 0b110)]

    assert len(set(pairs)) == (1 if symmetry else 3)
    assert {pair.active for pair in pairs} == ({0b011} if symmetry else {0b011, 0b101, 0b110})
    moves = [there.after(pairs[0], move) for move in system.moves_of(pairs[0].state, 0, 0)]
    assert {0b011} == {after.active for after in moves}


def counts_those_that_store(shared: Shared, state: Machine) -> Problem | None:
    """Whoever has a store in its buffer."""
    storing = [i for i, cpu in enumerate(state.cpus) if cpu.buffer.stores or cpu.finished]
    return Problem("no_panic", f"{len(storing)} of {len(state.cpus)}") if storing else None


def test_properties_are_judged_on_those_that_move() -> None:
    """This one fails on a statue, which has finished; it is not asked of it."""
    stores = (("str", FLAG, 1), NOP)
    system = little(stores, stores, uniform=True, always=(counts_those_that_store,))
    there = standing(system)

    assert there.problem(there.future(moved(system), 0b01)) is None
    found = there.problem(there.future(moved(system, 0), 0b01))
    assert found is not None
    assert found.message == "1 of 1"
