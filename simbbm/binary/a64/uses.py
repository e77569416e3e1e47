"""Which registers an instruction reads and writes, and where it may go: what liveness asks for.

Nothing of it is written down anew: an instruction is executed on registers that note who looks at
them. What it reads may depend on the flags (CSEL, CCMP) and where it goes on the register that it
tests, so it is executed for all flags, with registers of zeros and of ones.
"""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import NamedTuple

from simbbm.binary.a64.bits import M64
from simbbm.binary.a64.branches import Branch, branch_authenticated, branch_to_register
from simbbm.binary.a64.cpu import ZERO, Cpu
from simbbm.binary.a64.execution import TABLE, UnknownInstruction, step
from simbbm.binary.a64.forms import Undefined
from simbbm.binary.a64.operations import Exception_

SP, FLAGS = 31, 32
"""Their bits in a mask of registers; X0 to X30 have those of their numbers."""
EVERY = (1 << FLAGS + 1) - 1
INDIRECT = (branch_to_register, branch_authenticated)
BASE = 1 << 32
"""An address from which every branch stays above zero."""


class Uses(NamedTuple):
    """What an instruction does to registers, as masks."""

    reads: int
    """All that it may look at."""
    writes: int
    """All that it overwrites for certain, whatever it was before."""
    onward: tuple[int, ...] | None
    """How many bytes away what is executed next may be; None: anywhere."""


class _Observed(Cpu):
    """Registers that note who looks at them: all alike, but for the flags."""

    __slots__ = ("flags", "reads", "value", "writes")

    def __init__(self, value: int, flags: int) -> None:
        self.value, self.flags = value, flags
        super().__init__([value] * 31, value, BASE, flags)
        self.reads = self.writes = 0

    @property
    def nzcv(self) -> int:
        """The flags."""
        self.reads |= 1 << FLAGS & ~self.writes
        return self.flags

    @nzcv.setter
    def nzcv(self, value: int) -> None:
        self.flags = value
        self.writes = getattr(self, "writes", 0) | 1 << FLAGS

    def get(self, register: int, width: int = 64) -> int:
        return 0 if register == ZERO else self.get_sp(register, width)

    def put(self, register: int, value: int, width: int = 64) -> None:
        if register != ZERO:
            self.put_sp(register, value, width)

    def get_sp(self, register: int, width: int = 64) -> int:
        self.reads |= 1 << register & ~self.writes
        return super().get_sp(register, width)

    def put_sp(self, register: int, value: int, width: int = 64) -> None:
        self.writes |= 1 << register
        super().put_sp(register, value, width)


@cache
def uses(word: int) -> Uses:
    """What a word does to registers; UnknownInstruction if it is none."""
    try:
        form = TABLE.decode(word).form
    except Undefined:
        raise UnknownInstruction(word, 0) from None
    reads, writes, onward = 0, EVERY, set[int]()
    anywhere = form.execute in INDIRECT
    for value, flags in product((0, M64), range(16)):
        cpu = _Observed(value, flags)
        stop = step(cpu, word)
        if stop is not None:
            for target in stop.targets:
                cpu.put(target.register, 0, target.width)
            if stop.base:
                cpu.put_sp(*stop.base)
            anywhere |= isinstance(stop.operation, Exception_)
        reads, writes = reads | cpu.reads, writes & cpu.writes
        onward.add(cpu.pc - BASE if isinstance(form, Branch) else 4)
    return Uses(reads, writes, None if anywhere else tuple(sorted(onward)))
