"""What a view keeps of a state: what all CPUs share, and a few of the CPUs that are alike.

A *shared* state is memory without what the counters hold, the counters' state (`counting`), and the
boot CPU. A *local* state is one other CPU, numbered 1, and its share in the counters. A state of
the machine for any number of CPUs is one shared state and a multiset of local ones; a *view* is one
shared state and k of these local ones.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from simbbm.arm64.cpu import CpuState
from simbbm.arm64.footprints import Kind
from simbbm.arm64.machine import Arm64
from simbbm.arm64.state import Machine
from simbbm.arm64.translation.memory import Memory
from simbbm.core.points import ControlPoint
from simbbm.core.programs.symbols import Added, Batch, Held, Linear, Symbol
from simbbm.core.system import Cell
from simbbm.core.values import digest
from simbbm.explore.every_n.counting import Count, Counting, Refused, Share
from simbbm.explore.search.reductions.invalidations import as_one

BOOT, FIRST = 0, 1
"""Numbers of the boot CPU, and of the CPU as which a local state is kept."""

VALUES_MAX = 12
"""Values that one word of memory may take: a word in which CPUs count takes one for each."""
STORES = ("str", "stlr", "stxr", "stlxr")


class Local(NamedTuple):
    """One CPU with its history."""

    cpu: CpuState
    shares: tuple[Share, ...]
    """What it has to do with each counter."""
    armed: str = ""
    """The label of its last step, if that was a load of a counter."""
    fresh: tuple[tuple[int, str], ...] = ()
    """Readings that it compares later, by counter and label, if the counter is as it was then."""

    def loaded(self, c: int, label: str) -> Local:
        """After it has read a counter."""
        return self._replace(fresh=tuple(sorted({*self.fresh, (c, label)})))

    def changed(self, c: int) -> Local:
        """After a counter was stored to."""
        if not self.fresh:
            return self
        return self._replace(fresh=tuple(each for each in self.fresh if each[0] != c))


class Shared(NamedTuple):
    """What all CPUs but the first share."""

    memory: Memory
    boot: Local
    counts: tuple[Count, ...]


class Configuration(NamedTuple):
    """A shared state with some local ones, in any order."""

    shared: Shared
    locals: tuple[Local, ...]


class HoldsSomething(Exception):
    """TLBIs were taken for one on a CPU to which it may matter which they are."""


class Abstraction:
    """Takes machine states to configurations and back, for one scenario's machine."""

    def __init__(self, system: Arm64, counting: Counting, *, reduce: bool) -> None:
        self.system = system
        self.reduce = reduce and system.judged.monotone
        """Take orders that nobody can tell apart for one (`fewer`)."""
        self.counting = counting
        self.at = {address: c for c, address in enumerate(counting.addresses)}
        """Which counter is at a physical address."""
        self._held = {a: Held(counting.counters[c].name) for a, c in self.at.items()}
        self._values: dict[int, set[object]] = {}
        """What other words have held."""
        self._checked: set[ControlPoint] = set()

    def initial(self) -> Configuration:
        """The machine's initial state, with as many CPUs as it has seats."""
        state = self.system.initial()
        values = [state.memory.data.get(a, 0) for a in self.counting.addresses]
        counts = self.counting.start(values)
        for counter, value in zip(self.counting.counters, values, strict=True):
            tickets = counter.calls is not None and values[self.at[counter.calls]]
            if counter.calls is not None and (value or tickets):
                raise Refused(f"{counter.name} and its tickets do not start at 0 (let them)")
        shares = (Share(),) * len(counts)
        boot, *others = (Local(cpu, shares) for cpu in state.cpus)
        if any(other != others[0] for other in others):
            raise Refused(
                "the CPUs but the first are not alike: they differ in program, arguments, features "
                "or registers (give them the same, or prove it for a number of CPUs)"
            )
        shared = Shared(self.held(state.memory), boot, counts)
        return Configuration(shared, tuple(self.kept(other, FIRST) for other in others))

    def held(self, memory: Memory) -> Memory:
        """Memory without what the counters hold; refuse words that take ever more values."""
        for address, value in memory.data.items():
            if address in self.at or type(value) not in (int, Linear):
                continue
            known = self._values.setdefault(address, set())
            known.add(value)
            if len(known) > VALUES_MAX:
                name = self.system.shared.name(address)
                raise Refused(f"{name} takes more and more values (declare it in Setup.counters)")
        return self.holding(memory, self._held)

    def holding(self, memory: Memory, values: dict[int, Any]) -> Memory:
        """Memory with these values of counters."""
        data: dict[int, Any] = memory.data | values
        return self.system.shared.memories.memory(memory.tables, data)

    def state(self, configuration: Configuration) -> Machine:
        """The machine's state for a configuration: each local state gets a number."""
        shared, locals_ = configuration
        seated = (self.numbered(one.cpu, FIRST + n, FIRST) for n, one in enumerate(locals_))
        return Machine(shared.memory, (shared.boot.cpu, *seated))

    def numbered(self, cpu: CpuState, new: int, old: int) -> CpuState:
        """The same CPU under another number: it is the issuer of TLBIs that are its own."""
        if new == old or not cpu.pending_tlbis:
            return cpu
        renamed = (p._replace(issuer=new) if p.issuer == old else p for p in cpu.pending_tlbis)
        return self.system.shared.cpus.change(cpu, pending_tlbis=tuple(sorted(renamed)))

    def kept(self, local: Local, number: int) -> Local:
        """The local state of the CPU that has this number, checked."""
        cpu = local.cpu
        for pending in cpu.pending_tlbis:
            if pending.issuer not in (BOOT, number):
                raise Refused(
                    f"{cpu.point.label}: a TLBI of another CPU than the boot CPU is broadcast "
                    "(a proof for every number of CPUs needs it local, or on the boot CPU)"
                )
        self.require_known(cpu)
        cpu = self.numbered(cpu, FIRST, number)
        if self.reduce and cpu.pending_tlbis:
            try:
                cpu = as_one(self.system.shared, cpu, BOOT)
            except ValueError:
                raise HoldsSomething from None
        return local._replace(cpu=cpu)

    def concerns(self, cell: Cell) -> bool:
        """Whether a cell is a counter, or the word that announces one."""
        kind, address = cell
        announced = (counter.announces for counter in self.counting.counters)
        return kind == Kind.WORD and (address in self.at or address in announced)

    def require_known(self, cpu: CpuState) -> None:
        """Refuse operations that use a symbol as what it cannot be: an address, a page, ..."""
        point = cpu.point
        if point in self._checked:
            return
        op = point.op
        if op is not None:
            head, _, option = op.mnemonic.partition(".")
            where = f"{point.where}: {op.mnemonic}"
            if option == "mpidr_el1" and head == "msr":
                raise Refused(f"{where}: a CPU does not write its number")
            for n, operand in enumerate(op.args):
                stored = head in STORES and n == 1 and _may_be_stored(operand)
                compared = head == "wait" and n == 2
                if not stored and not compared and _holds_symbol(operand):
                    raise Refused(
                        f"{where}: an operand is made of the number of CPUs, or of a counter (only "
                        "what is stored, or waited for, may be)"
                    )
        self._checked.add(point)

    def local_digest(self, local: Local) -> str:
        """Identifies a local state by content, on every machine."""
        return digest(local.cpu.content(), *local[1:])

    def shared_digest(self, shared: Shared) -> str:
        """Identifies a shared state by content, on every machine."""
        boot = self.local_digest(shared.boot)
        return digest(shared.memory.content(), boot, shared.counts)


def _may_be_stored(value: Any) -> bool:
    return isinstance(value, Linear | Added | Batch) or not _holds_symbol(value)


def _holds_symbol(value: Any) -> bool:
    if isinstance(value, Symbol):
        return True
    if isinstance(value, tuple):
        return any(map(_holds_symbol, value))
    fields = getattr(type(value), "__dataclass_fields__", ())
    return any(_holds_symbol(getattr(value, name)) for name in fields)
