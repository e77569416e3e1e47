"""Whose memory is where: what is shared, which tables there are, and what is a CPU's own.

A machine counts memory in words of 8 bytes, a kernel accesses variables of 4 bytes, and two of them
may be neighbours in one word. Each shared variable is a word of the machine (`Cell`), since each
access to it is single-copy atomic and touches nothing else; the upper one of two neighbours gets
another place in the same page. An access that touches two of them, or part of one, is refused.

Each CPU has its own stack and its own `current` at the same virtual addresses, which only it looks
at; whoever stores to any other variable of the image than a shared one is refused, too. So no
access to shared memory is taken for a private one.

Most entries of the tables are empty and stay so: a walk over the whole linear map looks at 1,278 of
them, to split one block. To load one is private, as it is with what is only read. That nobody ever
stores to one is checked, as with a variable: who does is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from simbbm.arm64.geometry import KERNEL_PAGE, Geometry
from simbbm.binary.a64.bits import M64, mask
from simbbm.binary.kernel import Kernel
from simbbm.binary.memory import Region

WORD = 8


class Cell(NamedTuple):
    """A variable that several CPUs access."""

    name: str
    address: int
    size: int

    def covers(self, address: int, size: int) -> bool:
        """Whether an access touches it."""
        return self.address < address + size and address < self.address + self.size


@dataclass(frozen=True, eq=False)
class MemoryMap:
    """Addresses of one kernel on a machine with one layout of memory."""

    kernel: Kernel
    geometry: Geometry
    shift: int
    """Bits of an offset in a page."""
    va_bits: int
    """Bits of an address in the half of TTBR1."""
    linear: int
    """First address of the linear map, which maps physical memory from `ram` on."""
    ram: int
    ram_size: int
    voffset: int
    """What an address of the image is above its physical one."""
    cells: tuple[Cell, ...]
    levels: Mapping[int, int]
    """Levels of the tables that there are at the start, by the word address of the first entry."""
    fresh: tuple[int, ...]
    """Physical addresses of pages that the allocator has, in order."""
    own: tuple[Region, ...]
    """Memory that each CPU has for itself."""
    unmapped: tuple[Region, ...]
    """The same, whose translation is not looked at: struct page."""
    constants: Mapping[int, int]
    """Words that differ from the image, and never change after boot."""
    pages: Mapping[int, int]
    """The `struct page` of each page that the allocator has, by its physical address."""
    read_only: int
    """An address whose translation stands for that of all variables which are only read."""
    empty: Callable[[int], bool]
    """Whether a word of `levels`' tables holds nothing at the start: then it never does, since a
    store to it is refused."""
    current_cpu: int
    """Address of the number of the CPU (thread_info.cpu), which stands for MPIDR_EL1."""

    def word(self, address: int) -> int:
        """The machine's address of a byte: in words, pages of the upper half from KERNEL_PAGE."""
        page, offset = divmod(address & mask(self.va_bits), 1 << self.shift)
        page += KERNEL_PAGE if self.is_upper(address) else 0
        return page * self.geometry.page_words + offset // WORD

    def cell_word(self, cell: Cell, address: int) -> int:
        """The machine's address of a cell that is accessed at an address."""
        return self.word(address & -(1 << self.shift)) + self._place(cell)

    def cell_physical(self, cell: Cell) -> int:
        """The machine's physical address of a cell."""
        page = (cell.address - self.voffset & M64) >> self.shift
        return page * self.geometry.page_words + self._place(cell)

    def _place(self, cell: Cell) -> int:
        """Its word in its page; that of an upper half is one that no other cell has."""
        words = self.geometry.page_words
        place = cell.address % (1 << self.shift) // WORD
        if cell.address % WORD == 0:
            return place
        taken = {each.address % (1 << self.shift) // WORD for each in self.cells}
        return next(p % words for p in range(place + words // 2, place + words) if p not in taken)

    def is_upper(self, address: int) -> bool:
        """Whether an address is translated by TTBR1."""
        return bool(address >> 55 & 1)

    def in_image(self, address: int) -> int:
        """An address of the image, also for its physical one, as the idmap has it."""
        return address if self.is_upper(address) else address + self.voffset & M64

    def table(self, address: int) -> int | None:
        """The physical word of an address in the linear map or in swapper_pg_dir."""
        if 0 <= address - self.linear < self.ram_size:
            return (address - self.linear + self.ram) // WORD
        if self.kernel.image.holds(address) or self._is_root(address):
            return (address - self.voffset & M64) // WORD
        return None

    def _is_root(self, address: int) -> bool:
        base = (address - self.voffset & M64) // WORD & -self.geometry.entries
        return self.is_upper(address) and base in self.levels

    def page(self, address: int) -> int:
        """The machine's page of an address."""
        return self.word(address) // self.geometry.page_words

    def private(self, address: int) -> Region | None:
        """The region of a CPU's own memory that an address is in."""
        for region in (*self.own, *self.unmapped):
            if region.start <= address < region.start + region.size:
                return region
        return None
