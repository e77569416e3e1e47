"""One CPU that executes a function of a kernel, alone: what it asks of the machine, in order.

Every access is done in `Memory` at once, every system register keeps what was written last, and
functions that are not executed are stood in for (`path.STUBS`). What other CPUs would do is a value
of memory that is changed at a WFE. It is the sequence that a model is compared with, and not a
search: nothing is delayed or reordered.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from simbbm.binary.a64.execution import UnknownInstruction, complete, perform, step
from simbbm.binary.a64.operations import (
    Access,
    Exception_,
    Hint,
    Operation,
    ReadRegister,
    Stop,
    WriteRegister,
)
from simbbm.binary.booted import FLAGS, RETURN, Booted, booted, entered
from simbbm.binary.formats.symbols import plain
from simbbm.binary.kernel import Kernel
from simbbm.binary.memory import NothingThere
from simbbm.binary.path import STUBS
from simbbm.core.errors import ScenarioError

INSTRUCTIONS_MAX = 3_000_000
ALLOCATORS = ("alloc_pages_noprof", "get_free_pages_noprof")
"""The first gives a `struct page`, the second an address."""
SHARED = ("tables", "swapper_pg_dir", "__num_online_cpus", *FLAGS)
"""What other CPUs look at, too; everything else is this CPU's, or never changes."""


class Finding(ScenarioError):
    """Something that cannot be executed, with the place where it stands."""


class Event(NamedTuple):
    """An operation of a run."""

    place: str
    """The instruction: split_pmd+0x58."""
    operation: Operation
    what: str
    """What is accessed, by name: "linear map", "idmap_kpti_bbml2_flag"."""
    values: tuple[int, ...]
    """What it gave."""


class Process:
    """A CPU, its memory, and how far it is."""

    def __init__(self, kernel: Kernel, function: str, *, cpu: int = 0, online: int = 1) -> None:
        self.kernel = kernel
        self.booted: Booted = booted(kernel, cpu, online)
        self.cpu = entered(kernel, function)
        self.cpu.put(0, 0)
        self.executed = 0
        self._allocated = 0
        self._stubs = self._stub_addresses()

    def _stub_addresses(self) -> dict[int, str]:
        found = {}
        for external in self.kernel.externals:
            for symbol in self.kernel.symbols.named(rf"{external.name}(\.\w+)*"):
                found[symbol.address] = plain(symbol.name)
        return found

    def run(self) -> Iterator[Event]:
        """Execute until the function returns."""
        while self.cpu.pc != RETURN:
            if self.executed == INSTRUCTIONS_MAX:
                raise self._finding(f"it does not end within {INSTRUCTIONS_MAX:,} instructions")
            if (name := self._stubs.get(self.cpu.pc)) is not None:
                self._stand_in(name)
                continue
            place = self._place()
            stop = self._step()
            self.executed += 1
            if stop is None:
                continue
            values = self._answer(stop)
            complete(self.cpu, stop, values)
            yield Event(place, stop.operation, self._what(stop.operation), values)

    def _step(self) -> Stop | None:
        word = self.kernel.word(self._in_image(self.cpu.pc))
        if word is None:
            raise self._finding("a function of the kernel writes this instruction at boot")
        try:
            return step(self.cpu, word)
        except UnknownInstruction:
            raise self._finding(f"{word:08x} is no instruction that simbbm knows") from None

    def _in_image(self, pc: int) -> int:
        """Where code is read: what runs in the idmap is at its physical address."""
        address = self.booted.memory.virtual(pc)
        if not self.kernel.image.holds(address):
            raise self._finding("it branched to where no code is")
        return address

    def _place(self) -> str:
        pc = self.booted.memory.virtual(self.cpu.pc)
        return self.kernel.symbols.told(pc) if self.kernel.image.holds(pc) else f"{pc:#x}"

    def _finding(self, why: str) -> Finding:
        return Finding(f"{self.kernel.image.name}: {self._place()}: {why}")

    def _answer(self, stop: Stop) -> tuple[int, ...]:
        """What the machine says to an operation."""
        match stop.operation:
            case Access() as access:
                try:
                    return perform(access, self.booted.memory)
                except NothingThere as nothing:
                    raise self._finding(f"an access to {nothing}, where nothing is") from None
            case ReadRegister(register=register):
                if register not in self.booted.registers:
                    raise self._finding(f"nothing is known of {register}")
                return (self.booted.registers[register],)
            case WriteRegister(register=register, value=value):
                self.booted.registers[register] = value
            case Hint(name="wfe"):
                self.booted.memory.write(self.booted.flag, 4, 0)
            case Exception_(name=name, number=number):
                raise self._finding(f"{name} #{number:#x}")
        return ()

    def _stand_in(self, name: str) -> None:
        """Do what a stub does, and return from it."""
        if name not in STUBS:
            raise self._finding(f"{name} is reached, which is not executed")
        result = 0
        if name in ALLOCATORS:
            if self._allocated == len(self.booted.pages):
                raise self._finding("it wants more pages than there are")
            fresh = self.booted.pages[self._allocated]
            result = fresh.page if name == ALLOCATORS[0] else fresh.virtual
            self._allocated += 1
        self.cpu.put(0, result)
        self.cpu.pc = self.cpu.get(30)

    def _what(self, operation: Operation) -> str:
        if not isinstance(operation, Access):
            return ""
        address = self.booted.memory.virtual(operation.address)
        return self.booted.memory.region(address) or self.kernel.symbols.told(address)
