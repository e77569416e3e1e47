"""Machine code from one operation to the next: computation and private memory in between.

An operation stops the execution before its instruction has changed anything, and what the machine
observed completes it (`Running.observe`). Some operations come before the instruction that is at
PC: the branch into the idmap or out of it, the number of the CPU, what is to be stored to a new
table (nobody can look at it before it is linked, so that it is one store, as on the model's real
geometries), and, once the CPU's translations have changed, an access to each page of its own memory
that it uses, which may fault. Then the instruction is executed again, and stops for itself.
"""

from __future__ import annotations

from simbbm.binary.a64.bits import M64
from simbbm.binary.a64.execution import UnknownInstruction, complete, step
from simbbm.binary.a64.operations import (
    Access,
    ReadRegister,
    Stop,
    Store,
    WriteRegister,
)
from simbbm.binary.a64.uses import uses
from simbbm.binary.booted import RETURN
from simbbm.binary.code.accesses import (
    BRANCH,
    CHANGES_TRANSLATIONS,
    FILL,
    NUMBER,
    OWN,
    TOUCH,
    Accesses,
    Asked,
)
from simbbm.binary.code.asking import (
    NotModelledError,
    operation,
    part_of,
    value_of,
)
from simbbm.binary.code.liveness import Liveness
from simbbm.binary.code.local import NOT_FILLED, Local
from simbbm.binary.code.memory_map import WORD, MemoryMap
from simbbm.binary.formats.symbols import plain
from simbbm.binary.path import STUBS
from simbbm.binary.process import ALLOCATORS, INSTRUCTIONS_MAX, Finding
from simbbm.core.program import Op


class Stubs(dict[int, str]):
    """Functions that are not executed, by address."""

    def __init__(self, memory_map: MemoryMap) -> None:
        kernel = memory_map.kernel
        names = "|".join(external.name for external in kernel.externals)
        for symbol in kernel.symbols.named(rf"({names})(\.\w+)*"):
            self[symbol.address] = plain(symbol.name)

    def returning(self) -> dict[int, bool]:
        """Whether what stands in for each returns to its caller."""
        return {address: name in STUBS for address, name in self.items()}


class Running(Accesses):
    """A CPU that is executed up to the next operation."""

    def __init__(
        self, memory_map: MemoryMap, stubs: Stubs, liveness: Liveness, local: Local
    ) -> None:
        super().__init__(memory_map, local)
        self.stubs = stubs
        self.liveness = liveness

    def local(self) -> Local:
        """What the CPU knows now, as far as anything can look at it."""
        return super().local().cleared(self.liveness.at(self.map.in_image(self.cpu.pc)))

    # What is next

    def run(self) -> Asked | None:
        """Execute up to the next operation; None: the function has returned."""
        while self.cpu.pc != RETURN:
            if self.executed == INSTRUCTIONS_MAX:
                raise self.finding(f"no operation within {INSTRUCTIONS_MAX:,} instructions")
            if (name := self.stubs.get(self.cpu.pc)) is not None:
                if (asked := self._stand_in(name)) is not None:
                    return asked
                continue
            if self.in_idmap == self.map.is_upper(self.cpu.pc):
                self._require_code()
                page = self.map.page(self.cpu.pc)
                return Asked(Op("br", (page,)), self.cpu.pc, BRANCH)
            if self.number and (asked := self._needs_number()) is not None:
                return asked
            stop = self._step()
            self.executed += 1
            if stop is not None and (asked := self._asked(stop)) is not None:
                return asked
        return None

    def _require_code(self) -> int:
        """The address in the image of the instruction at PC."""
        address = self.map.in_image(self.cpu.pc)
        if not self.map.kernel.image.holds(address):
            raise self.finding("it branched to where no code is")
        return address

    def _instruction(self) -> int:
        word = self.map.kernel.word(self._require_code())
        if word is None:
            raise self.finding("a function of the kernel writes this instruction at boot")
        return word

    def _step(self) -> Stop | None:
        word = self._instruction()
        try:
            return step(self.cpu, word)
        except UnknownInstruction:
            raise self._unknown(word) from None

    def _unknown(self, word: int) -> Finding:
        return self.finding(f"{word:08x} is no instruction that simbbm knows")

    def _needs_number(self) -> Asked | None:
        """Ask for the CPU's number if the next instruction reads the register that it is in."""
        word = self._instruction()
        try:
            reads, writes, _ = uses(word)
        except UnknownInstruction:
            raise self._unknown(word) from None
        register, loaded_at = self.number
        if reads >> register & 1:
            return self._fill() or Asked(Op("mrs.mpidr_el1"), loaded_at, NUMBER)
        if writes >> register & 1:
            self.number = ()
        return None

    def _asked(self, stop: Stop) -> Asked | None:
        """What an instruction asks the machine for; None: nothing, and it is done."""
        try:
            match stop.operation:
                case Access() as access:
                    return self._accessed(stop, access)
                case ReadRegister(register="mpidr_el1"):
                    return Asked(Op("mrs.mpidr_el1"), self.cpu.pc, OWN, stop)
                case ReadRegister(register=register):
                    complete(self.cpu, stop, (self._register(register),))
                    return None
            op = operation(stop.operation, self.map)
        except NotModelledError as error:
            raise self.finding(str(error)) from None
        if op is None:
            self._write_register(stop)
            complete(self.cpu, stop)
            return None
        return self._fill() or Asked(op, self.cpu.pc, OWN, stop)

    def _write_register(self, stop: Stop) -> None:
        if not isinstance(stop.operation, WriteRegister):
            return
        register, value = stop.operation.register, stop.operation.value
        match register:
            case "daifset":
                self.registers["daif"] |= value << 6
            case "daifclr":
                self.registers["daif"] &= ~(value << 6)
            case _:
                self.registers[register] = value

    # What stands in for functions

    def _stand_in(self, name: str) -> Asked | None:
        if name == "panic":
            return self._fill() or Asked(Op("panic", ("panic()",)), self.cpu.pc, OWN)
        if name not in STUBS:
            raise self.finding(f"{name} is reached, which is not executed")
        result = 0
        if name in ALLOCATORS:
            if self.allocated == len(self.map.fresh):
                raise self.finding("it wants more pages than there are")
            physical = self.map.fresh[self.allocated]
            result = physical - self.map.ram + self.map.linear & M64
            if name == ALLOCATORS[0]:
                result = self.map.pages[physical]
            self.fresh[physical // WORD] = NOT_FILLED
            self.allocated += 1
        self.cpu.put(0, result)
        self.cpu.pc = self.cpu.get(30)
        return None

    # What was observed

    def observe(self, asked: Asked, value: object) -> None:
        """Go on once the machine has done an operation that observed a value."""
        if asked.op.mnemonic.startswith(CHANGES_TRANSLATIONS):
            self.touched.clear()
        if asked.why == BRANCH:
            self.in_idmap = not self.map.is_upper(self.cpu.pc)
        elif asked.why == TOUCH:
            self.touched.add(asked.where)
        elif asked.why == FILL:
            self._filled(asked)
        elif asked.why == NUMBER:
            self.cpu.put(self.number[0], value, 32)  # type: ignore[arg-type]
            self.number = ()
        elif asked.stop is not None:
            self._complete(asked, asked.stop, value)

    def _filled(self, asked: Asked) -> None:
        words = self.filling[asked.where]
        for n in sorted(words)[: asked.words]:
            del words[n]
        if not words:
            del self.filling[asked.where]

    def _complete(self, asked: Asked, stop: Stop, value: object) -> None:
        access = stop.operation
        if isinstance(access, WriteRegister):
            self.registers[access.register] = access.value
        if not isinstance(access, Access):
            complete(self.cpu, stop, (value,) if stop.targets else ())  # type: ignore[arg-type]
            return
        if isinstance(access, Store) and asked.level is not None:
            self._link(access, asked.level)
        if isinstance(access, Store) and not access.exclusive:
            seen = 0
        else:
            word = value_of(value, asked.level, self.map.shift)
            is_status = isinstance(access, Store)
            offset = asked.where % WORD if asked.level is not None else self._offset(asked.where)
            seen = word if is_status else part_of(word, offset, access.size)
        self.got = (*self.got, seen)
        if len(self.got) == access.count:
            complete(self.cpu, stop, self.got if stop.targets else ())
            self.got = ()
