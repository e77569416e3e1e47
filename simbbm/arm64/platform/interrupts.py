"""Interrupts: those of the environment, and those that CPUs send each other (SGIs, R25).

A write to ICC_SGI1R_EL1 makes an interrupt pending on other CPUs. It is no memory access: it is not
speculative, waits for earlier DSBs, and for nothing else; so the handler may run before stores that
are earlier in program order are in memory. A pending interrupt is taken some time after PSTATE.I
is clear; what has to be taken before that, and when, nobody promises. Of interrupts with one INTID
that are pending on a CPU there is one (GICv3, SGIs).

Simplified: an SGI is pending as soon as it is written; since it may be taken late, all that shows
is that of two with one INTID the second may come to nothing sooner than on hardware (misses, and
cries wolf where somebody counts on both). Taking it acknowledges it, whatever the handler reads;
there are no priorities. ISB makes no difference to when it is sent. At EL2 none is taken, it stays
pending until the return to EL1, whose handler gets it (misses: a hypervisor that takes interrupts).
"""

from __future__ import annotations

from collections.abc import Iterator

from simbbm.arm64.context import Shared
from simbbm.arm64.cpu import COMING, OFF, CpuState, LocalMove
from simbbm.arm64.execution.in_order import source_of
from simbbm.arm64.ops import INTERRUPT, SGI, Aborted
from simbbm.arm64.platform.errata import EXCEPTION, ends_of
from simbbm.arm64.registers import CpuOn, Signal
from simbbm.arm64.translation.memory import Memory
from simbbm.arm64.translation.translate import EL2


def arrivals(shared: Shared, state: CpuState, memory: Memory, number: int) -> Iterator[LocalMove]:
    """An interrupt, unless PSTATE.I masks it; an NMI or an SError, unless all of DAIF is masked.

    One for each CPU, and none while another exception is being handled.
    """
    kind = shared.hardware.interrupts
    masked = state.all_masked or (kind == "irq" and state.masked)
    if state.interrupted or state.finished or state.saved or masked or state.el == EL2:
        return
    if _completes(shared, state):
        return
    aborted = Aborted(kind, 0, state.pc or 0, INTERRUPT)
    yield _taken(shared, shared.cpus.change(state, interrupted=True), memory, number, aborted)


def received_signal(shared: Shared, state: CpuState, signal: Signal) -> CpuState:
    """A CPU on which an SGI has become pending, or that has been called out of reset."""
    if isinstance(signal, CpuOn):
        return shared.cpus.change(state, power=COMING) if state.power == OFF else state
    return shared.cpus.change(state, sgis=tuple(sorted({*state.sgis, signal.intid})))


def sgis(shared: Shared, state: CpuState, memory: Memory, number: int) -> Iterator[LocalMove]:
    """A pending SGI is taken, also by an idle CPU, whose program has finished."""
    if state.masked or state.all_masked or state.el == EL2 or _completes(shared, state):
        return
    for intid in state.sgis:
        rest = tuple(other for other in state.sgis if other != intid)
        aborted = Aborted(SGI, 0, state.pc or 0, INTERRUPT, intid)
        taken = _taken(shared, shared.cpus.change(state, sgis=rest), memory, number, aborted)
        yield taken._replace(what=str(intid), optional=False)


def _completes(shared: Shared, state: CpuState) -> bool:
    """Whether accesses that have outlived a TLBI have to complete before an exception is taken."""
    ends = ends_of(shared.errata(state))
    return EXCEPTION in ends and any(store.overlooked for store in state.buffer.stores)


def _taken(
    shared: Shared, state: CpuState, memory: Memory, number: int, aborted: Aborted
) -> LocalMove:
    effect = source_of(state).exception(shared, state, memory, number, 0, aborted, resume=False)
    return LocalMove(aborted.kind, "", effect, optional=True)
