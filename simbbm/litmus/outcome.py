"""The end of an execution: what a condition may ask, and how it is written down.

Where `on_fault` is `"stop"` a fault ends its thread, and the registers stay as they were. Where it
gives handlers, a thread that has none stops *at* its access, as if its handler did not return: the
register of a load never gets its value, and no condition `1:r2=V` holds of it, whatever the
register held before. Published verdicts need both, each of them where they come from.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from simbbm.arm64.cpu import CpuState
from simbbm.arm64.descriptor import INVALID, TABLE, Descriptor
from simbbm.arm64.execution.listed import Listed
from simbbm.arm64.registers import Ttbr
from simbbm.arm64.state import Machine
from simbbm.arm64.translation.memory import MemoryPool
from simbbm.litmus.layout import PERMISSIONS, Layout
from simbbm.litmus.notation.conditions import EntryIs, MemoryIs, atoms, holds
from simbbm.litmus.notation.reader import LitmusTest
from simbbm.litmus.notation.syntax import Constant, Location, Physical


class Outcome(NamedTuple):
    """What one final state shows: registers, words that the condition names, faults."""

    registers: tuple[tuple[int, int, object], ...]
    """Thread, number and value; None is no value."""
    words: tuple[tuple[Physical | Location, object], ...]
    taken: tuple[tuple[tuple[int, str], ...], ...]
    """By thread, place and kind of its faults."""


class Observer:
    """Looks at the final states of one test."""

    def __init__(self, test: LitmusTest, layout: Layout, memories: MemoryPool) -> None:
        self.test = test
        self.layout = layout
        self.memories = memories
        self._registers = [
            sorted({o.destination for o in thread.everything if o.destination is not None})
            for thread in test.threads
        ]
        self._stopped_by = [
            {
                o.number: o.destination
                for o in thread.everything
                if o.op.startswith("ld") and thread.fault is None and not test.keeps_registers
            }
            for thread in test.threads
        ]
        named: dict[Physical | Location, int] = {}
        for atom in atoms(test.condition):
            if isinstance(atom, MemoryIs):
                named[atom.word] = layout.word(atom.word)
            elif isinstance(atom, EntryIs):
                named[atom.location] = layout.entry(atom.location)
        self._words = named

    def outcome(self, state: Machine) -> Outcome:
        """Return what a final state shows."""
        registers: list[tuple[int, int, object]] = []
        taken = []
        for i, pe in enumerate(state.cpus):
            written, faults = _end_of(pe)
            values = dict(written)
            lost = {self._stopped_by[i].get(number) for number, _ in faults}
            registers += (
                (i, n, None if n in lost else values.get(n, 0)) for n in self._registers[i]
            )
            taken.append(faults)
        words = tuple(
            (where, self.memories.read(state.memory, address))
            for where, address in self._words.items()
        )
        return Outcome(tuple(registers), words, tuple(taken))

    def counts(self, outcome: Outcome) -> bool:  # noqa: ARG002 - herd7's tests may leave some out
        """Whether the test looks at such ends: at all of them."""
        return True

    def reached(self, outcome: Outcome) -> bool:
        """Whether the condition holds."""
        return holds(self.test.condition, End(outcome, self.test, self.layout))

    def text(self, outcome: Outcome) -> str:
        """Return an outcome as it is written in conditions."""
        shown = [
            f"{thread}:r{number}={'?' if value is None else self._value(value)}"
            for thread, number, value in outcome.registers
        ]
        shown += [
            f"mem[{where}]={self._value(value)}"
            if isinstance(where, Physical)
            else f"{where}={self._value(value)}"
            for where, value in outcome.words
        ]
        shown += [
            f"fault(P{thread}@{number},{kind})"
            for thread, faults in enumerate(outcome.taken)
            for number, kind in faults
            if number >= 0
        ]
        return "; ".join(shown)

    def _value(self, value: object) -> str:
        if isinstance(value, Descriptor):
            return self._descriptor(value)
        if isinstance(value, Ttbr):
            return f"ttbr(root={self._named(value.baddr)},asid={value.asid})"
        return str(value)

    def _named(self, address: int) -> str:
        return self.layout.symbols().get(address, hex(address))

    def _descriptor(self, value: Descriptor) -> str:
        if value.kind == TABLE:
            return f"table({self.layout.table_name(value.output)})"
        page = self.layout.page_name(value.output) if value.output else ""
        if value.kind == INVALID:
            software = f"#{value.software}" if value.software else ""
            return (f"INV({page})" if page else "INV") + software
        flag = next((f for f, a in PERMISSIONS.items() if a == value.attributes), "?")
        flags = [flag, "" if value.access_flag else "af=0", "cont" if value.contiguous else ""]
        return f"leaf({','.join(filter(None, [page, *flags]))})"


def _end_of(pe: CpuState) -> tuple[Any, Any]:
    """Registers and faults of a thread that has ended, listing or program."""
    if isinstance(pe.flight, Listed):
        return pe.flight.registers, pe.flight.faults
    registers, faults = pe.point.value
    return registers, faults


class End:
    """A final state as a condition looks at it."""

    def __init__(self, outcome: Outcome, test: LitmusTest, layout: Layout) -> None:
        self._outcome = outcome
        self._layout = layout
        self._initial = [dict(thread.registers) for thread in test.threads]
        self._registers = {(t, n): value for t, n, value in outcome.registers}
        self._words = dict(outcome.words)

    def register(self, thread: int, number: int) -> object:
        """Return what a register holds; None if it has no value."""
        if (thread, number) in self._registers:
            return self._registers[thread, number]
        return self._layout.constant(self._initial[thread].get(number, 0))

    def word(self, where: Physical | Location) -> object:
        """Return what a word of memory holds."""
        return self._words[where]

    def faults(self, thread: int) -> tuple[tuple[int, str], ...]:
        """Return place and kind of each fault that a thread took."""
        return self._outcome.taken[thread]

    def constant(self, value: Constant, where: Location | None) -> object:
        """Return what a register or a word holds that has this value."""
        return self._layout.constant(value, where)
