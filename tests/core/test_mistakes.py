"""An author's mistake is refused, and the error names file and line."""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Awaitable, Callable, Generator
from typing import Any

import pytest

from simbbm.core.errors import ScenarioError, UsageError, Where
from simbbm.core.program import Op, repeat_until, routine
from simbbm.core.programs import automaton as automaton_module
from simbbm.core.programs.automaton import Automaton
from simbbm.core.programs.frames import frame
from tests.core.mistakes import CPU, Handle, line_of, refusal


async def forgets_to_await(cpu: Handle) -> None:
    await cpu.op(1)
    cpu.op(2)  # type: ignore[unused-awaitable]
    await cpu.op(3)


def test_step_that_is_not_awaited_is_refused() -> None:
    message = refusal(forgets_to_await)

    assert line_of(forgets_to_await, 2) in message
    assert "not awaited" in message


@routine
async def helper(cpu: Handle) -> int:
    return int(await cpu.op(1))


async def forgets_to_await_at_the_end(cpu: Handle) -> None:
    await cpu.op(1)
    helper(cpu)  # type: ignore[unused-awaitable]


def test_routine_that_is_not_awaited_is_refused() -> None:
    message = refusal(forgets_to_await_at_the_end)

    assert line_of(forgets_to_await_at_the_end, 2) in message
    assert "helper was created but not awaited" in message


class Other:
    """Something that can be awaited elsewhere."""

    def __await__(self) -> Generator[int, None, None]:
        yield 1


async def sleeps(cpu: Handle) -> None:
    await cpu.op(1)
    await Other()


def test_awaiting_what_is_not_a_step_is_refused() -> None:
    assert "not a step" in refusal(sleeps)


async def awaits_a_number(cpu: Handle) -> None:
    await cpu.op(1)
    await 5  # type: ignore[misc]


def test_awaiting_what_cannot_be_awaited_is_refused() -> None:
    assert line_of(awaits_a_number, 2) in refusal(awaits_a_number)


async def endless(cpu: Handle) -> None:
    await cpu.op(1)
    while True:
        pass


async def endless_and_catches(cpu: Handle) -> None:
    await cpu.op(1)
    try:
        while True:
            pass
    except Exception:  # noqa: BLE001 - what an author may write
        await cpu.op(2)


@pytest.mark.parametrize("program", [endless, endless_and_catches])
def test_endless_loop_without_await_is_ended(program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame, "MAX_LINES_PER_STEP", 500)

    assert "an endless loop that awaits nothing" in refusal(program)


async def endless_with_await(cpu: Handle) -> None:
    while True:
        await cpu.op(1)


def test_endless_loop_with_await_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automaton_module, "MAX_HISTORY", 50)

    assert "write an endless wait as repeat_until" in refusal(endless_with_await, steps=100)


async def idle_turn(cpu: Handle) -> bool:
    return False


async def idles(cpu: Handle) -> None:
    await repeat_until(idle_turn, cpu)


@routine
async def calls_itself(cpu: Handle) -> None:
    await calls_itself(cpu)


def test_loop_whose_body_awaits_no_step_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automaton_module, "MAX_CALLS_PER_STEP", 100)

    with pytest.raises(ScenarioError, match="100 calls without a step"):
        Automaton().start(idles, CPU)


def test_endless_recursion_is_ended() -> None:
    message = refusal(calls_itself)

    assert line_of(calls_itself, 2) in message
    assert "calls nested" in message


async def awaits_in_finally(cpu: Handle) -> None:
    try:
        await cpu.op(1)
    finally:
        await cpu.op(2)


def test_awaiting_while_closed_is_refused() -> None:
    message = refusal(awaits_in_finally)

    assert line_of(awaits_in_finally, 4) in message
    assert "awaits while it is being closed" in message


async def fails_while_closed(cpu: Handle) -> None:
    try:
        await cpu.op(1)
    finally:
        int("?")


def test_failing_while_closed_is_refused() -> None:
    message = refusal(fails_while_closed)

    assert line_of(fails_while_closed, 4) in message
    assert "ValueError" in message


@routine
async def raising(cpu: Handle) -> None:
    await cpu.op(1)
    raise KeyError("lost")


async def calls_raising(cpu: Handle) -> None:
    await cpu.op(0)
    await raising(cpu)


def test_exception_that_nobody_catches_names_the_line_that_raised() -> None:
    message = refusal(calls_raising)

    assert line_of(raising, 3) in message
    assert "KeyError: 'lost'" in message


@routine
async def insists(cpu: Handle, value: int) -> None:
    assert await cpu.op(1) == value, f"not {value}"


async def insists_twice(cpu: Handle) -> None:
    with contextlib.suppress(AssertionError):
        await insists(cpu, 3)
    await insists(cpu, 4)


def test_an_assertion_that_fails_is_a_panic() -> None:
    """Like the kernel's BUG_ON(): a step, so that it has a schedule; it may be caught before."""
    point = Automaton().start(insists_twice, CPU).after(0).after(0)
    again = Automaton().start(insists_twice, CPU).after(0).after(0)
    line = insists.function.__code__.co_firstlineno + 2

    assert Op("panic", (f"assertion failed at test_mistakes.py:{line}: not 4",)) == point.op
    assert "insists_twice.panic" == point.label
    assert point.digest == again.digest


class PickyError(Exception):
    """Cannot be made again from its arguments."""

    def __init__(self, one: int, other: int) -> None:
        super().__init__(one + other)


@routine
async def raising_picky(cpu: Handle) -> None:
    await cpu.op(1)
    raise PickyError(1, 2)


class FullError(Exception):
    """Has more than its arguments."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = [word]


@routine
async def raising_with_more(cpu: Handle) -> None:
    await cpu.op(1)
    raise FullError("x")


@routine
async def raising_a_list(cpu: Handle) -> None:
    await cpu.op(1)
    raise ValueError([])


async def catches(cpu: Handle, function: Callable[[Handle], Awaitable[None]]) -> None:
    try:
        await function(cpu)
    except (PickyError, FullError, ValueError):
        await cpu.op(2)


@pytest.mark.parametrize("inner", [raising_picky, raising_with_more, raising_a_list])
def test_exception_that_is_not_frozen_data_is_refused(inner: Any) -> None:
    assert "frozen data" in refusal(catches, inner)


@routine
async def takes_one(cpu: Handle) -> None:
    await cpu.op(1)


async def passes_two(cpu: Handle) -> None:
    await takes_one(cpu, 2)  # type: ignore[call-arg]


def test_wrong_number_of_arguments_is_refused() -> None:
    message = refusal(passes_two)

    assert line_of(takes_one, 0) in message
    assert "2 were given" in message


def not_async(cpu: Handle) -> int:
    return 1


def test_function_that_is_not_async_is_refused() -> None:
    assert "not an async function" in refusal(not_async)


async def calls_by_keyword(cpu: Handle) -> None:
    await takes_one(cpu=cpu)


async def loops_by_keyword(cpu: Handle) -> None:
    await repeat_until(idle_turn, cpu=cpu)


@pytest.mark.parametrize("program", [calls_by_keyword, loops_by_keyword])
def test_keyword_arguments_are_refused(program: Any) -> None:
    assert "by position" in refusal(program)


def test_errors_keep_their_hint_across_processes() -> None:
    error = UsageError("what is wrong", "how to mend it")

    again = pickle.loads(pickle.dumps(error))

    assert ("what is wrong (how to mend it)", UsageError) == (str(again), type(again))
    assert "x.py:3" == str(Where("x.py", 3))
