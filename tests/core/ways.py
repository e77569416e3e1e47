"""More programs that look at something else than what they have observed, or tell it to others.

Each hides what it does behind something that is harmless by itself.
"""

# ruff: noqa: PLW0642, RUF012

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType, MethodType
from typing import Any, NamedTuple

from tests.core.mistakes import Handle, programs_of

TABLE = MappingProxyType({"calls": 0})
FILLS: MappingProxyType[int, int] = MappingProxyType(defaultdict(int))
SLICE: Any = slice([], None)
OPS = (getattr,)
by_another_name = getattr


class Counts:
    """An object that is changed."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def note(self) -> int:
        self.calls.append(1)
        return len(self.calls)


class Bound:
    """Its method is another object's."""

    note = MethodType(Counts.note, Counts())


class Environment:
    """Its method is the library's."""

    get: Any = staticmethod(os.getenv)


class Compares:
    """What it is compared with is handed to it."""

    def __eq__(self, other: object) -> bool:
        other["calls"] = 1  # type: ignore[index]
        return True

    __hash__ = None  # type: ignore[assignment]


class Joins:
    """What it is joined to is handed to it."""

    def __ror__(self, other: dict[str, int]) -> int:
        other["calls"] = 1
        return 1


class JoinsTwice:
    """The second time it is handed the dictionary."""

    def __or__(self, other: dict[str, int]) -> Any:
        if isinstance(other, MappingProxyType):
            return NotImplemented
        other["calls"] = 1
        return 1


class Makes:
    """Its constructor, and what is like one."""

    def __init__(self, value: int = 0) -> None:
        self.value = value

    note = __init__


class MakesAnother:
    """Its constructor sets an attribute of something else."""

    def __init__(self, other: Any) -> None:
        self = other
        self.value = 1


class Gives:
    """It makes nothing new."""

    def __new__(cls, other: Any) -> Any:
        other.value = 1
        return other


@dataclass(frozen=True)
class Place:
    """A constant."""

    word: int
    __match_args__ = ("__dict__",)


PLACE = Place(1)


class Colour(Enum):
    """Its members are constants."""

    RED = 1


def helps() -> None:
    """A function to write notes on."""


def not_pure() -> Any:
    """Code that comes from no file."""
    space: dict[str, Any] = {"NOTES": [1]}
    exec("def __len__(self): NOTES.append(1); return len(NOTES)", space)
    return space["__len__"]


class Generated:
    """Its method is in no file."""

    __len__ = not_pure()


class Lies:
    """It says that it is ours."""

    notes: list[int] = []


Lies.__module__ = "simbbm.core.program"


class Answers(NamedTuple):
    """It has an answer to everything, also to what nobody but Python asks."""

    number: int = 0

    def __getattr__(self, name: str) -> int:
        return len(NOTES)


NOTES: list[int] = []
ANSWERS = Answers()


async def asks_who_answers(cpu: Handle) -> None:
    await cpu.op(ANSWERS.anything)


async def equals_a_constant(cpu: Handle) -> None:
    await cpu.op(TABLE == Compares())


async def joins_a_constant(cpu: Handle) -> None:
    await cpu.op(TABLE | Joins())  # type: ignore[operator]


async def joins_a_constant_twice(cpu: Handle) -> None:
    await cpu.op(JoinsTwice() | TABLE)  # type: ignore[operator]


async def reads_what_fills(cpu: Handle) -> None:
    await cpu.op(FILLS[len(FILLS)])


async def keeps_in_a_slice(cpu: Handle) -> None:
    SLICE.start.append(1)
    await cpu.op(len(SLICE.start))


def dunder(name: str) -> str:
    return f"{'_' * 2}{name}{'_' * 2}"


async def asks_by_a_computed_name(cpu: Handle) -> None:
    await cpu.op(len(getattr(helps, dunder("globals"))))


async def asks_whether_by_a_computed_name(cpu: Handle) -> None:
    await cpu.op(hasattr(helps, dunder("wrapped")))


async def asks_by_another_name(cpu: Handle) -> None:
    await cpu.op(len(by_another_name(helps, dunder("dict"))))


async def asks_by_a_function_in_a_tuple(cpu: Handle) -> None:
    await cpu.op(len(OPS[0](helps, "__dict__")))


async def makes_again(cpu: Handle) -> None:
    Makes.__init__(helps, 1)  # type: ignore[arg-type]
    await cpu.op(helps.value)  # type: ignore[attr-defined]


async def makes_a_constant_again(cpu: Handle) -> None:
    PLACE.__init__(2)  # type: ignore[misc]
    await cpu.op(PLACE.word)


async def makes_again_by_name(cpu: Handle) -> None:
    getattr(PLACE, "__init__")(2)  # noqa: B009
    await cpu.op(PLACE.word)


async def makes_under_another_name(cpu: Handle) -> None:
    Makes.note(helps, 1)  # type: ignore[arg-type]
    await cpu.op(helps.value)  # type: ignore[attr-defined]


async def makes_something_else(cpu: Handle) -> None:
    MakesAnother(helps)
    await cpu.op(helps.value)  # type: ignore[attr-defined]


async def makes_through_super(cpu: Handle) -> None:
    super(type(PLACE), PLACE).__init__()
    await cpu.op(1)


async def gives_what_is_there(cpu: Handle) -> None:
    Gives(helps)
    await cpu.op(helps.value)  # type: ignore[attr-defined]


async def matches_inside(cpu: Handle) -> None:
    match helps:
        case object(__globals__=found):
            await cpu.op(len(found))


async def matches_inside_by_position(cpu: Handle) -> None:
    match PLACE:
        case Place(found):
            await cpu.op(len(found))


async def a_method_of_another_object(cpu: Handle) -> None:
    await cpu.op(Bound.note())


async def a_method_of_the_library(cpu: Handle) -> None:
    await cpu.op(len(Environment.get("HOME", "")))


async def a_method_from_no_file(cpu: Handle) -> None:
    await cpu.op(len(Generated()))


async def a_class_that_lies(cpu: Handle) -> None:
    await cpu.op(len(Lies.notes))


PROGRAMS = programs_of(vars())
