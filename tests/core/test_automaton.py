"""The program automaton: same operations as running the coroutines, and what edits change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simbbm.changes import edits
from simbbm.core.errors import ScenarioError
from simbbm.core.points import ControlPoint
from simbbm.core.program import Call, Loop, Op, Request, Step, repeat_until, routine
from simbbm.core.programs.automaton import Automaton
from simbbm.core.programs.labels import matches

Body = tuple[Any, ...]
MAX_STEPS = 25


class Handle(NamedTuple):
    """A CPU handle with one operation."""

    def op(self, *args: Any) -> Step[Any]:
        return Step(Op("op", args))


class BoomError(Exception):
    """What programs here raise."""


async def interpret(cpu: Handle, body: Body) -> Any:
    """Run a program that is data: a body is a sequence of statements."""
    last: Any = 0
    for statement in body:
        match statement:
            case ("op", operand):
                last = await cpu.op(operand)
            case ("echo",):
                last = await cpu.op(repr(last))
            case ("call", inner):
                last = await helper(cpu, inner)
            case ("loop", inner):
                last = await repeat_until(turn, cpu, inner)
            case ("raise",):
                raise BoomError(type(last).__name__)
            case ("try", inner, rescue):
                try:
                    last = await helper(cpu, inner)
                except BoomError as error:
                    last = await interpret(cpu, (("op", error.args), *rescue))
            case ("if", inner):
                if last:
                    last = await interpret(cpu, inner)
    return last


@routine
async def helper(cpu: Handle, body: Body) -> Any:
    """Run a body in a frame of its own."""
    return await interpret(cpu, body)


async def turn(cpu: Handle, body: Body) -> Any:
    """Do a body as one turn of a loop, until it gives something true."""
    return await interpret(cpu, body)


SIMPLE = st.one_of(
    st.tuples(st.just("op"), st.integers(0, 2)), st.just(("echo",)), st.just(("raise",))
)
BODIES = st.recursive(
    st.lists(SIMPLE, max_size=3).map(tuple),
    lambda inner: st.lists(
        st.one_of(
            SIMPLE,
            st.tuples(st.just("call"), inner),
            st.tuples(st.just("if"), inner),
            st.tuples(st.just("try"), inner, inner),
            # A loop whose body awaits nothing is an author's mistake, tested elsewhere.
            st.tuples(st.just("loop"), inner.map(lambda body: (("op", 9), *body))),
        ),
        max_size=4,
    ).map(tuple),
    max_leaves=8,
)
VALUES = st.sampled_from([0, 1, 2, True, False, "x", (0,), (False,)])


def directly(request: Request[Any]) -> Any:
    """Run the awaited request as a coroutine of its own, without an automaton."""
    assert isinstance(request, Call)
    while True:
        coroutine = request.function(*request.args)
        result = yield from driven(coroutine)
        if not isinstance(request, Loop) or result:
            return result


def driven(coroutine: Any) -> Any:
    """Drive a coroutine: yield operations, send what they observed."""
    feed: Any = None
    error: Exception | None = None
    while True:
        try:
            request = coroutine.throw(error) if error else coroutine.send(feed)
        except StopIteration as stop:
            return stop.value
        error = None
        if isinstance(request, Step):
            feed = yield request.op
        else:
            try:
                feed = yield from directly(request)
            except BoomError as caught:
                error = caught


def run_directly(body: Body, values: list[Any]) -> Iterator[Any]:
    """Every operation, and then the result or the exception."""
    running = driven(interpret(Handle(), body))
    feed: Any = None
    for n in range(MAX_STEPS):
        try:
            yield running.send(feed)
        except StopIteration as stop:
            yield "returned", repr(stop.value)
            return
        except BoomError as error:
            yield "raised", error.args[0]
            return
        feed = values[n % len(values)]


def run_automaton(automaton: Automaton, body: Body, values: list[Any]) -> Iterator[Any]:
    """Likewise by control points."""
    try:
        point = automaton.start(interpret, Handle(), body)
        for n in range(MAX_STEPS):
            if point.finished:
                yield "returned", repr(point.value)
                return
            yield point.op
            if n < MAX_STEPS - 1:
                point = point.after(values[n % len(values)])
    except ScenarioError as error:
        yield "raised", error.message.rpartition("BoomError: ")[2]


@settings(max_examples=200)
@given(BODIES, st.lists(st.lists(VALUES, min_size=1, max_size=6), min_size=1, max_size=3))
def test_automaton_does_what_the_coroutines_do(body: Body, feeds: list[list[Any]]) -> None:
    # One automaton for all feeds: what one history memoised must not leak into another.
    automaton = Automaton()
    for values in feeds:
        expected = list(run_directly(body, values))
        assert expected == list(run_automaton(automaton, body, values))


@settings(max_examples=50)
@given(BODIES, st.lists(VALUES, min_size=1, max_size=6))
def test_equal_histories_give_equal_digests_in_another_automaton(
    body: Body, values: list[Any]
) -> None:
    assert digests(Automaton(), body, values) == digests(Automaton(), body, values)


def digests(automaton: Automaton, body: Body, values: list[Any]) -> list[str]:
    found = []
    try:
        point = automaton.start(interpret, Handle(), body)
        for n in range(MAX_STEPS):
            found.append(point.digest)
            if point.finished:
                break
            point = point.after(values[n % len(values)])
    except ScenarioError:
        pass
    return found


# Small programs, by hand.

CPU = Handle()


async def two_values(cpu: Handle) -> str:
    first = await cpu.op("first")
    return f"{first!r}"


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, True), (0, False), ((1,), (True,)), ((0, (1,)), (0, (True,)))],
)
def test_true_and_1_lead_to_different_control_points(one: Any, other: Any) -> None:
    point = Automaton().start(two_values, CPU)

    assert repr(one) == point.after(one).value
    assert repr(other) == point.after(other).value


@routine
async def read_twice(cpu: Handle) -> int:
    await cpu.op("a")
    await cpu.op("b")
    return 7


async def calls_helper(cpu: Handle) -> Any:
    value = await read_twice(cpu)
    await cpu.op("c")
    return value


def test_history_of_a_finished_routine_is_dropped() -> None:
    start = Automaton().start(calls_helper, CPU)

    assert start.after(1).after(2) is start.after(3).after(4)


async def counting_turn(cpu: Handle) -> bool:
    return bool(await cpu.op("turn"))


async def loops(cpu: Handle) -> Any:
    return await repeat_until(counting_turn, cpu)


def test_loop_remembers_only_its_current_turn() -> None:
    start = Automaton().start(loops, CPU)

    assert start is start.after(0)
    assert start.after(1).finished


async def raising_turn(cpu: Handle) -> bool:
    if await cpu.op("turn"):
        raise BoomError("late")
    return False


async def catches_from_loop(cpu: Handle) -> Any:
    try:
        return await repeat_until(raising_turn, cpu)
    except BoomError as error:
        return error.args


def test_exception_leaves_a_loop() -> None:
    start = Automaton().start(catches_from_loop, CPU)

    assert ("late",) == start.after(0).after(1).value


@routine
async def raises_what_it_read(cpu: Handle) -> None:
    raise BoomError(await cpu.op("what"))


async def catches_and_goes_on(cpu: Handle) -> None:
    try:
        await raises_what_it_read(cpu)
    except BoomError:
        await cpu.op("caught")


def test_digest_tells_apart_what_an_exception_carries() -> None:
    start = Automaton().start(catches_and_goes_on, CPU)
    points = {start.after(1), start.after(2)}

    assert len(points) == len({point.digest for point in points}) == 2


# Edits.


@routine
async def other_read(cpu: Handle) -> int:
    await cpu.op("other")
    return await read_twice(cpu)


def walk_ops(point: ControlPoint) -> list[Any]:
    found = []
    while point.op:
        found.append(point.op.args[0])
        point = point.after(0)
    return found


def test_replace_swaps_a_routine_which_may_call_the_old_one() -> None:
    automaton = Automaton(edits({read_twice: other_read}))

    assert ["other", "a", "b", "c"] == walk_ops(automaton.start(calls_helper, CPU))
    assert {f"{__name__}.read_twice"} == automaton.used_edits


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ("read_twice.op", ["c"]),
        ("read_twice.op#1", ["b", "c"]),
        ("read_twice.op#2", ["a", "c"]),
        ("calls_helper.op", ["a", "b"]),
        ("calls_helper/read_twice.op#2", ["a", "c"]),
        ("twice.op", ["a", "b", "c"]),
        ("elsewhere/read_twice.op", ["a", "b", "c"]),
    ],
)
def test_drop_leaves_out_the_steps_that_its_label_names(pattern: str, left: list[str]) -> None:
    automaton = Automaton(edits(drop=[pattern]))

    assert left == walk_ops(automaton.start(calls_helper, CPU))
    assert (left != ["a", "b", "c"]) == (pattern in automaton.used_edits)


def test_second_call_of_a_routine_has_its_own_label() -> None:
    automaton = Automaton()
    walk_ops(automaton.start(calls_twice, CPU))

    assert {
        "calls_twice/read_twice.op#1",
        "calls_twice/read_twice.op#2",
        "calls_twice/read_twice#2.op#1",
        "calls_twice/read_twice#2.op#2",
    } == set(automaton.labels)


@pytest.mark.parametrize(
    ("pattern", "answer"),
    [
        ("g.tlbi.vaae1is", True),
        ("f#2/g.tlbi.vaae1is", True),
        ("f/g#3.tlbi.vaae1is#4", True),
        ("main/f/g.tlbi.vaae1is", True),
        ("g#2.tlbi.vaae1is", False),
        ("f#1/g.tlbi.vaae1is", False),
        ("g.tlbi.vaae1is#1", False),
        ("g.tlbi", False),
        ("other/main/f/g.tlbi.vaae1is", False),
    ],
)
def test_pattern_without_a_number_names_every_occurrence(pattern: str, answer: bool) -> None:
    assert answer == matches(pattern, "main/f#2/g#3.tlbi.vaae1is#4")


async def calls_twice(cpu: Handle) -> None:
    await read_twice(cpu)
    await read_twice(cpu)


async def counting_from(cpu: Handle, start: int) -> None:
    await cpu.op(start)


def test_control_points_of_different_arguments_differ() -> None:
    automaton = Automaton()

    assert automaton.start(counting_from, CPU, 1) is automaton.start(counting_from, CPU, 1)
    assert automaton.start(counting_from, CPU, 1) is not automaton.start(counting_from, CPU, True)
