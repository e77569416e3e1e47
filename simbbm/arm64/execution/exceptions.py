"""Exception entry and return (R14): both are context synchronisation events, neither is a DSB.

If the vectors cannot be fetched, that is a violation (and not an endless loop of exceptions).

An HVC and a fault of stage 2 go to EL2, all others to EL1. At EL2 nothing walks for the guest
(R32).

TLBIs of EL1&0 are for a VMID (R31), some of them at EL2 only.

Simplified: the handler is one program at VBAR, whatever the exception; its fetches are translated,
its SP is not. At EL2 neither is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simbbm.arm64.context import Shared
from simbbm.arm64.cpu import NOTHING, CpuState, Effect, Frame
from simbbm.arm64.ops import CPU, HVC, INTERRUPT, Aborted
from simbbm.arm64.platform.text import synchronised
from simbbm.arm64.translation.memory import Memory
from simbbm.arm64.translation.tlb import Tlbi
from simbbm.arm64.translation.tlbi_operand import AT_EL2
from simbbm.arm64.translation.translate import FETCH, translations
from simbbm.arm64.translation.walks import CONFLICT
from simbbm.core.errors import ScenarioError
from simbbm.core.system import Problem

MAX_NESTED = 4


def take_exception(
    shared: Shared, state: CpuState, memory: Memory, number: int, aborted: Aborted, *, resume: bool
) -> Effect:
    """Take an exception to VBAR. `resume`: the return goes on after the instruction (SVC, HVC)."""
    to_el2 = aborted.access == HVC or aborted.ipa is not None
    handler = shared.hypervisor if to_el2 else shared.handler
    if handler is None or len(state.saved) >= MAX_NESTED:
        return Effect(state, problem=_lost(shared, state, number, aborted, "which nobody handles"))
    if aborted.access == FETCH and state.saved and aborted.page == state.vbar:
        return Effect(state, problem=_lost(shared, state, number, aborted, "so it has no vectors"))
    entered = shared.cpus.change(
        state,
        point=shared.automaton.start(handler, CPU, aborted, *shared.handler_args),
        pc=None if to_el2 else state.vbar,
        el=2 if to_el2 else 1,
        masked=True,
        saved=(*state.saved, Frame(state.point, state.pc, state.el, state.masked, resume)),
        text=synchronised(state.text),
        mmu=shared.mmus.at_level(state.mmu, memory.tables, 2 if to_el2 else 1),
    )
    check_not_left(entered)
    if state.vbar is not None and not to_el2:
        vectors = translations(shared, entered, memory, state.vbar, FETCH)
        if all(t.fault for t in vectors):
            why = "and its vectors cannot be fetched"
            return Effect(state, problem=_lost(shared, state, number, aborted, why))
    return Effect(entered)


def exception_return(
    shared: Shared, state: CpuState, memory: Memory, *, retry: bool, result: Any = None
) -> Effect:
    """ERET: clears the monitor and sets the event register as well."""
    if not state.saved:
        raise ScenarioError(f"{state.point.where}: eret outside an exception handler")
    frame = state.saved[-1]
    again = retry and not frame.resume
    left = shared.cpus.change(
        state,
        # An idle CPU, whose program has finished, goes on being idle.
        point=frame.point if again or frame.point.finished else frame.point.after(result),
        pc=frame.pc,
        el=frame.el,
        masked=frame.masked,
        saved=state.saved[:-1],
        text=synchronised(state.text),
        mmu=shared.mmus.at_level(state.mmu, memory.tables, frame.el),
        monitor=NOTHING,
        event=True,
    )
    check_not_left(left)
    return Effect(left)


def scoped(state: CpuState, tlbi: Tlbi, where: object) -> Iterator[Tlbi]:
    """A TLBI with each VMID that it may be for.

    Between an MSR of VTTBR_EL2 and a context synchronisation event that is the old or the new one.
    """
    if tlbi.op in AT_EL2:
        require_el2(state, where, f"tlbi {tlbi}")
    vmids = dict.fromkeys(vttbr.vmid for vttbr in reversed(state.mmu.regime.vttbr))
    yield from (tlbi._replace(vmid=vmid) for vmid in vmids or (0,))


def require_el2(state: CpuState, where: object, what: str) -> None:
    """Refuse what is UNDEFINED below EL2."""
    if state.el != 2:
        raise ScenarioError(
            f"{where}: {what} at EL{state.el}",
            "a hypervisor does that: CpuSetup(..., el=2), or Setup(hypervisor=...) after an hvc",
        )


def require_guest(shared: Shared, state: CpuState, where: object) -> None:
    """Refuse an HVC that nobody can take."""
    if shared.hypervisor is None or not state.mmu.regime.vttbr or state.el == 0:
        raise ScenarioError(
            f"{where}: hvc at EL{state.el}, without stage 2 or without a hypervisor",
            "give Setup(hypervisor=...), and each CPU a Regime(..., vttbr=(Vttbr(...),))",
        )


def check_not_left(state: CpuState) -> None:
    """Refuse a handler that returns like a function."""
    if state.point.finished and state.saved:
        raise ScenarioError(
            f"{state.point.where}: {state.point.path} returned without eret", "end it with eret"
        )


def _lost(shared: Shared, state: CpuState, number: int, aborted: Aborted, why: str) -> Problem:
    rule = "no_tlb_conflict" if aborted.kind == CONFLICT else "no_fault_on_live_map"
    stage = "" if aborted.ipa is None else " stage 2"
    what = f"a level {aborted.level}{stage} {aborted.kind} fault on a {aborted.access} of "
    what += shared.page_name(aborted.page)
    if aborted.access == INTERRUPT:
        what = f"an exception ({aborted.kind})"
    where = state.point.path.rpartition("/")[2]
    return Problem(rule, f"cpu{number} takes {what} in {where}, {why}", number)
