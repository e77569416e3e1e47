"""Programs that are wrong: walk them until they are refused."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Mapping
from types import FunctionType
from typing import Any, NamedTuple

import pytest

from simbbm.core.errors import ScenarioError
from simbbm.core.program import Op, Step
from simbbm.core.programs.automaton import Automaton


class Handle(NamedTuple):
    """A CPU handle with one operation."""

    def op(self, *args: Any) -> Step[Any]:
        return Step(Op("op", args))


CPU = Handle()
COUNTER = itertools.count()
LOG: list[int] = []


def walk(program: Any, args: tuple[Any, ...], steps: int) -> None:
    point = Automaton().start(program, CPU, *args)
    for _ in range(steps):
        point = point.after(0)


def refusal(program: Any, *args: Any, steps: int = 5) -> str:
    """Walk a program until it is refused; return the message and check that it says where."""
    with pytest.raises(ScenarioError) as caught:
        walk(program, args, steps)
    message = str(caught.value)
    code = getattr(program, "__wrapped__", program).__code__
    file, line, *_ = caught.value.message.split(":")
    assert code.co_filename == file
    assert int(line) > 0
    return message


def line_of(program: Any, offset: int) -> str:
    """`file:line` of a line of a program, counted from its first."""
    code = getattr(program, "__wrapped__", program).__code__
    return f"{code.co_filename}:{code.co_firstlineno + offset}:"


def programs_of(names: Mapping[str, Any]) -> tuple[Any, ...]:
    """The programs that a module has."""
    functions = (value for _, value in sorted(names.items()) if isinstance(value, FunctionType))
    return tuple(f for f in functions if inspect.iscoroutinefunction(f))
