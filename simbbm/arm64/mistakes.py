"""What a program asks for that makes no sense: each mistake is one line that names its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simbbm.arm64.context import Shared
from simbbm.arm64.cpu import CpuState
from simbbm.arm64.listing import Instruction
from simbbm.arm64.memory import Memory
from simbbm.arm64.registers import Ttbr
from simbbm.core.errors import ScenarioError


def check_address(state: CpuState, address: object) -> None:
    """Refuse what is no address."""
    if type(address) is not int:
        message = f"{state.point.where}: {state.point.op} of something that is no address"
        raise ScenarioError(message)


def check_fits(
    shared: Shared, state: CpuState, memory: Memory, physical: int, words: tuple[Any, ...]
) -> None:
    """Refuse a store that would mix up tables and data."""
    if shared.memories.unfit(memory, physical, words):
        where, name = state.point.where, shared.name(physical)
        raise ScenarioError(
            f"{where}: a store of {', '.join(map(str, words))} to {name}",
            "tables hold descriptors, all other memory ints",
        )


def check_stored(
    shared: Shared, memory: Memory, cpu: int, instruction: Instruction, word: int, value: object
) -> None:
    """Refuse a store of a listing that would mix up tables and data."""
    if shared.memories.unfit(memory, word, (value,)):  # type: ignore[arg-type]  # the question
        raise ScenarioError(
            f"P{cpu} op {instruction.number}: a store of {value} to {shared.name(word)}",
            "tables hold descriptors, all other memory numbers",
        )


def check_register(cpu: int, instruction: Instruction, value: object) -> None:
    """Refuse what cannot be in a TTBR."""
    if not isinstance(value, Ttbr):
        raise ScenarioError(
            f"P{cpu} op {instruction.number}: {instruction.option} is given {value}, and no TTBR",
            "the register needs a value: rN = ttbr(root=...)",
        )


def satisfied(
    state: CpuState, predicate: Callable[..., bool], value: Any, args: tuple[Any, ...]
) -> bool:
    """Whether a predicate holds; it is the author's, and what it raises is refused."""
    try:
        return bool(predicate(value, *args))
    except Exception as error:  # noqa: BLE001 - the author's function
        where, name = state.point.where, predicate.__name__
        raise ScenarioError(f"{where}: {name}({value}): {error}") from None
