"""A program's operation as the executor sees it."""

from __future__ import annotations

from typing import Any

from simbbm.arm64.descriptor import leaves
from simbbm.arm64.instructions import RULES, Decoded
from simbbm.core.automaton import ControlPoint
from simbbm.core.unknown import Dependent, is_known


def decoded(point: ControlPoint) -> Decoded:
    """Decode what a program asks for, as far as its operands are known."""
    op = point.op
    assert op is not None
    head, _, option = op.mnemonic.partition(".")
    rule = RULES[op.mnemonic if head == "wait" else head]
    operands = op.args
    addressed, address = True, 0
    if rule.access:
        addressed = is_known(operands[0])
        address = bare(operands[0]) if addressed else 0
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
        operands=operands if known else None,
    )


def bare(operand: Any) -> Any:
    """An operand without what it only depends on."""
    return operand.operand if type(operand) is Dependent else operand
