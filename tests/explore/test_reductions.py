"""Symmetry and persistent sets leave out states and transitions, and nothing that matters."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simbbm.arm64.context import Shared
from simbbm.arm64.descriptor import leaf, table
from simbbm.arm64.features import Features
from simbbm.arm64.geometry import KERNEL_PAGE
from simbbm.arm64.machine import Arm64
from simbbm.arm64.ops import Cpu
from simbbm.arm64.registers import Ttbr
from simbbm.arm64.rows import Rows
from simbbm.arm64.state import Machine
from simbbm.arm64.translation.view import Hit
from simbbm.core.program import repeat_until
from simbbm.core.system import Problem
from simbbm.explore.search.reductions.reduced_system import ReducedSystem
from simbbm.explore.search.reductions.symmetry import Symmetry
from simbbm.model import Model
from simbbm.scenario import Scenario
from tests.scenarios.everything import GOOD, TWINS, how_it_ends, one_in
from tests.support import (
    FLAG,
    FLAG2,
    INV,
    NEW,
    OLD,
    OTHER,
    PTES,
    PX,
    PY,
    REGIME,
    ROOT,
    SPARE,
    X,
    Y,
    explore,
    little,
    machine,
    representative,
    searched_next,
    thread,
)

Walked = tuple[int, dict[str, set[Machine]]]


def walk(system: Arm64, *, symmetry: bool, ample: bool, limit: int = 100_000) -> Walked:
    """How many states a reduced walk meets, and the representatives of those in which runs end."""
    space = ReducedSystem(system, symmetry=symmetry, ample=ample)
    alike = Symmetry(space.rows)
    layer, ends = [space.initial()], dict[str, set[Machine]]()
    met = set(layer)
    while layer:
        following = []
        for state in layer:
            here = space.rows.machine(state)
            if (end := how_it_ends(system, here)) is not None:
                ends.setdefault(end, set()).add(representative(alike, here)._replace(failure=None))
                continue
            for after in searched_next(space, state):
                if after not in met:
                    met.add(after)
                    following.append(after)
        layer = following
        assert len(met) <= limit
    return len(met), ends


@pytest.mark.parametrize("scenario", one_in(5, (GOOD, *TWINS)))
def test_every_scenario_ends_in_the_same_ways(scenario: Scenario) -> None:
    check_ends(Model(scenario, {"cpus": 2, "layout": "contpmd"}).system)


@pytest.mark.parametrize("scenario", one_in(8, (GOOD, *TWINS)))
def test_with_three_cpus_too(scenario: Scenario) -> None:
    check_ends(Model(scenario, {"cpus": 3, "layout": "pmd"}).system)


def check_ends(system: Arm64) -> None:
    """Hold each combination of reductions against none."""
    everything, ends = walk(system, symmetry=False, ample=False)
    for symmetry, ample in ((True, False), (False, True), (True, True)):
        states, reduced = walk(system, symmetry=symmetry, ample=ample)
        assert states <= everything
        assert ends.keys() == reduced.keys()
        for end in ("HOLDS", "STUCK:terminates"):
            # A violation ends a run, so that another order of the same moves may not go on.
            violated = any(name.startswith("VIOLATED") for name in ends)
            before, after = ends.get(end, set()), reduced.get(end, set())
            assert after <= before if violated else after == before
    assert states < everything


WORDS = (FLAG, FLAG2, X, Y)
ACCESSES = st.one_of(
    st.tuples(st.just("ldr"), st.sampled_from(WORDS)),
    st.tuples(st.just("str"), st.sampled_from(WORDS), st.integers(1, 2)),
    st.tuples(st.just("ldaddal"), st.just(FLAG), st.just(1)),
    st.tuples(st.just("ldxr"), st.just(FLAG)),
    st.tuples(st.just("stxr"), st.just(FLAG), st.integers(1, 2)),
    st.tuples(st.just("str"), st.just(PX), st.sampled_from([INV, leaf(OLD), leaf(NEW)])),
    st.tuples(st.just("str"), st.just(PY), st.sampled_from([INV, leaf(NEW)])),
)
COMMON = REGIME._replace(ttbr0=(Ttbr(ROOT, asid=1, cnp=True),))
LEAVES = ("msr", "ttbr0_el1", Ttbr(ROOT, asid=1))
RETURNS = ("msr", "ttbr0_el1", Ttbr(ROOT, asid=1, cnp=True))
AS_ANOTHER = ("msr", "ttbr0_el1", Ttbr(ROOT, asid=2, cnp=True))
BARRIERS = st.sampled_from(
    [
        ("dmb", "ish"),
        ("dsb", "ish"),
        ("dsb", "nsh"),
        ("isb",),
        ("sev",),
        ("sevl",),
        ("wfe",),
        ("tlbi", "vmalle1is"),
        ("tlbi", "vmalle1"),
        LEAVES,
        RETURNS,
        AS_ANOTHER,
        ("nop",),
    ]
)
THREADS = st.lists(st.one_of(ACCESSES, BARRIERS), min_size=1, max_size=4).map(tuple)


def _little(*threads: tuple[tuple[object, ...], ...], common: bool = False) -> Arm64:
    shares: dict[str, Any] = {"regime": COMMON, "features": Features(tlb=1)} if common else {}
    return little(*threads, x=leaf(OLD), y=INV, uniform=True, **shares)


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(THREADS, min_size=2, max_size=2), st.booleans(), st.booleans())
def test_random_programs_end_in_the_same_states(
    threads: list[tuple[tuple[object, ...], ...]], twice: bool, common: bool
) -> None:
    """Two programs, the first of them perhaps on two CPUs: every way to end is kept, no more."""
    own = [threads[0], *threads] if twice else threads
    if sum(map(len, own)) > 8:
        own = [steps[:2] for steps in own]
    everything = explore(_little(*own, common=common))
    alike = Symmetry(Rows(_little(*own, common=common)))
    _, reduced = walk(_little(*own, common=common), symmetry=True, ample=True)

    assert (not everything.stuck) == ("STUCK:terminates" not in reduced)
    assert everything.problems == {
        end.partition(":")[2] for end in reduced if end.startswith("VIOLATED")
    }
    if not everything.problems:
        ended = {digest_of(representative(alike, state)) for state in everything.ended}
        assert ended == {digest_of(state) for state in reduced.get("HOLDS", ())}
        stuck = {digest_of(representative(alike, state)) for state in everything.stuck}
        assert stuck == {digest_of(state) for state in reduced.get("STUCK:terminates", ())}


def digest_of(state: Machine) -> object:
    """What identifies a state in whatever machine it was made."""
    memory = state.memory.tables.digest, tuple(state.memory.data.items())
    return memory, tuple(repr(cpu.content()) for cpu in state.cpus)


def test_one_word_that_all_use_is_not_taken_alone() -> None:
    """Two loads and a store of one word: each order of them is another outcome."""
    system = _little((("ldr", FLAG), ("ldr", FLAG)), (("str", FLAG, 1),))
    _, ends = walk(system, symmetry=True, ample=True)

    assert {(0, 0), (0, 1), (1, 1)} == {s.cpus[0].point.value for s in ends["HOLDS"]}


def is_one(value: int) -> bool:
    return value == 1


def outcomes(system: Arm64) -> set[tuple[object, ...]]:
    """What the programs return, in a walk with persistent sets alone."""
    _, ends = walk(system, symmetry=False, ample=True)
    return {tuple(cpu.point.value for cpu in state.cpus) for state in ends["HOLDS"]}


GUARDS = {
    "wait": (("wait", FLAG, is_one),),
    "monitor": (("ldxr", FLAG), ("wfe",)),
    "event": (("wfe",),),
}


@pytest.mark.parametrize("guard", GUARDS)
def test_a_guard_may_open_before_an_own_store_drains(guard: str) -> None:
    """The store alone is no persistent set: others may make its program go on first."""
    one = (("str", X, 1), *GUARDS[guard], ("str", FLAG2, 1))
    wake = (("str", FLAG, 1), ("dsb", "ish"), ("sev",)) if guard == "event" else (("str", FLAG, 1),)
    two = (*wake, ("wait", FLAG2, is_one), ("ldr", X))
    found = outcomes(_little(two, one))

    assert found == explore(_little(two, one)).outcomes
    assert OLD in {observed[-1] for observed, _ in found}  # type: ignore[index]


def test_a_tlbi_may_act_before_an_isb_or_after_it() -> None:
    """Before: the old table is live still, and what it gives is kept by the ISB."""
    one = (("msr", "ttbr0_el1", Ttbr(SPARE, asid=1)), ("isb",), ("ldr", FLAG), ("ldr", X))
    two = (("tlbi", "vmalle1is"), ("dsb", "ish"), ("str", FLAG, 1))

    def system() -> Arm64:
        other = (table(OTHER), leaf(4), INV, INV)
        return little(
            two, one, x=leaf(OLD), spare=other, other=(leaf(NEW), INV, INV, INV), uniform=True
        )

    found = outcomes(system())
    assert found == explore(system()).outcomes
    assert {(1, OLD), (1, NEW)} <= {observed for _, observed in found}


def test_a_tlbi_does_not_wait_for_who_holds_nothing() -> None:
    """What its issuer does after the DSB is to be reckoned with."""
    one = (("ldr", FLAG),)
    two = (("tlbi", "vmalle1is"), ("dsb", "ish"), ("str", FLAG, 1))

    assert {0, 1} == {observed[0] for _, observed in outcomes(_little(two, one))}  # type: ignore[index]


async def look(cpu: Cpu, word: int) -> bool:
    """One turn of a loop."""
    value: int = await cpu.ldr(word)
    return value == 1


async def poll(cpu: Cpu) -> None:
    """Go round until somebody stores what nobody stores."""
    await repeat_until(look, cpu, FLAG2)


def test_who_goes_round_does_not_keep_others_from_their_moves() -> None:
    """Each turn is independent of everything, and taken alone for ever nothing else happens."""
    tables = {ROOT: (table(PTES), leaf(4), INV, INV), PTES: (INV,) * 4, OTHER: (INV,) * 4}
    system = machine((thread, ("panic", "late")), (poll,), tables=tables, uniform=True)
    _, ends = walk(system, symmetry=False, ample=True)

    assert {"VIOLATED:no_panic"} == set(ends)


def _first_without_second(shared: Shared, state: Machine) -> Problem | None:
    """A CPU that maps page 8 and not page 0."""
    for i, cpu in enumerate(state.cpus):
        view = shared.view(cpu, state.memory)
        maps = [isinstance(view.lookup(page)[0], Hit) for page in (0, 8)]
        if cpu.pc is None and maps == [False, True] and not cpu.finished:
            return Problem("no_tlb_conflict", f"cpu{i}", i)
    return None


def test_who_waits_is_looked_at_all_the_same() -> None:
    """Two tables change; a third CPU, which cannot move, may see either change first."""
    tables = {
        ROOT: (table(PTES), leaf(4), table(SPARE), INV),
        PTES: (INV,) * 4,
        SPARE: (INV,) * 4,
        OTHER: (INV, leaf(4), INV, INV),
    }
    blind = REGIME._replace(ttbr0=(Ttbr(OTHER, asid=1),))

    def system() -> Arm64:
        return machine(
            (thread, ("wait", FLAG, is_one)),
            (thread, ("str", PTES, leaf(OLD))),
            (thread, ("str", SPARE, leaf(NEW)), ("dsb", "ish"), ("str", FLAG, 1)),
            tables=tables,
            regime=(REGIME, blind, blind),
            always=(_first_without_second,),
            uniform=True,
        )

    everything = walk(system(), symmetry=False, ample=False)[1]
    reduced = walk(system(), symmetry=False, ample=True)[1]
    assert "VIOLATED:no_tlb_conflict" in everything
    assert everything.keys() == reduced.keys()


def is_two(value: int) -> bool:
    return value == 2


def _takes_over_too_late(shared: Shared, state: Machine) -> Problem | None:
    """The first CPU waits, holds the kernel's page, and nothing for page 0."""
    cpu = state.cpus[0]
    view = shared.view(cpu, state.memory)
    waits = cpu.point.op is not None and cpu.point.op.mnemonic == "wait"
    if waits and view.matching(KERNEL_PAGE) and not view.matching(0):
        return Problem("no_tlb_conflict", "cpu0", 0)
    return None


def test_who_waits_may_take_over_what_another_cpu_holds() -> None:
    """It maps a page by a table that only it walks, and gets an old leaf by a TLB in common.

    The second CPU says that what it holds is common; the third changes the first one's table: who
    comes first matters to the first, who cannot move.
    """
    tables = {
        ROOT: (table(PTES), leaf(4), INV, INV),
        PTES: (leaf(OLD), INV, INV, INV),
        SPARE: (INV,) * 4,
        OTHER: (INV, leaf(4), INV, INV),
    }
    tcr = REGIME.tcr[0]._replace(t1_bits=2, epd1=False)
    first = COMMON._replace(ttbr1=(Ttbr(SPARE),), tcr=(tcr,))
    blind = REGIME._replace(ttbr0=(Ttbr(OTHER, asid=1),))
    forget = (("tlbi", "vmalle1"), ("dsb", "nsh"), ("isb",))

    def system() -> Arm64:
        return machine(
            (thread, ("wait", FLAG, is_one), *forget, ("str", FLAG, 2), ("wait", FLAG2, is_one)),
            (
                thread,
                ("str", PX, INV),
                ("dsb", "ish"),
                ("str", FLAG, 1),
                ("wait", FLAG, is_two),
                RETURNS,
            ),
            (thread, ("wait", FLAG, is_two), ("str", SPARE, leaf(NEW))),
            tables=tables,
            regime=(first, REGIME, blind),
            features=Features(tlb=1),
            always=(_takes_over_too_late,),
            uniform=True,
        )

    everything = walk(system(), symmetry=False, ample=False)[1]
    reduced = walk(system(), symmetry=False, ample=True)[1]
    assert {"VIOLATED:no_tlb_conflict", "STUCK:terminates"} == set(everything)
    assert everything.keys() == reduced.keys()
