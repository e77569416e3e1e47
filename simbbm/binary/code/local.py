"""What a CPU knows by itself: registers and private memory, as a value that can be compared.

Two runs of a program that come to equal values are in one state. So what is left behind on the
stack or in registers (`liveness`) is no part of it, and neither is a word of private memory that is
as it was at the start.
"""

from __future__ import annotations

from typing import NamedTuple

from simbbm.binary.a64.cpu import Cpu
from simbbm.binary.a64.uses import FLAGS

NOT_FILLED = 0
"""Of a new table: nothing has been stored to it yet. Else the level of the leaves in it."""

Words = tuple[tuple[int, int], ...]
"""Words of 8 bytes by address, in order."""


class Local(NamedTuple):
    """A CPU between two operations."""

    x: tuple[int, ...]
    sp: int
    pc: int
    nzcv: int
    in_idmap: bool
    """Instructions are fetched at physical addresses."""
    registers: tuple[tuple[str, int], ...]
    """System registers that this CPU has written, as it wrote them last."""
    words: Words
    """Its own memory, where that is not as at the start."""
    allocated: int = 0
    """How many pages it has been given."""
    fresh: tuple[tuple[int, int], ...] = ()
    """New tables that no descriptor leads to yet, by word address; with the level of their
    leaves."""
    linked: tuple[tuple[int, int], ...] = ()
    """Levels of the new tables that one leads to."""
    filling: tuple[tuple[int, Words], ...] = ()
    """What is to be stored to new tables before anything else, by index."""
    touched: tuple[int, ...] = ()
    """Pages of its own memory that it has accessed since its translations last changed."""
    got: tuple[int, ...] = ()
    """Of an instruction with several accesses the values that have been loaded already."""

    number: tuple[int, ...] = ()
    """The register that the CPU's own number was loaded into and that nothing has read since, which
    is 0 until then; and the address of that load."""

    def cpu(self) -> Cpu:
        """Its registers, to be changed."""
        return Cpu(list(self.x), self.sp, self.pc, self.nzcv)

    def cleared(self, live: int) -> Local:
        """The same with all registers but these (a mask) cleared; SP and PC always stay."""
        return self._replace(
            x=tuple([value if live >> n & 1 else 0 for n, value in enumerate(self.x)]),
            nzcv=self.nzcv if live >> FLAGS & 1 else 0,
            number=self.number if self.number and live >> self.number[0] & 1 else (),
        )
