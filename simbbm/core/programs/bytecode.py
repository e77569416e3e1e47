"""Instructions of a code object, in terms that are the same from Python 3.11 on.

Later versions merged LOAD_METHOD into LOAD_ATTR, and several loads of locals into one; earlier ones
announce a call (PRECALL) and keep a place for who is called (PUSH_NULL). What is left out or told
apart because of that is left out and told apart here.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Sequence
from itertools import pairwise
from types import CodeType

CALLED = 1
"""Bit of a LOAD_GLOBAL's operand: what is loaded will be called."""
LATER = ("CACHE", "PUSH_NULL", "PRECALL", "NOP", "EXTENDED_ARG", "NOT_TAKEN")
"""Instructions that say nothing about what is loaded."""
_JUMPS = {*dis.hasjrel, *dis.hasjabs}
_TWO_ARGUMENTS = 2
"""Bit of a LOAD_SUPER_ATTR's operand: super() was called with arguments."""

Instruction = dis.Instruction
Instructions = Sequence[Instruction]


def instructions_of(code: CodeType) -> list[Instruction]:
    """The instructions of a code object that say something."""
    return [i for i in dis.get_instructions(code) if i.opname not in LATER]


def line(instruction: Instruction) -> int:
    """The line of the source that an instruction is of."""
    positions = instruction.positions
    return (positions.lineno if positions else None) or 0


def is_attribute(instruction: Instruction) -> bool:
    """Whether an attribute is looked up."""
    return instruction.opname in ("LOAD_ATTR", "LOAD_METHOD")


def is_method(instruction: Instruction) -> bool:
    """Whether an attribute is looked up to be called at once."""
    merged = sys.version_info >= (3, 12)
    return instruction.opname == "LOAD_METHOD" or (merged and bool((instruction.arg or 0) & CALLED))


def is_call(instruction: Instruction, operands: int) -> bool:
    """Whether something is called with so many operands, none of them by name."""
    return instruction.opname == "CALL" and instruction.arg == operands


def is_own_super(instructions: Instructions, i: int) -> bool:
    """Whether the attribute that an instruction looks up is one of super(), without arguments."""
    op = instructions[i]
    if op.opname == "LOAD_SUPER_ATTR":
        return not (op.arg or 0) & _TWO_ARGUMENTS
    asked = instructions[i - 2] if i > 1 and is_call(instructions[i - 1], 0) else None
    return asked is not None and asked.opname == "LOAD_GLOBAL" and asked.argval == "super"


def operands(instructions: Instructions, callee: int) -> list[Instructions] | None:
    """What makes each operand of the call of what an instruction loads.

    None if that is no call, or not straight: operands that depend on a condition, or `*`.
    """
    depth, starts = 0, {0: callee + 1}
    for n in range(callee + 1, len(instructions)):
        op = instructions[n]
        if is_call(op, depth) or (op.opname == "CALL_KW" and op.arg == depth - 1):
            bounds = [*(starts[k] for k in range(depth)), n]
            return [instructions[a:b] for a, b in pairwise(bounds)]
        if op.opcode in _JUMPS:
            return None
        before, depth = depth, depth + _pushed(op)
        if depth < 0:
            return None
        starts |= dict.fromkeys(range(before + 1, depth), n) | {depth: n + 1}
    return None


def _pushed(op: Instruction) -> int:
    """How many values more there are on the stack, not counting places for who is called."""
    known = {"CALL": -(op.arg or 0), "LOAD_GLOBAL": 1, "LOAD_SUPER_ATTR": -2}
    if is_attribute(op):
        return 0
    return known[op.opname] if op.opname in known else dis.stack_effect(op.opcode, op.arg)
