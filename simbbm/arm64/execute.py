"""What each operation of a program does, and when it may be done.

Accesses are performed in program order; stores wait in the store buffer. An operation that must
wait simply has no move yet. Nothing here looks at another CPU: what other CPUs owe this one arrives
as `owed`, what this one does to them leaves in an `Effect`.

With `Hardware.window` above 1 a load may overtake what is earlier in program order (`overtaking`).

Simplified: no store and no TLBI takes effect before earlier loads have their values (fewer
behaviours; R8 and load buffering allow it where nothing orders them). A value decides what the
program does next: before it is known there is no TLBI to perform. Listings show both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from simbbm.arm64.building import ACQUIRES, Building
from simbbm.arm64.context import Shared
from simbbm.arm64.cpu import NOTHING, CpuState, Effect, LocalMove
from simbbm.arm64.descriptor import leaves
from simbbm.arm64.exceptions import exception_return
from simbbm.arm64.memory import Memory
from simbbm.arm64.mistakes import satisfied
from simbbm.arm64.ops import Aborted
from simbbm.arm64.overtaking import accessed
from simbbm.arm64.registers import Tcr, Ttbr
from simbbm.arm64.translate import FETCH, READ, WRITE, Translation, translations
from simbbm.core.errors import ScenarioError
from simbbm.core.program import Op
from simbbm.core.system import Problem


def program_moves(
    shared: Shared, state: CpuState, memory: Memory, cpu: int, *, owed: bool
) -> list[LocalMove]:
    """Moves of the program; `owed`: another CPU has not completed a TLBI of this one."""
    return Execution(shared, state, memory, cpu, owed=owed).moves()


class Execution(Building):
    """One CPU about to execute the operation at its control point."""

    def moves(self) -> list[LocalMove]:
        """Every way in which the operation may go now."""
        if (op := self.state.point.op) is None:
            return []
        fetched = self._fetch()
        faults = [t for t in fetched if t.fault]
        moves = [
            self._move(
                f"!fetch{t.suffix}", self._abort(t, self.state.pc or 0, FETCH), early=t.early
            )
            for t in faults
        ]
        if len(faults) < len(fetched) or self.state.pc is None:
            head = op.mnemonic.partition(".")[0]
            moves += _SEMANTICS[head](self, op)
        return moves

    def _fetch(self) -> tuple[Translation, ...]:
        if self.state.pc is None:
            return ()
        return translations(self.shared, self.state, self.memory, self.state.pc, FETCH)

    # Accesses

    def load(self, op: Op) -> Iterator[LocalMove]:
        """LDR and relatives."""
        address, name = op.args[0], op.mnemonic
        if self.state.buffer.holds_loads:
            return
        if name in ("ldar", "ldaxr") and self.state.buffer.holds_release:
            return
        for t in self._translated(address, READ):
            if t.fault:
                yield self._fault(t, address, READ)
                continue
            physical = self._physical(t, address)
            changes = {"monitor": physical} if "x" in name else {}
            for reading in self._readings(physical, early=name == "ldr"):
                yield self._observe(reading, t, physical, acquire=name in ACQUIRES, **changes)

    def wait(self, op: Op) -> Iterator[LocalMove]:
        """A poll: a move if the predicate holds, the access may fault, or it leaves a trace.

        If it may go on, but only by another translation than the one that hardware uses, the poll
        that changes nothing is a move too: it need not happen, and may happen again and again.
        """
        address, predicate, args = op.args
        acquire = op.mnemonic in ACQUIRES
        if self.state.buffer.holds_loads or (acquire and self.state.buffer.holds_release):
            return
        in_vain = []
        goes_on = False
        for t in self._translated(address, READ):
            if t.fault:
                goes_on = True
                yield self._fault(t, address, READ)
                continue
            physical = self._physical(t, address)
            for reading in self._readings(physical, early=not acquire):
                if satisfied(self.state, predicate, reading.value, args):
                    goes_on = True
                    yield self._observe(reading, t, physical, acquire=acquire)
                elif not reading.suffix:
                    polled = self._after_access(t, self.state)
                    if reading.past != polled.past:  # What it has read is the oldest from now on.
                        polled = self.shared.cpus.change(polled, past=reading.past)
                    poll = self._move(t.suffix, Effect(polled), reads=(physical,), early=t.early)
                    if polled is not self.state:
                        yield poll
                    elif not t.early:
                        in_vain.append(poll._replace(optional=True))
        if goes_on:
            yield from in_vain

    def store(self, op: Op) -> Iterator[LocalMove]:
        """STR, STLR and `fill`: translate, then wait in the store buffer."""
        address = op.args[0]
        words = leaves(*op.args[1:]) if op.mnemonic == "fill" else op.args[1:]
        for t in self._translated(address, WRITE):
            if t.fault:
                if not self.state.buffer.holds_stores:
                    yield self._fault(t, address, WRITE)
                continue
            physical = self._writable(t, address, words)
            past = accessed(self.state.past, physical)
            if self.shared.hardware.late_stores:
                release = op.mnemonic == "stlr"
                buffer = self.state.buffer.push(physical, words, t.entry, release=release)
                yield self._proceed(None, t, buffer=buffer, past=past)
            else:
                yield self._proceed(None, t, write=(physical, words), past=past)

    def store_exclusive(self, op: Op) -> Iterator[LocalMove]:
        """STXR and STLXR: performed at once if the monitor is still set."""
        address, value = op.args
        buffer = self.state.buffer
        if buffer.holds_stores or (op.mnemonic == "stlxr" and buffer.stores):
            return
        for t in self._translated(address, WRITE):
            if t.fault:
                yield self._fault(t, address, WRITE)
                continue
            physical = self._writable(t, address, (value,))
            if buffer.pending(physical):
                continue
            if self.state.monitor == physical:
                write = (physical, (value,))
                yield self._proceed(0, t, write=write, monitor=NOTHING)
            else:
                yield self._proceed(1, t, monitor=NOTHING)

    def atomic_add(self, op: Op) -> Iterator[LocalMove]:
        """LDADDAL: needs both permissions, performed at once when all earlier stores have been."""
        address, addend = op.args
        if self.state.buffer.stores:
            return
        for t in self._translated(address, WRITE):
            if t.fault:
                yield self._fault(t, address, WRITE)
                continue
            physical = self._writable(t, address, (addend,))
            old = self._read(physical)
            write = (physical, (old + addend,))
            yield self._proceed(old, t, reads=(physical,), acquire=True, write=write)

    # Barriers and maintenance

    def dmb(self, op: Op) -> Iterator[LocalMove]:
        """DMB: later accesses wait for earlier ones of its type; TLBIs and walks do not."""
        option = op.mnemonic.partition(".")[2]
        changes: dict[str, Any] = {}
        if not option.endswith("ld"):
            changes["buffer"] = self.state.buffer.ordered(loads=not option.endswith("st"))
        yield self._proceed(None, acquire=not option.endswith("st"), **changes)

    def dsb(self, op: Op) -> Iterator[LocalMove]:
        """DSB: done when earlier accesses of its type are; a full one waits for TLBIs (R7)."""
        option = op.mnemonic.partition(".")[2]
        if not option.endswith("ld") and self.state.buffer.stores:
            return
        if not option.endswith(("ld", "st")):
            own = any(p.issuer == self.cpu for p in self.state.inbox)
            if own or (self.owed and not option.startswith("nsh")):
                return
        mmu = self.shared.mmus.without_early(
            self.state.mmu, marked_only=not self.state.features.ets2
        )
        yield self._proceed(None, mmu=mmu, past=())

    def isb(self, op: Op) -> Iterator[LocalMove]:  # noqa: ARG002 - every semantics takes the op
        """ISB: context synchronisation (R14)."""
        mmu = self.shared.mmus.synchronised(self.state.mmu, self.memory.tables)
        yield self._proceed(None, mmu=mmu, past=())

    def tlbi(self, op: Op) -> Iterator[LocalMove]:
        """TLBI: issued now, acts on each CPU when it gets there."""
        yield self._proceed(None, tlbi=op.args[0])

    # System registers

    def msr(self, op: Op) -> Iterator[LocalMove]:
        """MSR: takes effect for walks at any time up to the next context synchronisation."""
        register, value = op.mnemonic.partition(".")[2], op.args[0]
        if register == "vbar_el1":
            yield self._proceed(None, vbar=value)
            return
        field = _REGIME.get(register)
        if field is None or not isinstance(value, Tcr if field == "tcr" else Ttbr):
            raise ScenarioError(
                f"{self.state.point.where}: no msr of {type(value).__name__} to {register}",
                f"registers are {', '.join([*_REGIME, 'vbar_el1'])}",
            )
        mmu = self.shared.mmus.written(self.state.mmu, self.memory.tables, field, value)
        yield self._proceed(None, mmu=mmu, past=())

    def mrs(self, op: Op) -> Iterator[LocalMove]:
        """MRS: reads what was written last."""
        register = op.mnemonic.partition(".")[2]
        if register == "mpidr_el1":
            yield self._proceed(self.cpu)
        elif register == "vbar_el1":
            yield self._proceed(self.state.vbar)
        else:
            yield self._proceed(self.state.mmu.regime.newest(_REGIME[register]))

    # Events, control

    def wfe(self, op: Op) -> Iterator[LocalMove]:  # noqa: ARG002
        """WFE: goes on when the event register is set; if that is not known, it may or may not."""
        if self.state.event is not False:
            yield self._proceed(None, event=False)
        if self.state.event is None:
            yield self._move("!no event", Effect(self.shared.cpus.change(self.state, event=False)))

    def forget_events(self, op: Op) -> Iterator[LocalMove]:  # noqa: ARG002
        """What waits have left behind is not known any more."""
        yield self._proceed(None, event=None, monitor=NOTHING)

    def sev(self, op: Op) -> Iterator[LocalMove]:
        """SEV and SEVL."""
        yield self._proceed(None, event=True, sev=op.mnemonic == "sev")

    def branch(self, op: Op) -> Iterator[LocalMove]:
        """Branch to another page of code."""
        yield self._proceed(None, pc=op.args[0])

    def mask(self, op: Op) -> Iterator[LocalMove]:
        """DAIFSet and DAIFClr: interrupts are off or on, SErrors as well, or these alone."""
        name, _, what = op.mnemonic.partition(".")
        off = name == "daifset"
        masked = self.state.masked if what == "da" else off
        all_masked = off if what else self.state.all_masked
        yield self._proceed(None, masked=masked, all_masked=all_masked)

    def nop(self, op: Op) -> Iterator[LocalMove]:  # noqa: ARG002
        """NOP."""
        yield self._proceed(None)

    def panic(self, op: Op) -> Iterator[LocalMove]:
        """The kernel gives up, and the run is over."""
        problem = Problem("no_panic", f"cpu{self.cpu} panics: {op.args[0]}", self.cpu)
        yield self._move("", Effect(self.state, problem=problem))

    def might_sleep(self, op: Op) -> Iterator[LocalMove]:  # noqa: ARG002
        """Complain as the kernel does: masked interrupts stand for atomic context."""
        if self.state.masked:
            where = self.state.point.path.rpartition("/")[2]
            message = f"cpu{self.cpu} may sleep in {where} with interrupts masked"
            problem = Problem("no_sleep_in_atomic", message, self.cpu)
            yield self._move("", Effect(self.state, problem=problem))
        else:
            yield self._proceed(None)

    def svc(self, op: Op) -> Iterator[LocalMove]:
        """SVC: an exception whose return goes on after it."""
        if self.shared.handler is None:
            raise ScenarioError(f"{self.state.point.where}: svc without an exception handler")
        yield self._move("", self._exception(Aborted("svc", 0, op.args[0], "svc"), resume=True))

    def eret(self, op: Op) -> Iterator[LocalMove]:
        """ERET: go on where the exception was taken, or after it."""
        yield self._move(
            "", exception_return(self.shared, self.state, self.memory, retry=op.args[0])
        )


_REGIME = {"ttbr0_el1": "ttbr0", "ttbr1_el1": "ttbr1", "tcr_el1": "tcr"}

_SAME_NAME = "wait dmb dsb isb tlbi msr mrs svc eret wfe forget_events nop panic might_sleep"
_SEMANTICS: dict[str, Callable[[Execution, Op], Iterator[LocalMove]]] = {
    **dict.fromkeys(("ldr", "ldar", "ldapr", "ldxr", "ldaxr"), Execution.load),
    **dict.fromkeys(("str", "stlr", "fill"), Execution.store),
    **dict.fromkeys(("stxr", "stlxr"), Execution.store_exclusive),
    **dict.fromkeys(("sev", "sevl"), Execution.sev),
    **dict.fromkeys(("daifset", "daifclr"), Execution.mask),
    **{name: vars(Execution)[name] for name in _SAME_NAME.split()},
    "ldaddal": Execution.atomic_add,
    "br": Execution.branch,
}
