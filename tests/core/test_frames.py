"""Frames are run through once, and do what they did whenever they are run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from simbbm.core.errors import ScenarioError
from simbbm.core.points import ControlPoint
from simbbm.core.program import Op, Step, routine
from simbbm.core.programs.automaton import Automaton
from simbbm.core.programs.everyone import each_other
from simbbm.core.programs.frames import known as known_module
from simbbm.core.programs.frames.closing import runs_code
from simbbm.core.programs.frames.frame import Running
from simbbm.core.programs.frames.known import KnownTurns
from simbbm.core.programs.symbols import Batch, N, RefusedError, Seen, noted, refusals
from tests.core.mistakes import CPU, Handle

SENT: list[Any] = []
"""What frames were sent, in order."""


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Running._sent

    def noting(running: Running, value: Any) -> Any:
        SENT.append(value)
        return real(running, value)

    SENT.clear()
    monkeypatch.setattr(Running, "_sent", noting)


async def adds(cpu: Handle, turns: int) -> int:
    total: int = 0
    for _ in range(turns):
        total += await cpu.op(total)
    return total


async def adds_and_cleans_up(cpu: Handle, turns: int) -> int:
    total: int = 0
    try:
        total += await cpu.op(total)
    finally:
        total += 1
    for _ in range(turns - 1):
        total += await cpu.op(total)
    return total


def walked(point: ControlPoint, values: list[int]) -> ControlPoint:
    for value in values:
        point = point.after(value)
    return point


@pytest.mark.parametrize("program", [adds, adds_and_cleans_up])
def test_a_frame_of_many_steps_is_run_through_three_times(program: Any) -> None:
    automaton = Automaton()
    point = walked(automaton.start(program, CPU, 100), [1] * 100)
    automaton.recheck()

    assert point.value in (100, 101)
    again = 2 * 1 if program is adds_and_cleans_up else 0  # Closed where closing runs code.
    assert 3 * 101 + again == len(SENT)


def test_where_it_branches_off_it_is_run_from_its_beginning() -> None:
    automaton = Automaton()
    start = automaton.start(adds, CPU, 9)
    one = walked(start, [1] * 5)
    two = start.after(1).after(1).after(2)
    there, back = two.after(1), one.after(3)

    assert [5, 4, 5, 8] == [p.op.args[0] for p in (one, two, there, back) if p.op]
    assert 2 * (1 + 5 + 4 + 1 + 1) == len(SENT)
    automaton.recheck()
    assert 2 * (1 + 5 + 4 + 1 + 1) + 7 + 5 == len(SENT)


def test_what_waits_is_bounded_and_changes_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def ops(program: Any) -> list[Any]:
        automaton = Automaton()
        points = [automaton.start(program, CPU, n) for n in range(6)]
        for value in (1, 2, 1, 3):
            points = [point if point.finished else point.after(value) for point in points]
            assert len(automaton._known._waiting) <= known_module.MAX_WAITING
        automaton.recheck()
        return [(point.op, point.value, point.digest) for point in points]

    expected = ops(adds)
    monkeypatch.setattr(known_module, "MAX_WAITING", 2)
    assert expected == ops(adds)


def test_another_automaton_runs_nothing_again() -> None:
    known = KnownTurns()
    first = walked(Automaton(known=known).start(adds, CPU, 3), [1, 2, 3])
    SENT.clear()
    second = walked(Automaton(known=known).start(adds, CPU, 3), [1, 2, 3])

    assert (first.value, first.digest) == (second.value, second.digest)
    assert first is not second
    assert [] == SENT


LIMIT = 3


async def looks_at_a_limit(cpu: Handle) -> None:
    await cpu.op(LIMIT)


def test_what_is_known_does_not_outlive_what_it_rests_on(monkeypatch: pytest.MonkeyPatch) -> None:
    known = KnownTurns()
    assert Op("op", (3,)) == Automaton(known=known).start(looks_at_a_limit, CPU).op
    monkeypatch.setitem(globals(), "LIMIT", 4)

    assert known.bindings.changed()
    with pytest.raises(ScenarioError, match="LIMIT, which has changed since"):
        Automaton(known=known).recheck()


@routine
async def insists(cpu: Handle) -> None:
    assert await cpu.op(1)


async def panics(cpu: Handle) -> None:
    await insists(cpu)


def test_a_program_that_panicked_panics_for_ever() -> None:
    automaton = Automaton()
    first = automaton.start(panics, CPU).after(0)
    second = first.after(0)
    automaton.recheck()

    assert first.op == second.op
    assert "panics.panic" == first.label == second.label


# Where closing a coroutine runs code.


async def inner(cpu: Handle) -> None:
    await cpu.op(1)


async def sheltered(cpu: Handle) -> None:
    await inner(cpu)
    with contextlib.suppress(KeyError):
        await inner(cpu)
    await inner(cpu)
    try:
        await cpu.op(1)
    finally:
        await cpu.op(1)
    for _ in range(2):
        try:
            await cpu.op(2)
        except KeyError:
            continue
        await cpu.op(2)


def test_where_closing_runs_code() -> None:
    coroutine, found = sheltered(CPU), []
    with contextlib.suppress(StopIteration):
        for _ in range(20):
            coroutine.send(None)
            found.append(runs_code(coroutine))

    assert [False, True, False, True, False, True, False, True, False] == found


# Symbols.


async def stores_in_turn(_: Handle, counter: Any, *, late: int = 0) -> None:
    for turn in each_other(N):
        for _more in range(1 + late):
            await Step[None](Op("str", (8, counter + turn)))


async def stores_twice(cpu: Handle, counter: Any) -> None:
    await stores_in_turn(cpu, counter, late=1)


SEEN = Seen("ticket", "here", ())


def started(program: Callable[..., Any]) -> Running:
    running = Running(program, (CPU, SEEN), root=True, watched=False)
    turn = running.turn()
    assert isinstance(turn.request, Step)
    assert type(turn.request.op.args[1]) is Batch
    return running


def test_loops_over_each_other_are_held_to_one_store_each_by_itself() -> None:
    """Frames are run in turns: what one was answered says nothing of another's loop."""
    one, two = started(stores_in_turn), started(stores_in_turn)

    assert one.turn().request is None
    assert two.turn().request is None


def test_of_frames_in_turns_the_one_that_does_more_is_refused() -> None:
    one, two = started(stores_twice), started(stores_in_turn)
    two.turn()

    with pytest.raises(RefusedError, match="left early"):
        one.turn()
    refusals.clear()


async def catches_a_refusal(cpu: Handle, counter: Any) -> None:
    try:
        await cpu.op(int(counter))
    except BaseException:  # noqa: BLE001 - what an author may write
        await cpu.op(1)


def test_what_a_program_notes_is_noted_whenever_it_is_asked() -> None:
    known = KnownTurns()
    for times in (1, 2):
        before = noted()
        turn = known.turn(known.start(catches_a_refusal, (CPU, SEEN), root=True))
        assert turn.request
        assert noted() > before, times
    refusals.clear()
