"""What instructions are given: values of registers, numbers, addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from simbbm.arm64.execution.listing import Apply, Instruction, Reg, Select, Value
from simbbm.core.errors import ScenarioError
from simbbm.litmus.herd import arithmetic as a
from simbbm.litmus.herd import tree
from simbbm.litmus.herd.lexer import error
from simbbm.litmus.herd.values import ZERO
from simbbm.litmus.notation.syntax import Malformed, Unsupported


class Operands:
    """Reads the operands of one thread's instructions; `line` is the one that is read."""

    def __init__(self, file: str, written: set[int], first: dict[int, Any]) -> None:
        self.file = file
        self.written = written
        """Registers that some instruction of the thread writes."""
        self.first = first
        """What registers hold at the start."""
        self.line = tree.Line(tree.At(1, 1), ())

    def malformed(self, message: str, hint: str | None = None) -> Malformed:
        """The error for the instruction that is read."""
        return error(self.file, self.line.at, message, hint)

    def unsupported(self, why: str) -> Unsupported:
        """The error for one that is understood, and not modelled."""
        return Unsupported(f"{self.file}:{self.line.at.line}:{self.line.at.column}: {why}")

    # Operands

    def read(self, register: tree.Register) -> Value:
        """What an instruction reads of a register."""
        if register.number == ZERO:
            return 0
        if register.number not in self.written:
            first = self.first.get(register.number, 0)
            found: Value = first if register.wide else a.low(first)
            return found
        own = Reg(register.number)
        return own if register.wide else apply(a.low, own)

    def operand(self, line: tree.Line, i: int) -> Value:
        """The value of a register or a number that an instruction is given."""
        if i >= len(line.operands):
            raise self.malformed(f"{line.mnemonic} has too few operands")
        operand = line.operands[i]
        if isinstance(operand, tree.Immediate):
            return operand.value & a.DOUBLE
        if isinstance(operand, tree.Register):
            return self.read(operand)
        raise self.malformed(f"operand {i + 1} of {line.mnemonic} is no register and no number")

    def register(self, line: tree.Line, i: int) -> tree.Register:
        """A register."""
        operand = line.operands[i] if i < len(line.operands) else None
        if not isinstance(operand, tree.Register):
            raise self.malformed(f"operand {i + 1} of {line.mnemonic} is no register")
        return operand

    def memory(self, line: tree.Line, i: int) -> tree.Memory:
        """An address, like `[X1]`."""
        operand = line.operands[i] if i < len(line.operands) else None
        if not isinstance(operand, tree.Memory):
            raise self.malformed(f"operand {i + 1} of {line.mnemonic} is no address, like [X1]")
        return operand

    def name(self, line: tree.Line, i: int) -> str:
        """A label, an option, a condition."""
        operand = line.operands[i] if i < len(line.operands) else None
        if not isinstance(operand, tree.Name):
            raise self.malformed(f"operand {i + 1} of {line.mnemonic} is no name")
        return operand.text

    def address(self, memory: tree.Memory) -> Value:
        """Where an access goes."""
        base, offset = self.read(memory.base), memory.offset
        if offset is None:
            return base
        if isinstance(offset, tree.Immediate):
            return apply(a.plus, base, offset.value & a.DOUBLE) if offset.value else base
        more = self.read(offset)
        more = apply(a.sign_extended, more) if memory.extend == "SXTW" else more
        more = apply(a.shifted_left, more, memory.shift) if memory.shift else more
        return apply(a.plus, base, more)

    def set_register(self, register: tree.Register, value: Value) -> Iterator[Instruction]:
        """A register gets a value that is computed."""
        if register.number != ZERO:
            narrow = value if register.wide else apply(a.low, value)
            yield Instruction("mov", register.number, value=narrow)


def apply(function: Callable[..., Any], *operands: Value) -> Value:
    """A function of values; what depends on no register is computed now."""
    if any(isinstance(v, Reg | Apply | Select) for v in operands):
        return Apply(function, operands)
    try:
        found: Value = function(*operands)
    except ScenarioError as error_:
        raise Malformed(error_.message, error_.hint) from None
    return found


def registers(value: Value) -> Iterator[int]:
    """Every register that a value depends on."""
    match value:
        case Reg(number=number):
            yield number
        case Apply(operands=operands):
            for operand in operands:
                yield from registers(operand)
        case Select():
            for part in value:
                yield from registers(part)
        case _:
            return
