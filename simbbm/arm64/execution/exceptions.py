"""Exception entry and return (R14): both are context synchronisation events, neither is a DSB.

If the vectors cannot be fetched, that is a violation (and not an endless loop of exceptions).

Simplified: the handler is one program at VBAR, whatever the exception; its fetches are translated,
its SP is not.
"""

from __future__ import annotations

from typing import Any

from simbbm.arm64.context import Shared
from simbbm.arm64.cpu import NOTHING, CpuState, Effect, Frame
from simbbm.arm64.ops import CPU, INTERRUPT, Aborted
from simbbm.arm64.translation.memory import Memory
from simbbm.arm64.translation.translate import FETCH, translations
from simbbm.arm64.translation.walks import CONFLICT
from simbbm.core.errors import ScenarioError
from simbbm.core.system import Problem

MAX_NESTED = 4


def take_exception(
    shared: Shared, state: CpuState, memory: Memory, number: int, aborted: Aborted, *, resume: bool
) -> Effect:
    """Take an exception to VBAR. `resume`: the return goes on after the instruction (SVC)."""
    if shared.handler is None or len(state.saved) >= MAX_NESTED:
        return Effect(state, problem=_lost(shared, state, number, aborted, "which nobody handles"))
    if aborted.access == FETCH and state.saved and aborted.page == state.vbar:
        return Effect(state, problem=_lost(shared, state, number, aborted, "so it has no vectors"))
    entered = shared.cpus.change(
        state,
        point=shared.automaton.start(shared.handler, CPU, aborted, *shared.handler_args),
        pc=state.vbar,
        el=1,
        masked=True,
        saved=(*state.saved, Frame(state.point, state.pc, state.el, state.masked, resume)),
        mmu=shared.mmus.synchronised(state.mmu, memory.tables),
    )
    check_not_left(entered)
    if state.vbar is not None:
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
        mmu=shared.mmus.synchronised(state.mmu, memory.tables),
        monitor=NOTHING,
        event=True,
    )
    check_not_left(left)
    return Effect(left)


def check_not_left(state: CpuState) -> None:
    """Refuse a handler that returns like a function."""
    if state.point.finished and state.saved:
        raise ScenarioError(
            f"{state.point.where}: {state.point.path} returned without eret", "end it with eret"
        )


def _lost(shared: Shared, state: CpuState, number: int, aborted: Aborted, why: str) -> Problem:
    rule = "no_tlb_conflict" if aborted.kind == CONFLICT else "no_fault_on_live_map"
    what = f"a level {aborted.level} {aborted.kind} fault on a {aborted.access} of "
    what += shared.page_name(aborted.page)
    if aborted.access == INTERRUPT:
        what = f"an exception ({aborted.kind})"
    where = state.point.path.rpartition("/")[2]
    return Problem(rule, f"cpu{number} takes {what} in {where}, {why}", number)
