"""Decodes a program's operations for the executor, and refuses operands that make no sense."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simbbm.arm64.context import Shared
from simbbm.arm64.descriptor import leaves
from simbbm.arm64.execution.instructions import RULES, Decoded
from simbbm.arm64.ops import Physical
from simbbm.arm64.translation.memory import Memory
from simbbm.core.errors import ScenarioError
from simbbm.core.points import ControlPoint
from simbbm.core.programs.symbols import RUNNING
from simbbm.core.unknown import Dependent, is_known


def decoded(point: ControlPoint) -> Decoded:
    """Decode a program's operation, as far as its operands are known; it is remembered."""
    made: Decoded | None = point.decoded
    if made is None:
        made = point.decoded = _decoded(point)
    return made


def _decoded(point: ControlPoint) -> Decoded:
    op = point.op
    assert op is not None
    head, _, option = op.mnemonic.partition(".")
    rule = RULES.get(op.mnemonic) or RULES[head]
    operands = op.args
    addressed, physical, address = True, False, 0
    if rule.access:
        addressed = is_known(operands[0])
        if addressed:
            address = bare(operands[0])
            if type(address) is Physical:
                physical, address = True, address.address
            check_address(point.where, op.mnemonic, address)
        operands = operands[1:]
    known = is_known(operands)
    if known:
        operands = tuple(map(bare, operands))
        if head == "fill":
            operands = leaves(*operands)
    return Decoded(
        rule,
        op.mnemonic,
        option,
        point.label,
        point.where,
        addressed,
        address,
        physical,
        operands if known else None,
    )


def bare(operand: Any) -> Any:
    """An operand without its pure dependencies (`depending`)."""
    return bare(operand.operand) if type(operand) is Dependent else operand


# Operands


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
        what = {"tcr_el1": "Tcr", "sctlr_el1": "Sctlr", "icc_sgi1r_el1": "Sgi"}.get(
            register, "Ttbr"
        )
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
