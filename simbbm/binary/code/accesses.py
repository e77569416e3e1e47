"""Accesses to memory: which are operations of the machine, and which the CPU does by itself."""

from __future__ import annotations

from typing import NamedTuple

from simbbm.arm64.descriptor import TABLE
from simbbm.arm64.geometry import LEAF_LEVEL
from simbbm.binary.a64.bits import M64, signed
from simbbm.binary.a64.cpu import ZERO
from simbbm.binary.a64.execution import complete, perform
from simbbm.binary.a64.operations import (
    Access,
    Atomic,
    Load,
    Stop,
    Store,
)
from simbbm.binary.code.asking import (
    NotModelledError,
    described,
    filled,
    kind_of,
    linked_at,
    mnemonic,
    stored,
)
from simbbm.binary.code.executed import Executed
from simbbm.binary.code.local import NOT_FILLED
from simbbm.binary.code.memory_map import WORD, Cell
from simbbm.core.program import Op

BRANCH, FILL, NUMBER, TOUCH, OWN = "branch", "fill", "number", "touch", "own"
"""Why an operation is asked for: OWN is the instruction's own, the others come before it."""
CHANGES_TRANSLATIONS = ("msr", "isb", "br")
"""After these a CPU's own memory may be mapped in another way, or not at all."""


class Asked(NamedTuple):
    """An operation that execution has stopped at."""

    op: Op
    pc: int
    why: str
    stop: Stop | None = None
    level: int | None = None
    """Of an access to a table, its level."""
    where: int = 0
    """Of an access, its first byte; of a store to a new table, the table; of a touch, the page."""
    words: int = 0
    """Of a store to a new table, how many words it stores."""


class Accesses(Executed):
    """A CPU that is executed, at an instruction that accesses memory."""

    def _accessed(self, stop: Stop, access: Access) -> Asked | None:
        address = access.address + len(self.got) * access.size
        if (cell := self._cell(address, access.size)) is not None:
            return self._fill() or self._to_cell(stop, access, cell, address)
        if self._is_private(address):
            return self._to_own(stop, access)
        if (word := self.map.table(address)) is not None:
            base = word & -self.map.geometry.entries
            if base in self.fresh:
                return self._to_fresh(stop, access, base, word)
            if base in self.map.levels and self.map.empty(word) and not _is_ordered(access):
                return self._to_empty(stop, access)
            if (level := self._level(base)) is not None:
                return self._fill() or self._to_table(stop, access, level, address)
        return self._to_image(stop, access, address)

    def _cell(self, address: int, size: int) -> Cell | None:
        """The shared variable that is accessed, at its kernel address or through the idmap."""
        at = self.map.in_image(address)
        for cell in self.map.cells:
            if cell.covers(at, size):
                if at < cell.address or at + size > cell.address + cell.size:
                    raise NotModelledError(f"an access of {size} bytes to {cell.name} and more")
                return cell
        return None

    def _is_private(self, address: int) -> bool:
        return self.map.private(address) is not None

    def _level(self, base: int) -> int | None:
        level = self.map.levels.get(base)
        return self.linked.get(base) if level is None else level

    def _to_cell(self, stop: Stop, access: Access, cell: Cell, address: int) -> Asked:
        args: tuple[object, ...] = (self.map.cell_word(cell, address),)
        whole = access.size == cell.size
        if not isinstance(access, Load) and not whole:
            raise NotModelledError(f"a store of {access.size} bytes to {cell.name}")
        if isinstance(access, Store):
            args += (stored(cell, access.values[len(self.got)]),)
        elif isinstance(access, Atomic):
            args += (signed(access.operand, 8 * access.size),)
        return Asked(Op(mnemonic(access), args), self.cpu.pc, OWN, stop, None, address)

    def _to_table(self, stop: Stop, access: Access, level: int, address: int) -> Asked:
        args: tuple[object, ...] = (self.map.word(address),)
        if isinstance(access, Store):
            if access.size != WORD:
                raise NotModelledError(f"a store of {access.size} bytes to a table")
            args += (described(access.values[len(self.got)], level, self.map.shift),)
        elif not isinstance(access, Load):
            raise NotModelledError(f"{access.name} on a table")
        return Asked(Op(mnemonic(access), args), self.cpu.pc, OWN, stop, level, address)

    def _to_empty(self, stop: Stop, access: Access) -> Asked | None:
        """An access to an entry of a table that is empty, and remains so."""
        if not isinstance(access, Load) or access.count > 1:
            raise NotModelledError(f"{access.name} on an entry of a table that is to remain empty")
        if (touch := self._touch(access.address)) is not None:
            return touch
        complete(self.cpu, stop, (0,))
        return None

    def _to_fresh(self, stop: Stop, access: Access, base: int, word: int) -> Asked | None:
        """An access to a table that nothing links: stores are gathered."""
        if not isinstance(access, Store):
            return self._fill() or self._to_table(stop, access, self._leaves(base), access.address)
        if access.size != WORD or access.exclusive:
            raise NotModelledError(f"{access.name} of {access.size} bytes to a table")
        for n, value in enumerate(access.values):
            leaves = kind_of(value)
            if leaves is not None and self.fresh[base] not in (NOT_FILLED, leaves):
                raise NotModelledError("a new table has pages and blocks")
            self.fresh[base] = leaves or self.fresh[base]
            self.filling.setdefault(base, {})[word - base + n] = value
        complete(self.cpu, stop)
        return None

    def _leaves(self, base: int) -> int:
        return self.fresh[base] or LEAF_LEVEL

    def _fill(self) -> Asked | None:
        """What has been gathered for new tables, if anything has."""
        for base, words in self.filling.items():
            level, shift = self._leaves(base), self.map.shift
            entries = {n: described(word, level, shift) for n, word in words.items()}
            address = base * WORD - self.map.ram + self.map.linear & M64
            op, number = filled(entries, self.map.word(address))
            return Asked(op, self.cpu.pc, FILL, where=base, words=number)
        return None

    def _to_own(self, stop: Stop, access: Access) -> Asked | None:
        """An access to the CPU's own memory."""
        last = access.address + access.size * access.count - 1
        if access.address <= self.map.current_cpu <= last and isinstance(access, Load):
            return self._to_number(stop, access)
        region = self.map.private(access.address)
        if region not in self.map.unmapped:
            for address in (access.address, last):
                if (touch := self._touch(address)) is not None:
                    return touch
        complete(self.cpu, stop, perform(access, self))
        return None

    def _to_number(self, stop: Stop, access: Access) -> Asked | None:
        """A load of the CPU's number: asked for where it is read; CPUs are alike until then.

        MPIDR_EL1 never changes, and nobody else looks at it: it may be read at any time.
        """
        if access.count > 1:
            raise NotModelledError("a pair of loads has the number of the CPU in it")
        (target,) = stop.targets
        if self.number or target.register == ZERO or target.width != 32 or target.sign_from:
            return Asked(Op("mrs.mpidr_el1"), self.cpu.pc, OWN, stop)
        self.number = target.register, self.cpu.pc
        complete(self.cpu, stop, (0,))
        return None

    def _touch(self, address: int) -> Asked | None:
        """The first access to a page of its own since the CPU's translations have changed."""
        page = self.map.page(address)
        if page in self.touched:
            return None
        op = Op("ldr", (self.map.word(address),))
        return self._fill() or Asked(op, self.cpu.pc, TOUCH, where=page)

    def _to_image(self, stop: Stop, access: Access, address: int) -> Asked | None:
        at = self.map.in_image(address)
        if not (self.map.kernel.image.holds(at) or at & -WORD in self.map.constants):
            raise NotModelledError(f"an access to {address:#x}, where nothing is")
        if not isinstance(access, Load):
            told = self.map.kernel.symbols.told(at)
            raise NotModelledError(f"a store to {told}, which other CPUs may look at")
        if self.map.is_upper(address) and (touch := self._touch(self.map.read_only)) is not None:
            return touch
        complete(self.cpu, stop, perform(access, self))
        return None

    def _offset(self, address: int) -> int:
        """How far in a variable an access is."""
        at = self.map.in_image(address)
        return next((at - c.address for c in self.map.cells if c.covers(at, 1)), 0)

    def _link(self, access: Store, level: int) -> None:
        """Note the level of a new table that a descriptor leads to."""
        found = described(access.values[len(self.got)], level, self.map.shift)
        if found.kind == TABLE and found.output in self.fresh:
            try:
                linked_at(self.fresh.pop(found.output), level + 1)
            except NotModelledError as error:
                raise self.finding(str(error)) from None
            self.linked[found.output] = level + 1


def _is_ordered(access: Access) -> bool:
    """Whether it is a load that does more than to load: it orders others, or arms the monitor."""
    return isinstance(access, Load) and (access.acquire or access.acquire_pc or access.exclusive)
