"""A program is what it has observed: what else it could look at is refused, with file and line."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum, IntEnum
from types import MappingProxyType
from typing import Any, NamedTuple, cast

import pytest

from simbbm.core.errors import ScenarioError
from simbbm.core.program import repeat_until, routine
from simbbm.core.programs.automaton import Automaton
from simbbm.core.programs.frames.known import KnownTurns
from tests.core import accidents, impure, ways
from tests.core.mistakes import COUNTER, CPU, LOG, Handle, line_of, refusal, walk


@pytest.mark.parametrize("expression", impure.EXPRESSIONS)
def test_what_is_not_constant_is_refused_before_it_is_met(expression: str) -> None:
    message = refusal(impure.looks_at(expression), steps=0)

    told = (" looks at ", " makes a set", " default argument", " changes the attribute ")
    assert any(said in message for said in told)


@pytest.mark.parametrize("program", impure.WRITTEN)
def test_however_it_is_written(program: Any) -> None:
    assert "when it was run again" not in refusal(program, steps=0)


@pytest.mark.parametrize("program", [*ways.PROGRAMS, *accidents.PROGRAMS])
def test_whatever_it_hides_behind(program: Any) -> None:
    """Programs that were not refused once: they tell each other something, or see an accident."""
    with pytest.raises(ScenarioError) as caught:
        walk(program, (), steps=4)
    message = str(caught.value)

    file, line, *_ = message.split(":")
    assert file in (ways.__file__, accidents.__file__, "<string>")
    assert int(line) > 0
    assert not any(said in message for said in ("when it was run again", "NameError"))


def test_the_line_that_looks_is_named_and_what_it_looks_at() -> None:
    message = refusal(impure.in_a_loop, steps=0)

    assert line_of(impure.helps, 2) in message
    assert "helps looks at NOTES, a list, which is not constant" in message


def test_arguments_are_looked_into() -> None:
    with pytest.raises(ScenarioError, match="note looks at NOTES"):
        Automaton().start(one_step, CPU, impure.Kept(1))
    with pytest.raises(ScenarioError, match="whose field notes, a list"):
        Automaton().start(one_step, CPU, impure.Shared(1))


async def one_step(cpu: Handle, _record: Any) -> None:
    await cpu.op(1)


# What a program may look at.


class Level(IntEnum):
    """Levels of a table."""

    PUD = 1
    PMD = 2


class Kind(Enum):
    """A plain enum."""

    LEAF = "leaf"
    TABLE = "table"


class Layout(NamedTuple):
    """A record with methods, a default and a property."""

    first: int
    sizes: tuple[int, ...] = (1, 2)

    @property
    def last(self) -> int:
        return self.first + self.sizes[-1]

    def size(self, level: int) -> int:
        return self.sizes[level - Level.PUD]


class Wrapped(NamedTuple):
    """A record that hands on what it does not know."""

    layout: Layout

    def __getattr__(self, name: str) -> Any:
        return getattr(self.layout, name)


@dataclass(frozen=True)
class Place:
    """A frozen dataclass."""

    word: int
    notes: tuple[int, ...] = field(default_factory=tuple)

    def next(self) -> Place:
        return replace(self, word=self.word + 1)


class LostError(Exception):
    """An exception of an author's."""


class Sum:
    """What a program makes for itself."""

    def __init__(self, start: int) -> None:
        self.value = start


class NamedSum(Sum):
    """It has a text of its own, and is made as what it is derived from."""

    def __init__(self, start: int, name: str) -> None:
        super().__init__(start)
        self.name = name

    def __repr__(self) -> str:
        return f"{self.name} {self.value}"


WORDS = 8
SIZES = frozenset((1, 2))
KINDS = frozenset(Kind)
BY_LEVEL = MappingProxyType({Level.PUD: 512, Level.PMD: 1})
LAYOUT, PLACE = Wrapped(Layout(4)), Place(3)
CHECKS: tuple[tuple[str, Callable[[int], bool]], ...] = (("is even", lambda n: n % 2 == 0),)


def even(value: int, *, of: int = WORDS) -> bool:
    return math.gcd(value, of) > 1 and any(check(value) for _, check in CHECKS)


@routine
async def finds(cpu: Handle, level: int) -> int:
    found: dict[int, list[int]] = {}
    for word in sorted(SIZES | {1: 0}.keys()):
        found.setdefault(word, []).append(word)
    total = Sum(sum(n for words in found.values() for n in words)).value

    def inner(value: int) -> int:
        nonlocal total
        total += value
        return total

    if Kind.LEAF in KINDS and level in {Level.PUD, Level.PMD}:
        inner(BY_LEVEL[Level.PUD])
    if level < 0:
        raise LostError(level)
    await cpu.op(math.ceil(total / 2), even, LAYOUT.layout.size(level), LAYOUT.last)
    return total


async def asks_by_name(cpu: Handle, name: str) -> None:
    await getattr(cpu, name)(getattr(PLACE, "word"), getattr(PLACE, "none", 3))  # noqa: B009
    await cpu.op(hasattr(PLACE, name + "s"), repr(NamedSum(1, name)), f"{NamedSum(2, name)!s}")


async def goes_through_dictionaries(cpu: Handle) -> None:
    words = {"b": 1, "a": 2}
    numbers = [value for _, value in words.items()]
    kinds = [Kind.LEAF] if next(iter(words), None) is not None and Kind("leaf") is Kind.LEAF else []
    await cpu.op(*numbers, *words.keys(), *sorted(words.keys() | {"c": 3}.keys()), *kinds)


async def turn(cpu: Handle, place: Place) -> bool:
    return bool(await cpu.op(place.next().word, PLACE.word) == 0)


async def looks_at_constants(cpu: Handle) -> None:
    try:
        await finds(cpu, cast("int", Level.PMD))
        await finds(cpu, -1)
    except LostError as error:
        await cpu.op(f"{error.args[0]:>3} {Kind.TABLE.value}", int(Level.PUD), repr(type(error)))
    await asks_by_name(cpu, "o" + "p")
    await goes_through_dictionaries(cpu)
    await repeat_until(turn, cpu, PLACE)


def test_constants_of_all_kinds_may_be_looked_at() -> None:
    automaton = Automaton()
    point = automaton.start(looks_at_constants, CPU)
    while not point.finished:
        point = point.after(0)

    assert automaton.purity.functions.keys() >= {even, turn, finds.function}
    automaton.recheck()


# What looking does not find.


async def reads_a_clock(cpu: Handle) -> None:
    await cpu.op(time.monotonic_ns())


async def reads_a_global(cpu: Handle) -> None:
    LOG.append(1)
    await cpu.op(len(LOG))


async def returns_another_value(cpu: Handle) -> int:
    return next(COUNTER)


@pytest.mark.parametrize("program", [reads_a_clock, reads_a_global, returns_another_value])
def test_every_step_is_run_twice(program: Any) -> None:
    known = KnownTurns()
    with pytest.raises(ScenarioError, match="did something else when it was run again"):
        known.turn(known.start(program, (CPU,), root=True))


limit = 3


async def obeys_a_limit(cpu: Handle) -> None:
    await cpu.op(1)
    await cpu.op(limit)


@pytest.mark.parametrize("name", ["limit", "len"])
def test_a_name_that_stands_for_something_else_later_is_refused(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = obeys_a_limit if name == "limit" else uses_a_builtin
    automaton = Automaton()
    automaton.start(program, CPU).after(0)
    monkeypatch.setitem(globals(), name, 4)

    with pytest.raises(ScenarioError, match=f"looks at {name}, which has changed since"):
        automaton.recheck()


async def uses_a_builtin(cpu: Handle) -> None:
    await cpu.op(1)
    await cpu.op(len("ab"))


def test_every_step_is_run_again_in_another_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts beyond two runs of a step is not seen by running it twice."""
    LOG.clear()
    automaton = Automaton()
    monkeypatch.setattr(automaton.purity, "require", lambda *_: None)
    automaton.start(counts_to_two, CPU)

    with pytest.raises(ScenarioError, match="did something else when it was run again"):
        automaton.recheck()


async def counts_to_two(cpu: Handle) -> None:
    LOG.append(1)
    await cpu.op(int(len(LOG) > 2))
