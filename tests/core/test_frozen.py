"""Only frozen data crosses an await, and only module-level functions are frames."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from enum import Enum, IntFlag
from typing import Any

import pytest

from simbbm.changes import edits
from simbbm.core.errors import ScenarioError
from simbbm.core.program import repeat_until, routine
from simbbm.core.programs.automaton import Automaton
from simbbm.core.values import encode, key, why_not_frozen
from tests.core.mistakes import CPU, Handle, refusal


def not_async(cpu: Handle) -> int:
    return 1


@routine
async def helper(cpu: Handle) -> None:
    await cpu.op()


async def passes_a_list(cpu: Handle) -> None:
    await takes_any(cpu, [1])


async def passes_in_tuple(cpu: Handle) -> None:
    await takes_any(cpu, (1, {}))


async def operand_is_a_list(cpu: Handle) -> None:
    await cpu.op([1])


async def operand_is_a_lambda(cpu: Handle) -> None:
    await cpu.op(lambda: 1)


async def passes_a_closure(cpu: Handle) -> None:
    captured = [1]

    def closure() -> list[int]:
        return captured

    await takes_any(cpu, closure)


async def returns_a_list(cpu: Handle) -> list[int]:
    await cpu.op(1)
    return [1]


@dataclass
class Melting:
    """Not frozen."""

    value: int = 0


async def passes_a_dataclass(cpu: Handle) -> None:
    await takes_any(cpu, Melting())


async def passes_a_float(cpu: Handle) -> None:
    await takes_any(cpu, 0.5)


@routine
async def takes_any(cpu: Handle, value: Any) -> None:
    await cpu.op(str(value))


@pytest.mark.parametrize(
    "program",
    [
        passes_a_list,
        passes_in_tuple,
        operand_is_a_list,
        operand_is_a_lambda,
        passes_a_closure,
        returns_a_list,
        passes_a_dataclass,
        passes_a_float,
    ],
)
def test_only_frozen_data_crosses_a_frame(program: Any) -> None:
    assert any(why in refusal(program) for why in ("frozen", "closure or a lambda"))


def mutated_closure() -> Any:
    """A program that would see what others do to `seen`."""
    seen = [0]

    async def program(cpu: Handle) -> None:
        seen[0] += 1
        await cpu.op(seen[0])

    return program


async def loops_over_a_closure(cpu: Handle) -> None:
    await repeat_until(mutated_closure(), cpu)


async def nested_turn_of(cpu: Handle) -> None:
    async def turn(cpu: Handle) -> bool:
        return bool(await cpu.op(1))

    await repeat_until(turn, cpu)


@pytest.mark.parametrize("program", [mutated_closure(), loops_over_a_closure, nested_turn_of])
def test_closures_are_refused_as_programs_and_loop_bodies(program: Any) -> None:
    assert "module-level async functions" in refusal(program)


def test_lambda_is_refused_as_a_program() -> None:
    assert "closure or a lambda" in refusal(lambda _cpu: None)


def test_partial_is_refused_as_a_program() -> None:
    with pytest.raises(ScenarioError, match="a partial is not frozen data"):
        Automaton().start(functools.partial(not_async), CPU)


def test_closure_is_refused_as_a_replacement() -> None:
    with pytest.raises(ScenarioError, match="closure"):
        edits({helper: mutated_closure()})


class Tagged(Enum):
    """Its member's value is not frozen, or it got a note."""

    LIST = [1]  # noqa: RUF012
    NOTED = 2


Tagged.NOTED.note = [1]  # type: ignore[attr-defined]


class Subclass(tuple[int, ...]):  # noqa: SLOT001
    """A tuple with attributes."""


@dataclass(frozen=True)
class Hides:
    """Frozen, as far as one can see."""

    shown: int


WITH_STATE = Subclass((1, 2))
WITH_STATE.note = 1  # type: ignore[attr-defined]
HIDING = Hides(1)
object.__setattr__(HIDING, "hidden", [1])


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (Tagged.LIST, "Tagged.LIST: a list is not frozen data"),
        (Tagged.NOTED, "Tagged.NOTED: a list is not frozen data"),
        (WITH_STATE, "a Subclass has hidden state"),
        (HIDING, "a Hides has hidden state"),
        (f"got {object()!r}", "there is an object's address in a text"),
        (f"got {mutated_closure}", "there is an object's address in a text"),
    ],
    ids=["list", "noted", "state", "hidden", "object", "function"],
)
def test_state_that_hides_is_not_frozen(value: object, why: str) -> None:
    assert why == why_not_frozen(value)
    assert why == why_not_frozen((1, value))


@dataclass(frozen=True)
class Small:
    n: int


class Slotted(Small):
    __slots__ = ("hidden",)

    def __init__(self, n: int, hidden: int) -> None:
        object.__setattr__(self, "n", n)
        object.__setattr__(self, "hidden", hidden)


class Bits(IntFlag):
    LOW = 1


def test_a_slot_that_is_no_field_is_hidden_state() -> None:
    assert why_not_frozen(Small(1)) is None
    assert "a Slotted has hidden state" == why_not_frozen(Slotted(1, 2))


def test_members_of_a_flag_without_a_name_are_told_apart() -> None:
    one, other = Bits(8), Bits(16)

    assert key(one) != key(other)
    assert encode(one) != encode(other)
    assert encode(Bits.LOW) == b"enum:Bits.LOW;"
