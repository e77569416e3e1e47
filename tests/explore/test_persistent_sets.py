"""What is taken for a persistent set is one: the definition, tried out on every state.

In each state in which one CPU's moves are to be enough, everything that the others can do without
it is played through on the machine itself, and each step must commute with each of its moves and
leave them as they are. Numbers are those of the argument in
`explore/search/reductions/persistent_sets.py`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simbbm.arm64.agents import DVM
from simbbm.arm64.descriptor import leaf, table
from simbbm.arm64.features import DELAYED, Features
from simbbm.arm64.footprints import Kind
from simbbm.arm64.machine import Arm64
from simbbm.arm64.ops import Cpu
from simbbm.arm64.registers import Ttbr
from simbbm.arm64.state import Judged, Machine
from simbbm.check.properties import no_size_change_seen, no_tlb_conflict
from simbbm.core.system import Move
from simbbm.explore.search.reductions.persistent_sets import Choice
from simbbm.explore.search.reductions.reduced_system import ReducedSystem
from simbbm.model import Model
from simbbm.scenario import Scenario
from tests.explore.test_reductions import AS_ANOTHER, COMMON, LEAVES, RETURNS, THREADS
from tests.scenarios.everything import GOOD, SHIPPED
from tests.support import (
    FLAG,
    FLAG2,
    INV,
    NEW,
    OLD,
    OTHER,
    PTES,
    PX,
    REGIME,
    ROOT,
    SPARE,
    WORDS,
    X,
    little,
    machine,
    searched_next,
    thread,
)

CHECKS = tuple(p.check for p in (no_size_change_seen, no_tlb_conflict) if p.check)


def _little(*threads: tuple[tuple[object, ...], ...], common: bool = False, **more: Any) -> Arm64:
    shares: dict[str, Any] = {"regime": COMMON, "features": Features(tlb=1)} if common else {}
    return little(*threads, x=leaf(OLD), always=CHECKS, uniform=True, **more | shares)


def assert_all_persistent(system: Arm64, limit: int = 3_000) -> int:
    """Try the definition on every state of a reduced search; say how often one CPU was enough."""
    space = ReducedSystem(system, symmetry=False)
    assert space.ample is not None
    times, waiting = 0, [space.initial()]
    met = set(waiting)
    while waiting:
        state = waiting.pop()
        here = space.rows.machine(state)
        if system.problem(here):
            continue
        choice = space.ample.chosen(state)
        if choice is not None:
            times += 1
            assert_persistent(system, here, choice)
        for after in searched_next(space, state):
            if after not in met and len(met) < limit:
                met.add(after)
                waiting.append(after)
    return times


def assert_persistent(system: Arm64, state: Machine, choice: Choice, limit: int = 2_000) -> None:
    """The moves of one CPU commute with whatever can happen without them, from here on.

    So does a TLBI that acts alone; a drain alone (`drains`) is tried with all moves of its CPU.
    """
    own = [move for move in system.moves(state) if move.cpu == choice.cpu]
    assert own
    if (chosen := [own[k] for k in choice.moves])[0].kind in DVM:
        own = chosen
    labels = {move.label for move in own}
    ends = {move.label: system.problem(system.apply(state, move)) for move in own}
    waiting, met = [state], {state}
    while waiting:
        here = waiting.pop()
        if system.problem(here):
            continue
        for label in labels:
            then = system.problem(system.apply(here, named(system, here, label)))
            assert (then is None) == (ends[label] is None), (label, then)
        for move in system.moves(here):
            if move.label in labels:
                continue
            after = system.apply(here, move)
            for label in labels:
                first = system.apply(here, named(system, here, label))
                other = system.apply(first, named(system, first, move.label))
                if system.problem(after):  # The run ends with this move, in either order.
                    assert system.problem(other), label
                    continue
                assert other == system.apply(after, named(system, after, label)), label
            if after not in met and len(met) < limit:
                met.add(after)
                waiting.append(after)


def named(system: Arm64, state: Machine, label: str) -> Move:
    """The move with a label, which must be possible."""
    found = [move for move in system.moves(state) if move.label == label]
    assert found, f"{label} is not possible any more"
    return found[0]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(THREADS, min_size=2, max_size=3), st.sampled_from(["", "common", "ets2"]))
def test_random_programs(threads: list[tuple[tuple[object, ...], ...]], kind: str) -> None:
    own = [steps[:2] if len(threads) == 3 else steps for steps in threads]
    more: dict[str, Any] = {"features": Features(ets2=True)} if kind == "ets2" else {}
    assert_all_persistent(_little(*own, common=kind == "common", **more))


def small(scenario: Scenario) -> dict[str, Any]:
    """The smallest machine of a scenario, with blocks."""
    params: dict[str, Any] = {}
    for parameter in scenario.parameters:
        if parameter.name == "cpus" and (parameter.min or 0) <= 2:
            params["cpus"] = 2
        if parameter.name == "layout" and "pmd" in parameter.choices:
            params["layout"] = "pmd"
    return params


@pytest.mark.parametrize("layout", ["pmd", "contpmd"])
def test_the_merged_protocol(layout: str) -> None:
    assert assert_all_persistent(Model(GOOD, {"cpus": 2, "layout": layout}).system, limit=200) > 50


@pytest.mark.quality
@pytest.mark.parametrize("scenario", SHIPPED, ids=[s.id for s in SHIPPED])
def test_every_shipped_scenario(scenario: Scenario) -> None:
    system = Model(scenario, small(scenario)).system
    if ReducedSystem(system).ample is not None:
        assert assert_all_persistent(system, limit=120)


FORGET = (("tlbi", "vmalle1"), ("dsb", "nsh"), ("isb",))
BREAK_BEFORE_MAKE = (
    ("str", PX, INV),
    ("dsb", "ish"),
    ("tlbi", "vmalle1is"),
    ("dsb", "ish"),
    ("str", PX, leaf(NEW)),
    ("dsb", "ish"),
)


def test_what_fails_on_a_cpu_that_stands_still_ends_no_look_ahead() -> None:
    """(3) Its TLBI is not delivered there, so that old and new seem to be held together."""
    parked = (("msr", "ttbr0_el1", Ttbr(SPARE, asid=1)), ("isb",), *FORGET, ("ldr", FLAG))
    changes = (*BREAK_BEFORE_MAKE, ("str", FLAG, 1))
    other = (INV, leaf(4), INV, INV)

    assert assert_all_persistent(
        little(changes, parked, x=leaf(OLD), spare=other, always=CHECKS, uniform=True)
    )


def test_a_look_ahead_knows_whether_who_stands_still_owes_a_tlbi() -> None:
    """(4) The issuer waits for it, or not; whom it waits for else is another matter."""
    issues = (("tlbi", "vmalle1is"), ("dsb", "ish"), ("str", FLAG, 1))
    looks = (("ldr", FLAG), ("ldr", FLAG2))

    assert assert_all_persistent(_little(issues, looks, looks))
    assert assert_all_persistent(_little(issues, (("nop",), *looks), (("isb",), *looks)))


def test_a_store_that_links_a_table_depends_on_what_is_in_it() -> None:
    """(1) Linked before or after: what is in the table at that moment may be cached, or may not."""
    links = (("str", ROOT + 2, table(SPARE)),)
    fills = (("str", SPARE, leaf(NEW)),)
    blind = REGIME._replace(ttbr0=(Ttbr(OTHER, asid=1),))
    tables = {
        ROOT: (table(PTES), leaf(4), INV, INV),
        PTES: (INV,) * 4,
        SPARE: (leaf(OLD), INV, INV, INV),
        OTHER: (INV, leaf(4), INV, INV),
    }
    for walk_cache in (True, False):
        system = machine(
            (thread, *links),
            (thread, *fills),
            tables=tables,
            regime=(REGIME, blind),
            hardware=DELAYED._replace(walk_cache=walk_cache),
            uniform=True,
        )
        assert_all_persistent(system)


def test_a_store_that_unlinks_a_table_depends_on_what_is_in_it_without_walk_caches() -> None:
    """(1) What was cached from it is what it said last."""
    tables = {
        ROOT: (table(PTES), leaf(4), table(SPARE), INV),
        PTES: (INV,) * 4,
        SPARE: (leaf(OLD), INV, INV, INV),
        OTHER: (INV, leaf(4), INV, INV),
    }
    blind = REGIME._replace(ttbr0=(Ttbr(OTHER, asid=1),))
    system = machine(
        (thread, ("str", ROOT + 2, INV)),
        (thread, ("str", SPARE, leaf(NEW))),
        tables=tables,
        regime=(REGIME, blind),
        hardware=DELAYED._replace(walk_cache=False),
        uniform=True,
    )
    (drain,) = [
        m
        for m in system.moves(system.apply(system.initial(), system.moves(system.initial())[0]))
        if ".drain" in m.agent
    ]
    assert (Kind.TABLE, SPARE) in drain.footprint.reads
    assert_all_persistent(system)


def is_one(value: int) -> bool:
    return value == 1


def test_who_polls_by_an_early_translation_waits_for_that_word() -> None:
    """(1) The page was changed and flushed; a poll may still look at the old one, and go on."""
    old = OLD * WORDS
    tables = {
        ROOT: (table(PTES), leaf(4), leaf(OLD), INV),
        PTES: (leaf(OLD), INV, INV, INV),
        SPARE: (INV,) * 4,
        OTHER: (INV,) * 4,
    }
    polls = (*BREAK_BEFORE_MAKE, ("str", FLAG, 1), ("wait", X, is_one), ("str", FLAG2, 1))
    writes = (("str", old, 1), ("wait", FLAG2, is_one), ("ldr", FLAG))
    assert assert_all_persistent(
        machine((thread, *writes), (thread, *polls), tables=tables, uniform=True)
    )


def test_who_waits_for_others_to_complete_its_tlbi_may_go_on_before_another_acts() -> None:
    """(1) Its DSB is over once the third CPU has acted; then it may still use what is to go."""
    changes = (("str", PX, INV), ("dsb", "ish"), ("tlbi", "vmalle1is"))
    waits = (("tlbi", "vaae1is", 9), ("dsb", "ish"), ("ldr", X))
    assert assert_all_persistent(_little(changes, waits, (("nop",),)))


@pytest.mark.parametrize("ets2", [True, False])
def test_a_drain_reads_tables_where_it_ends_early_faults(ets2: bool) -> None:
    """(1) R17b: a store to a table may make such faults, so that the order matters."""
    system = little((("str", FLAG, 1),), ets2=ets2)
    state = system.apply(system.initial(), system.moves(system.initial())[0])
    (drain,) = system.moves(state)

    assert ((Kind.TABLE, PTES) in drain.footprint.reads) == ets2


@pytest.mark.parametrize("step", [LEAVES, RETURNS, AS_ANOTHER])
def test_tlbs_in_common(step: tuple[object, ...]) -> None:
    """(4) What a CPU that stands still holds may be used by those that move."""
    one = (("str", PX, leaf(NEW)), step, ("ldr", X))
    two = (("tlbi", "vmalle1is"), ("dsb", "ish"), ("ldr", X))
    assert_all_persistent(_little(one, two, common=True))


async def looks_if_old(cpu: Cpu) -> None:
    """Says that its tables are everybody's; only who gets the old page looks at the flag."""
    await cpu.msr("ttbr0_el1", Ttbr(ROOT, asid=1, cnp=True))
    await cpu.isb()
    if await cpu.ldr(X) == OLD:
        await cpu.ldr(FLAG)


def test_a_look_ahead_knows_what_who_stands_still_holds_in_common() -> None:
    """(4) The old page is in the second CPU's TLB alone, whose own store is on its way."""
    tables = {
        ROOT: (table(PTES), leaf(4), INV, INV),
        PTES: (leaf(OLD), INV, INV, INV),
        OTHER: (INV, leaf(4), INV, INV),
    }
    elsewhere = COMMON._replace(ttbr0=(Ttbr(OTHER, asid=1),))
    system = machine(
        (looks_if_old,),
        (thread, ("str", PX, leaf(NEW)), ("dsb", "ish"), ("str", FLAG, 1)),
        tables=tables,
        regime=(elsewhere, COMMON),
        features=Features(tlb=1),
        uniform=True,
    )
    assert assert_all_persistent(system)


@pytest.mark.parametrize("by_another", [False, True])
def test_a_store_to_a_table_changes_what_others_hold_in_common(by_another: bool) -> None:
    """(1) Who walks it by a root of its own holds what it said, and the third CPU may get that."""
    tables = {
        ROOT: (table(PTES), leaf(4), INV, INV),
        PTES: (leaf(OLD), INV, INV, INV),
        OTHER: (table(SPARE), leaf(4), INV, INV),
        SPARE: (leaf(NEW), INV, INV, INV),
    }
    joins, stores = ("msr", "ttbr0_el1", Ttbr(OTHER, asid=1, cnp=True)), ("str", PX, INV)
    joined = REGIME._replace(ttbr0=(Ttbr(OTHER, asid=1, cnp=True),))
    programs = [(joins,), (stores,)] if by_another else [(joins, stores)]
    system = machine(
        *[(thread, *steps) for steps in programs],
        (thread, ("ldr", X)),
        tables=tables,
        regime=(*[REGIME] * len(programs), joined),
        features=(Features(tlb=1), *[Features()] * by_another, Features(tlb=1)),
        uniform=True,
    )
    assert assert_all_persistent(system)


def test_words_may_have_any_name() -> None:
    """(1) Cells are told apart by what they are, whatever they are called."""
    one, two = (("str", FLAG, 1),), (("ldr", FLAG),)
    for name in ("cpu1", "dvm0", "event", "every pending_tlbis", f"table {PTES:#x}", "past"):
        system = _little(one, two)
        named_so = replace(system.spec, symbols={FLAG: name})
        assert _found(Arm64(named_so, Judged(uniform=True))) == {None, 0, 1} - {None}


def _found(system: Arm64) -> set[object]:
    space = ReducedSystem(system, symmetry=False)
    waiting, values = [space.initial()], set[object]()
    while waiting:
        state = waiting.pop()
        following = searched_next(space, state)
        waiting += following
        if not following:
            values |= set(space.rows.machine(state).cpus[1].point.value)
    return values
