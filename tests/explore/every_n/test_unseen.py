"""What tells N from an int where no symbol notices is found in the code of programs."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from simbbm import Cpu
from simbbm.core.programs.everyone import each_other
from tests.explore.every_n.gathering import WORK, of
from tests.explore.every_n.test_refused import counted, if_four, refusal

KIND_OF = type
KINDS = (type,)


async def by_type_under_another_name(cpu: Cpu, n: Any) -> None:
    await if_four(cpu, KIND_OF(n) is int and n == 4)


async def by_type_in_a_tuple(cpu: Cpu, n: Any) -> None:
    await if_four(cpu, KINDS[0](n) is int and n == 4)


async def by_class_of_a_class(cpu: Cpu, n: Any) -> None:
    await if_four(cpu, int.__class__(n) is int and n == 4)


async def by_being_called(cpu: Cpu, n: Any) -> None:
    await if_four(cpu, not callable(n) and n == 4)


async def by_having_an_attribute(cpu: Cpu, n: Any) -> None:
    await if_four(cpu, not hasattr(n, "_said") and n == 4)


async def by_having_a_method(cpu: Cpu, n: Any) -> None:
    await if_four(cpu, not hasattr(n, "__contains__") and n == 4)


async def by_a_type_error(cpu: Cpu, n: Any) -> None:
    try:
        found = deque(maxlen=n).maxlen == 4
    except TypeError:
        found = False
    await if_four(cpu, found)


async def by_an_exception_that_is_let_go(cpu: Cpu, n: Any) -> None:
    found = False
    with suppress(TypeError):
        found = math.ldexp(1.0, n) == 16.0
    await if_four(cpu, found)


async def by_the_text_of_an_error(cpu: Cpu, n: Any) -> None:
    found = False
    try:
        ",".join([n])  # noqa: FLY002
    except Exception as error:  # noqa: BLE001
        found = "int" in str(error) and n == 4
    await if_four(cpu, found)


async def by_counting_turns(cpu: Cpu, n: Any) -> None:
    queued, turns = await cpu.ldr(WORK), 0
    for turn in each_other(n):
        turns += 1
        await cpu.stlr(WORK, queued + turn)
    await if_four(cpu, turns == 3)


async def by_a_list_of_turns(cpu: Cpu, n: Any) -> None:
    queued = await cpu.ldr(WORK)
    done = [await cpu.stlr(WORK, queued + turn) for turn in each_other(n)]  # type: ignore[func-returns-value]
    await if_four(cpu, len(done) == 3)


async def by_numbered_turns(cpu: Cpu, n: Any) -> None:
    queued, last = await cpu.ldr(WORK), 0
    for i, turn in enumerate(each_other(n)):
        await cpu.stlr(WORK, queued + turn)
        last = i
    await if_four(cpu, last == 2)


class Counting:
    """Counts how often its address is asked for."""

    def __init__(self) -> None:
        self.turns: list[int] = []

    @property
    def address(self) -> int:
        self.turns.append(1)
        return WORK


async def by_a_property_in_a_turn(cpu: Cpu, n: Any) -> None:
    counting, queued = Counting(), await cpu.ldr(WORK)
    for turn in each_other(n):
        await cpu.stlr(counting.address, queued + turn)
    await if_four(cpu, len(counting.turns) == 3)


TURNS_OF = each_other


async def by_turns_under_another_name(cpu: Cpu, n: Any) -> None:
    queued, turns = await cpu.ldr(WORK), 0
    for turn in TURNS_OF(n):
        turns += 1
        await cpu.stlr(WORK, queued + turn)
    await if_four(cpu, turns == 3)


UNSEEN = [
    by_type_under_another_name, by_type_in_a_tuple, by_class_of_a_class, by_being_called,
    by_having_an_attribute, by_having_a_method, by_a_type_error, by_an_exception_that_is_let_go,
    by_the_text_of_an_error, by_counting_turns, by_a_list_of_turns, by_numbered_turns,
    by_a_property_in_a_turn, by_turns_under_another_name,
]  # fmt: skip


@pytest.mark.parametrize("boot", UNSEEN, ids=lambda boot: boot.__name__)
def test_what_symbols_do_not_notice_is_refused(boot: Callable[..., Any]) -> None:
    assert refusal(of(boot, counted))
