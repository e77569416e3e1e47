"""Programs that see what no run decides: an order of hashes, an address, a path, a limit."""

from __future__ import annotations

from collections.abc import KeysView
from operator import is_
from typing import Any, NamedTuple

from simbbm.core import program as simbbm_program
from simbbm.core.program import line_of_caller, routine
from tests.core.mistakes import Handle, programs_of
from tests.core.ways import helps

WORDS = (frozenset(("a", "b")),)
NUMBERS = frozenset((1, 2))
BIG = 1 << 40
FORMAT = "{.__globals__}".format
ADDS = NUMBERS.union


class Plain:
    """It has no text of its own."""


class Row(NamedTuple):
    """A record."""

    words: Any = frozenset(("a", "b"))


async def joins_keys(cpu: Handle) -> None:
    await cpu.op(*({"a": 1, "b": 2}.keys() & {"b": 1, "a": 2}.keys()))


async def joins_keys_later(cpu: Handle) -> None:
    one = {"a": 1, "b": 2}.keys()
    await cpu.op(*(one | {"c"}))


async def joins_keys_elsewhere(cpu: Handle) -> None:
    await cpu.op(*joined({"a": 1, "b": 2}.keys()))


def joined(keys: Any) -> Any:
    return keys | ("c", "d")


async def sorts_by_a_key(cpu: Handle) -> None:
    await cpu.op(*sorted({"a": 1, "b": 2}.keys() | {"c": 1}.keys(), key=len))


async def makes_a_view(cpu: Handle) -> None:
    await cpu.op(*(KeysView({"a": 1, "b": 2}) & ("a", "b")))


async def adds_to_numbers(cpu: Handle) -> None:
    await cpu.op(*NUMBERS.union(("a", "b")))


async def adds_by_a_method(cpu: Handle) -> None:
    await cpu.op(*ADDS(("a", "b")))


async def a_set_in_a_tuple(cpu: Handle) -> None:
    await cpu.op(*WORDS[0])


async def a_set_in_a_record(cpu: Handle) -> None:
    await cpu.op(*Row().words)


async def asks_for_one_object(cpu: Handle) -> None:
    first, second = await cpu.op(1), await cpu.op(2)
    await cpu.op(first is second)


async def asks_for_a_constant(cpu: Handle) -> None:
    await cpu.op((await cpu.op(1)) is BIG)


async def asks_by_an_operator(cpu: Handle) -> None:
    await cpu.op(is_(await cpu.op(1), BIG))


async def text_of_a_function(cpu: Handle) -> None:
    await cpu.op(int(repr(helps)[-4:-1], 16))


async def text_of_an_object(cpu: Handle) -> None:
    await cpu.op(int(f"{Plain()}"[-4:-1], 16))


async def text_of_objects(cpu: Handle) -> None:
    await cpu.op(int(str([Plain()])[-4:-2], 16))


async def text_by_percent(cpu: Handle) -> None:
    await cpu.op(len("%s" % Plain()))  # noqa: UP031


async def formats_by_a_method(cpu: Handle) -> None:
    await cpu.op(len(FORMAT(helps)))


async def where_a_step_was_made(cpu: Handle) -> None:
    step = cpu.op(1)
    await step
    await cpu.op(len(step._where_.file))


async def where_it_is(cpu: Handle) -> None:
    await cpu.op(line_of_caller(1).line)


async def where_it_is_in_a_module(cpu: Handle) -> None:
    await cpu.op(simbbm_program.line_of_caller(1).line)


async def how_deep(cpu: Handle) -> None:
    await cpu.op(dive(0) // 100)


def dive(depth: int) -> int:
    try:
        return dive(depth + 1)
    except Exception:  # noqa: BLE001 - what an author may write
        return depth


async def how_much_memory(cpu: Handle) -> None:
    try:
        await cpu.op(len([0] * 10**12))
    except MemoryError:
        await cpu.op(0)


async def ends_the_process(cpu: Handle) -> None:
    await cpu.op(1)
    raise SystemExit(0)


@routine
async def loses_a_file(cpu: Handle) -> None:
    await cpu.op(1)
    raise OSError(2, "lost", "file")


async def looks_at_the_file(cpu: Handle) -> None:
    try:
        await loses_a_file(cpu)
    except OSError as error:
        await cpu.op(str(error.filename))


class SlottedError(Exception):
    """It keeps something that is not among its arguments."""

    __slots__ = ("note",)

    def __init__(self, value: int = 0) -> None:
        super().__init__()
        self.note = value


@routine
async def loses_a_slot(cpu: Handle) -> None:
    await cpu.op(1)
    raise SlottedError(5)


async def looks_at_a_slot(cpu: Handle) -> None:
    try:
        await loses_a_slot(cpu)
    except SlottedError as error:
        await cpu.op(error.note)


class GrownError(BaseException):
    """No Exception."""


async def raises_what_nobody_catches(cpu: Handle) -> None:
    await cpu.op(1)
    raise GrownError


PROGRAMS = programs_of(vars())
