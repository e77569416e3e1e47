"""Exclusive monitors, WFE and the wake-ups that get lost."""

from __future__ import annotations

from typing import Any

import pytest

from simbbm.arm64.descriptor import leaf
from simbbm.arm64.ops import Cpu
from simbbm.core.program import repeat_until, routine
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
    ROOT,
    SPARE,
    Explored,
    X,
    explore,
    little,
    machine,
    outcomes,
    thread,
)

TABLES = {
    ROOT: (INV, leaf(4), INV, INV),
    PTES: (INV,) * 4,
    SPARE: (INV,) * 4,
    OTHER: (INV,) * 4,
}


@routine
async def increment(cpu: Cpu) -> bool:
    """Do one turn of the exclusive loop."""
    value = await cpu.ldxr(FLAG)
    return not await cpu.stxr(FLAG, value + 1)


async def counter(cpu: Cpu) -> int:
    """Add one, then tell what is there when all have."""
    await repeat_until(increment, cpu)
    return int(await cpu.wait(FLAG, is_two))


def is_two(value: int) -> bool:
    return value == 2


def test_exclusive_increments_lose_nothing() -> None:
    found = explore(machine((counter,), (counter,), tables=TABLES))

    assert {(2, 2)} == found.outcomes
    assert not found.stuck


@routine
async def careless(cpu: Cpu) -> bool:
    """Do one turn without a monitor."""
    await cpu.str(FLAG, await cpu.ldr(FLAG) + 1)
    return True


async def careless_counter(cpu: Cpu) -> int:
    """Likewise with plain accesses."""
    await careless(cpu)
    return int(await cpu.wait(FLAG, is_two))


def test_plain_increments_lose_one() -> None:
    assert explore(machine((careless_counter,), (careless_counter,), tables=TABLES)).stuck


@pytest.mark.parametrize(
    ("before", "between", "results"),
    [
        ((), (), {1}),
        ((("ldxr", FLAG),), (), {0}),
        ((("ldaxr", FLAG),), (), {0}),
        ((("ldr", FLAG),), (), {1}),
        ((("ldxr", FLAG2),), (), {1}),
        ((("ldxr", FLAG2), ("ldxr", FLAG)), (), {0}),
        ((("ldxr", FLAG),), (("stxr", FLAG, 5),), {1}),
        ((("ldxr", FLAG),), (("svc",),), {1}),
        ((("ldxr", FLAG),), (("ldr", X),), {1}),
        ((("ldxr", FLAG),), (("isb",), ("dsb", "ish")), {0}),
    ],
)
def test_store_exclusive_needs_the_monitor(
    before: tuple[Any, ...], between: tuple[Any, ...], results: set[int]
) -> None:
    """Return from an exception clears it, be it an SVC or a fault."""
    seen = {seen[-1] for (seen,) in outcomes((*before, *between, ("stxr", FLAG, 7)))}

    assert results == seen


def test_store_of_another_cpu_takes_the_monitor_away() -> None:
    ends = outcomes((("ldxr", FLAG), ("stxr", FLAG, 7), ("ldr", FLAG)), (("str", FLAG, 5),))

    assert {((0, 0, 7), ()), ((0, 0, 5), ()), ((0, 1, 5), ()), ((5, 0, 7), ())} == ends


def test_monitor_is_for_the_physical_word() -> None:
    """LDXR through x, STXR through y; both are page 8."""
    steps = (("ldxr", X), ("stxr", X + 16, 7))

    assert {((OLD, 0),)} == outcomes(steps, x=leaf(OLD), y=leaf(OLD))
    moved = (("ldxr", X), ("str", PY, leaf(NEW)), ("dsb", "ish"), ("isb",), ("stxr", X + 16, 7))
    assert {((OLD, 1),)} == outcomes(moved, x=leaf(OLD), y=INV)


def test_store_exclusive_release_waits_for_earlier_stores() -> None:
    """MP with STLXR as the writer's flag."""
    ends = outcomes(
        (("str", FLAG2, 1), ("ldxr", FLAG), ("stlxr", FLAG, 1)),
        (("ldr", FLAG), ("ldr", FLAG2)),
    )

    assert ((0, 0), (1, 0)) not in ends
    assert ((0, 0), (1, 1)) in ends


# Waiting. The kernel's loop is: sevl; loop { wfe; ldxr; until it is what we want }.


@routine
async def exclusive_turn(cpu: Cpu) -> bool:
    """Wait for an event, look, and arm the monitor."""
    await cpu.wfe()
    return bool(await cpu.ldxr(FLAG))


@routine
async def plain_turn(cpu: Cpu) -> bool:
    """Wait for an event, look, and arm nothing."""
    await cpu.wfe()
    return bool(await cpu.ldr(FLAG))


async def waiter(cpu: Cpu, turn: Any) -> int:
    """Wait in WFE, with a first event of one's own."""
    await cpu.sevl()
    await repeat_until(turn, cpu)
    return 1


async def waiter_without_sevl(cpu: Cpu, turn: Any) -> int:
    """Wait in WFE for the first event, too."""
    await repeat_until(turn, cpu)
    return 1


def released_by(*steps: tuple[Any, ...], program: Any = waiter, turn: Any) -> Explored:
    return explore(machine((program, turn.function), (thread, *steps), tables=TABLES))


STORE = ("str", FLAG, 1)


def test_armed_monitor_wakes_the_waiter() -> None:
    found = released_by(STORE, turn=exclusive_turn)

    assert {(1, ())} == found.outcomes
    assert not found.stuck


def test_plain_load_in_the_wait_loop_loses_the_wake_up() -> None:
    found = released_by(STORE, turn=plain_turn)

    assert {(1, ())} == found.outcomes
    assert found.stuck


def test_wait_without_sevl_misses_what_came_before() -> None:
    found = released_by(STORE, program=waiter_without_sevl, turn=exclusive_turn)

    assert found.stuck


@pytest.mark.parametrize(
    ("steps", "lost"),
    [
        ((STORE, ("dsb", "ish"), ("sev",)), False),
        ((STORE, ("sev",)), True),
        ((STORE, ("dmb", "ish"), ("sev",)), True),
        ((("sev",), STORE), True),
        ((STORE, ("dsb", "ish"), ("sevl",)), True),
    ],
)
def test_sev_wakes_whom_the_store_has_reached(steps: tuple[Any, ...], lost: bool) -> None:
    """SEV is ordered after a store by DSB alone; SEVL is for oneself."""
    found = released_by(*steps, turn=plain_turn)

    assert lost == bool(found.stuck)


def test_stuck_waiter_says_what_it_waits_for() -> None:
    system = machine((waiter_without_sevl, exclusive_turn.function), tables=TABLES)
    (stuck,) = explore(system).stuck
    waits = "cpu0 waits in waiter_without_sevl/exclusive_turn.wfe: "

    assert (waits + "no event, its exclusive monitor is not armed",) == system.unfinished(stuck)


def test_event_register_holds_one_event() -> None:
    assert explore(little((("sevl",), ("sevl",), ("wfe",), ("wfe",)))).stuck
    assert not explore(little((("sevl",), ("wfe",), ("sevl",), ("wfe",)))).stuck


def test_return_from_an_exception_is_an_event() -> None:
    assert not explore(little((("svc",), ("wfe",)))).stuck


def is_one(value: int) -> bool:
    return value == 1


def test_fault_in_the_wait_loop_goes_through_the_handler() -> None:
    """The word that is polled is unmapped meanwhile: the poll is a load and faults."""
    wait = ("wait", X, is_one)
    gone = (("str", PX, INV), ("dsb", "ish"), ("tlbi", "vae1is", 0, 1), ("dsb", "ish"))
    found = explore(little((wait,), gone, x=leaf(OLD)))

    assert {((None,), ())} == found.outcomes
    assert not found.stuck
    assert {"no_fault_on_live_map"} == explore(
        little((wait,), gone, x=leaf(OLD), handler=None)
    ).problems


def test_wait_looks_again_when_its_page_is_mapped_elsewhere() -> None:
    """Page 9 holds 9: remapped, the wait ends, though nobody stored to the word."""
    moved = (("str", PX, leaf(NEW)), ("dsb", "ish"), ("tlbi", "vae1is", 0, 1), ("dsb", "ish"))
    found = explore(little((("wait", X, is_new),), moved, x=leaf(OLD)))

    assert (((NEW,), ())) in found.outcomes
    assert not found.stuck


def is_new(value: int) -> bool:
    return value == NEW


def test_nobody_waits_for_a_parked_cpu_in_a_tlbi() -> None:
    """The waiter has early results that it will not use before the issuer's DSB is done."""
    shoot = (("str", PX, leaf(NEW)), ("dsb", "ish"), ("tlbi", "vae1is", 0, 1), ("dsb", "ish"))
    steps = (("wait", FLAG, is_one), ("ldr", X))
    found = explore(little((*shoot, ("str", FLAG, 1)), steps, x=leaf(OLD)))

    assert not found.stuck
    assert {((), (1, NEW))} == found.outcomes


async def sets_event_and_forgets(cpu: Cpu) -> int:
    """Whether the event is still there is not known any more."""
    await cpu.sevl()
    await cpu.forget_events()
    await cpu.wfe()
    return 1


async def forgets_and_sets_event(cpu: Cpu) -> int:
    """SEVL makes it known."""
    await cpu.forget_events()
    await cpu.sevl()
    await cpu.wfe()
    return 1


def test_a_forgotten_event_may_be_there_or_not() -> None:
    lost = explore(machine((sets_event_and_forgets,), tables=TABLES))
    known = explore(machine((forgets_and_sets_event,), tables=TABLES))

    assert {(1,)} == lost.outcomes == known.outcomes
    assert lost.stuck
    assert not known.stuck
