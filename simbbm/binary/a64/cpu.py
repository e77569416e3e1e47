"""The registers that an instruction reads and writes: X0 to X30, SP, PC, NZCV."""

from __future__ import annotations

from simbbm.binary.a64.bits import M32, M64

ZERO = 31
"""Register 31 is XZR, or SP in the places that the manual names."""


class Cpu:
    """Registers of one CPU, changed by each instruction. `kept` is what they are, as a value."""

    __slots__ = ("nzcv", "pc", "sp", "x")

    def __init__(self, x: list[int] | None = None, sp: int = 0, pc: int = 0, nzcv: int = 0) -> None:
        self.x = x or [0] * 31
        self.sp = sp
        self.pc = pc
        """The instruction that is executed; the next one after it is."""
        self.nzcv = nzcv

    def kept(self) -> tuple[int, ...]:
        """All of them."""
        return (*self.x, self.sp, self.pc, self.nzcv)

    def get(self, register: int, width: int = 64) -> int:
        """X or W; 31 is the zero register."""
        value = 0 if register == ZERO else self.x[register]
        return value & M32 if width == 32 else value

    def put(self, register: int, value: int, width: int = 64) -> None:
        """X or W, whose upper half becomes zero; what goes to register 31 is lost."""
        if register != ZERO:
            self.x[register] = value & (M32 if width == 32 else M64)

    def get_sp(self, register: int, width: int = 64) -> int:
        """X or W; 31 is SP."""
        value = self.sp if register == ZERO else self.x[register]
        return value & M32 if width == 32 else value

    def put_sp(self, register: int, value: int, width: int = 64) -> None:
        """X or W; 31 is SP."""
        value &= M32 if width == 32 else M64
        if register == ZERO:
            self.sp = value
        else:
            self.x[register] = value
