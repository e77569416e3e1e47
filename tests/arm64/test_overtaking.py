"""Loads of programs that overtake earlier operations, and what they may not overtake."""

from __future__ import annotations

from typing import Any

import pytest

from simbbm.arm64.descriptor import leaf, table
from simbbm.arm64.features import CONCRETE, DELAYED, EAGER, Hardware
from simbbm.arm64.ops import Aborted, Cpu, depending
from simbbm.arm64.registers import Ttbr
from tests.support import (
    FLAG,
    FLAG2,
    INV,
    NEW,
    OLD,
    OTHER,
    PTES,
    PX,
    ROOT,
    SPARE,
    X,
    Y,
    explore,
    little,
    machine,
    outcomes,
    thread,
)

PUBLISH = (("str", FLAG2, 1), ("dmb", "ishst"), ("str", FLAG, 1))
BLOCKS = {ROOT: (INV, leaf(4), INV, INV), OTHER: (INV,) * 4}
"""Tables that map nothing but flags, by a block."""
NOTE = FLAG + 2
STALE = (1, 0)
"""The flag was seen, and the message not."""


def hardware(window: int, of: Hardware = DELAYED) -> Hardware:
    """Hardware with a window."""
    return of._replace(window=window)


def is_one(value: int) -> bool:
    return value == 1


def is_zero(value: int) -> bool:
    return value == 0


async def publish(cpu: Cpu) -> None:
    """Write a message, then a flag."""
    await thread(cpu, *PUBLISH)


async def receive(cpu: Cpu, steps: tuple[Any, ...], *, acquire: bool) -> tuple[int, int]:
    """Wait for the flag, do some steps, read the message."""
    seen = await cpu.wait(FLAG, is_one, acquire=acquire)
    await thread(cpu, *steps)
    return seen, await cpu.ldr(FLAG2)


async def receive_relaxed(cpu: Cpu, *steps: Any) -> tuple[int, int]:
    """Without acquire."""
    return await receive(cpu, steps, acquire=False)


async def receive_acquire(cpu: Cpu, *steps: Any) -> tuple[int, int]:
    """With acquire."""
    return await receive(cpu, steps, acquire=True)


def received(reader: Any, *steps: Any, window: int, of: Hardware = DELAYED) -> set[Any]:
    """What the reader of a message may see."""
    system = machine((publish,), (reader, *steps), tables=BLOCKS, hardware=hardware(window, of))
    return {seen for _, seen in explore(system).outcomes}


@pytest.mark.parametrize("of", [DELAYED, CONCRETE, EAGER])
@pytest.mark.parametrize("window", [1, 2, 8])
def test_message_may_be_missed_by_who_waits_relaxed(window: int, of: Hardware) -> None:
    assert (STALE in received(receive_relaxed, window=window, of=of)) == (window > 1)
    assert {(1, 1)} == received(receive_acquire, window=window, of=of)


@pytest.mark.parametrize(
    ("step", "ordered"),
    [
        (("dmb", "ish"), True),
        (("dmb", "ishld"), True),
        (("dmb", "ishst"), False),
        (("dsb", "ish"), True),
        (("dsb", "ishld"), True),
        (("dsb", "ishst"), False),
        (("isb",), False),
        (("svc",), True),
        (("ldar", X), False),
        (("ldapr", X), False),
        (("ldaxr", X), True),
        (("ldaddal", X, 0), True),
        (("ldr", X), False),
        (("ldxr", X), False),
        (("stlr", X, 1), False),
        (("nop",), False),
    ],
)
def test_what_a_load_does_not_overtake(step: Any, ordered: bool) -> None:
    """R7, R14. What waits for the step itself does not wait for what the step did not wait for."""
    seen = outcomes(
        PUBLISH, (("ldr", FLAG), step, ("ldr", FLAG2)), x=leaf(OLD), hardware=hardware(8)
    )
    flag_and_message = {(loads[0], loads[-1]) for _, loads in seen}

    assert ordered == (STALE not in flag_and_message)
    assert {(0, 0), (0, 1), (1, 1)} <= flag_and_message


@pytest.mark.parametrize("window", [1, 2, 3, 4])
def test_a_load_overtakes_fewer_operations_than_the_window_holds(window: int) -> None:
    far = [
        n for n in range(4) if STALE in received(receive_relaxed, *(("nop",),) * n, window=window)
    ]

    assert list(range(window - 1)) == far


def test_loads_of_one_word_are_coherent() -> None:
    """Also of two addresses of it, and whatever is between."""
    writer = (("str", Y, 1), ("str", Y, 2))
    reads = (("ldr", X), ("ldr", FLAG), ("ldr", Y), ("ldr", X))
    ends = outcomes(writer, reads, x=leaf(NEW), y=leaf(NEW), hardware=hardware(8))
    order = {NEW: 0, 1: 1, 2: 2}

    assert {NEW, 1, 2} == {x for _, (x, *_) in ends}
    for _, (first, _, second, third) in ends:
        assert order[first] <= order[second] <= order[third]


def test_an_old_value_may_be_read_twice_but_not_after_a_newer_one() -> None:
    reads = (("ldr", FLAG), ("ldr", FLAG2), ("ldr", FLAG2))
    seen = {loads for _, loads in outcomes(PUBLISH, reads, hardware=hardware(8))}

    assert {(1, 0, 0), (1, 0, 1), (1, 1, 1)} == {loads for loads in seen if loads[0]}


@pytest.mark.parametrize("store", ["str", "stlr"])
def test_a_load_gets_nothing_older_than_its_cpus_own_store(store: str) -> None:
    ends = outcomes((("str", FLAG, 1),), ((store, FLAG, 2), ("ldr", FLAG)), hardware=hardware(8))

    assert {(2,), (1,)} == {seen for _, seen in ends}


def test_a_load_gets_nothing_older_than_its_cpus_own_exclusive_store() -> None:
    steps = (("ldxr", FLAG), ("stxr", FLAG, 2), ("ldr", FLAG))
    ends = outcomes((("str", FLAG, 1),), steps, hardware=hardware(8))

    assert {(0, 0, 1), (0, 0, 2), (1, 0, 2), (0, 1, 0), (0, 1, 1)} == {seen for _, seen in ends}


def test_a_full_dmb_holds_loads_back_as_long_as_stores_wait() -> None:
    """SB: what is overwritten while a DMB waits for stores is over before the load."""
    dmb = ("dmb", "ish")
    one = (("str", FLAG, 1), dmb, ("ldr", FLAG2))
    other = (("str", FLAG2, 1), dmb, ("ldr", FLAG))

    assert ((0,), (0,)) not in outcomes(one, other, hardware=hardware(8))
    assert ((0,), (0,)) in outcomes(one[::2], other[::2], hardware=hardware(8))


def test_a_load_does_not_precede_its_own_translation() -> None:
    """R6: the page was written before it was mapped."""
    writer = (("str", Y, 7), ("dmb", "ishst"), ("str", PX, leaf(NEW)))
    ends = outcomes(writer, (("ldr", FLAG), ("ldr", X)), x=INV, y=leaf(NEW), hardware=hardware(8))

    assert {None, 7} == {x for _, (_, x) in ends}


def test_a_load_may_precede_another_but_not_the_register_that_translates_it() -> None:
    """R23: an MSR waits for no load to be performed; X is mapped by its table alone."""
    tables = {
        ROOT: (table(PTES), leaf(4), INV, INV),
        PTES: (INV, leaf(NEW), INV, INV),
        OTHER: (table(SPARE), leaf(4), INV, INV),
        SPARE: (leaf(NEW), INV, INV, INV),
    }
    writer = (("str", Y, 7), ("dmb", "ishst"), ("str", FLAG, 1))
    reader = (("ldr", FLAG), ("msr", "ttbr0_el1", Ttbr(OTHER, asid=2)), ("ldr", X))
    system = machine((thread, *writer), (thread, *reader), tables=tables, hardware=hardware(8))
    found = explore(system)

    assert {(1, 7), (1, NEW)} <= {seen for _, seen in found.outcomes}
    for state in found.states:
        flight, newest = state.cpus[1].flight, state.cpus[1].mmu.regime.newest("ttbr0")
        assert flight is not None
        read = any(entry.value is not None for entry in flight.window[2:])
        assert not read or newest == Ttbr(OTHER, asid=2)


def test_exclusives_overtake_nothing() -> None:
    """Else an increment would be lost."""
    one = (("ldxr", FLAG), ("stxr", FLAG, 1))
    other = (("nop",), ("ldxr", FLAG), ("stxr", FLAG, 2))
    ends = outcomes(one, other, hardware=hardware(8))

    assert ((0, 0), (0, 0)) not in ends
    assert {((0, 0), (1, 0)), ((2, 0), (0, 0))} <= ends


async def release_and_wait(cpu: Cpu) -> int:
    """SB's half with a store-release and a wait with acquire."""
    await cpu.stlr(FLAG, 1)
    return int(await cpu.wait(FLAG2, is_zero, acquire=True))


async def wait_for_one(cpu: Cpu) -> None:
    """Wait for what may have come and gone."""
    await cpu.wait(FLAG, is_one)


async def look_and_wait(cpu: Cpu) -> int:
    """See the second of two stores, then wait for what the first has overwritten."""
    seen = await cpu.ldr(FLAG)
    await cpu.wait(FLAG2, is_zero)
    return int(seen)


def test_a_wait_overtakes_unless_it_is_an_acquire() -> None:
    other = (("stlr", FLAG2, 1), ("ldar", FLAG))
    released = machine((release_and_wait,), (thread, *other), tables=BLOCKS, hardware=hardware(8))

    assert {(0, (1,))} == explore(released).outcomes
    for window in (1, 2):
        relaxed = machine((publish,), (look_and_wait,), tables=BLOCKS, hardware=hardware(window))
        assert ((None, 1) in explore(relaxed).outcomes) == (window > 1)


def test_a_wait_may_come_too_late_for_a_value_all_the_same() -> None:
    writer = (("str", FLAG, 1), ("str", FLAG, 2))
    for window in (1, 8):
        programs = (thread, *writer), (wait_for_one,)
        found = explore(machine(*programs, tables=BLOCKS, hardware=hardware(window)))

        assert found.stuck
        assert found.ended


def test_descriptors_are_loaded_in_any_order_as_well() -> None:
    writer = (("str", PX, INV), ("dmb", "ishst"), ("str", FLAG, 1))
    ends = outcomes(writer, (("ldr", FLAG), ("ldr", PX)), x=leaf(OLD), hardware=hardware(8))
    together = {(1, INV), (0, INV), (0, leaf(OLD)), (1, leaf(OLD))}

    assert together == {seen for _, seen in ends}


async def note_message(cpu: Cpu, aborted: Aborted) -> None:
    """An exception handler that reads the message."""
    await cpu.str(NOTE, await cpu.ldr(FLAG2))
    await cpu.eret()


async def note_flag(cpu: Cpu, aborted: Aborted) -> None:
    """An exception handler that reads the flag."""
    await cpu.str(NOTE, await cpu.ldr(FLAG))
    await cpu.eret()


@pytest.mark.parametrize(
    ("handler", "steps"),
    [
        (note_message, (("ldr", FLAG), ("svc",), ("ldr", NOTE))),
        (note_flag, (("svc",), ("ldr", FLAG2), ("ldr", NOTE))),
    ],
)
def test_a_load_overtakes_neither_exception_entry_nor_return(handler: Any, steps: Any) -> None:
    """R14, each for itself."""
    ends = outcomes(PUBLISH, steps, handler=handler, hardware=hardware(8))
    flag_and_message = {seen[:: 1 if handler is note_message else -1] for _, seen in ends}

    assert {(0, 0), (0, 1), (1, 1)} == flag_and_message


def test_what_is_in_flight_is_part_of_the_state() -> None:
    system = little(PUBLISH, (("ldr", FLAG), ("ldr", FLAG2)), hardware=hardware(8))
    states = explore(system).states

    assert len({system.digest(state) for state in states}) == len(states)
    labels = [[move.label for move in system.moves(state)] for state in states]
    assert all(len(set(met)) == len(met) for met in labels)


async def look(cpu: Cpu, *, also: bool) -> tuple[int, int]:
    """Load the flag, look at it or not, load the message."""
    flag = await cpu.ldr(FLAG)
    if also and flag:
        pass
    return flag, await cpu.ldr(FLAG2)


async def look_at_it(cpu: Cpu) -> tuple[int, int]:
    """The program branches on what it has loaded."""
    return await look(cpu, also=True)


async def hand_it_on(cpu: Cpu) -> tuple[int, int]:
    """It does not."""
    return await look(cpu, also=False)


async def store_it(cpu: Cpu) -> None:
    """A data dependency: what is loaded is stored elsewhere."""
    await cpu.str(NOTE, await cpu.ldr(FLAG))


async def depend_on_it(cpu: Cpu) -> tuple[int, int]:
    """An address dependency."""
    flag = await cpu.ldr(FLAG)
    return flag, await cpu.ldr(depending(FLAG2, flag))


async def branch_on_it(cpu: Cpu) -> tuple[int, int]:
    """A control dependency, both ways of which lead to the load."""
    flag = await cpu.ldr(FLAG)
    await cpu.ctrl(flag)
    return flag, await cpu.ldr(FLAG2)


@pytest.mark.parametrize(
    ("reader", "overtakes"),
    [(hand_it_on, True), (look_at_it, False), (depend_on_it, False), (branch_on_it, True)],
)
def test_dependencies(reader: Any, overtakes: bool) -> None:
    """Looking at a value waits for it; passing it on is a dependency; a branch is predicted."""
    assert overtakes == (STALE in received(reader, window=8))


def test_a_value_is_handed_on_before_it_is_known() -> None:
    """What is stored elsewhere is what was loaded, however late that was."""
    system = machine((publish,), (store_it,), tables=BLOCKS, hardware=hardware(8))
    ended = explore(system).ended

    assert {0, 1} == {system.shared.memories.read(state.memory, NOTE) for state in ended}


def test_load_buffering() -> None:
    """R8: a store takes effect before an earlier load has its value, unless it depends on it."""
    independent = [(("ldr", a), ("str", b, 1)) for a, b in ((FLAG, FLAG2), (FLAG2, FLAG))]
    both = ((1,), (1,))

    assert both in outcomes(*independent, hardware=hardware(8))
    assert both not in outcomes(*independent, hardware=hardware(1))
    threads = (pass_on, FLAG, FLAG2), (pass_on, FLAG2, FLAG)
    dependent = machine(*threads, tables=BLOCKS, hardware=hardware(8))
    assert {(0, 0)} == explore(dependent).outcomes


async def pass_on(cpu: Cpu, source: int, target: int) -> Any:
    """Store what was loaded."""
    value = await cpu.ldr(source)
    await cpu.str(target, value)
    return value
