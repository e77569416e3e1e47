"""Checks of operands: a mistake of the program is a ScenarioError that names the step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simbbm.arm64.context import Shared
from simbbm.arm64.translation.memory import Memory
from simbbm.core.errors import ScenarioError
from simbbm.core.programs.symbols import RUNNING


def check_address(where: object, mnemonic: str, address: object) -> None:
    """Refuse an operand that is not an address."""
    if type(address) is not int:
        raise ScenarioError(f"{where}: {mnemonic} of something that is no address")


def check_fits(
    shared: Shared, memory: Memory, where: object, physical: int, words: tuple[Any, ...]
) -> None:
    """Refuse a store that would mix up tables and data."""
    if shared.memories.unfit(memory, physical, words):
        raise ScenarioError(
            f"{where}: a store of {', '.join(map(str, words))} to {shared.name(physical)}",
            "tables hold descriptors, all other memory ints",
        )


def no_such_register(
    where: object, register: str, value: object, known: tuple[str, ...]
) -> ScenarioError:
    """The error for an MSR of a value that the register cannot hold."""
    told = f"{where}: no msr of {type(value).__name__} to {register}"
    if register in known:
        what = "Tcr" if register.startswith("tcr") else "Ttbr"
        return ScenarioError(f"{told}, which is given {value}", f"its value is a {what}")
    return ScenarioError(told, f"registers are {', '.join(known)}")


def satisfied(
    where: object, predicate: Callable[..., bool], value: Any, args: tuple[Any, ...]
) -> bool:
    """Whether an author's predicate holds; an exception in it is a ScenarioError."""
    try:
        with RUNNING:
            return bool(predicate(value, *args))
    except Exception as error:  # noqa: BLE001 - the author's function
        raise ScenarioError(f"{where}: {predicate.__name__}({value}): {error}") from None
