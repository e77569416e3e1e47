"""Decodes a program's operations for the executor."""

from __future__ import annotations

from typing import Any

from simbbm.arm64.descriptor import leaves
from simbbm.arm64.execution.instructions import RULES, Decoded
from simbbm.arm64.execution.operand_checks import check_address
from simbbm.arm64.ops import Physical
from simbbm.core.programs.automaton import ControlPoint
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
