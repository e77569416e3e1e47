"""What hardware does by itself on one CPU: drains, TLBIs that arrive, concrete walks and evictions.

Obligatory: drains, arrival and completion of TLBIs, late system registers, and the event stream if
there is one, which the polite schedule has come last of all. Optional: interrupts,
fills and evictions. The latter two only exist in concrete mode; the closure stands for all of them
at once.
"""

from __future__ import annotations

from collections.abc import Iterator

from simbbm.arm64.context import Shared
from simbbm.arm64.cpu import CpuState, Effect, LocalMove, Pending
from simbbm.arm64.execution.flight import drained
from simbbm.arm64.execution.in_order import source_of
from simbbm.arm64.execution.mistakes import check_fits
from simbbm.arm64.execution.ordering import ordered
from simbbm.arm64.ops import INTERRUPT, Aborted
from simbbm.arm64.translation.memory import Memory
from simbbm.arm64.translation.shootdown import (
    flight_holds_up,
    overlooked,
    stores_hold_up,
    translated_anew,
)
from simbbm.arm64.translation.tlb import GLOBAL, LeafEntry, TableEntry, Tlbi
from simbbm.core.system import LAST_RESORT

DRAIN, ACTS, COMPLETES, CTX, WALK, EVICT = "drain", "acts", "completes", "ctx", "walk", "evict"
"""Kinds of what hardware does: a store reaches memory, a TLBI acts or completes on this CPU, a
system register takes effect, an entry is filled or evicted; besides interrupts, by their names."""
DVM = (ACTS, COMPLETES)
"""What comes from other CPUs."""


def hardware_moves(
    shared: Shared, state: CpuState, memory: Memory, cpu: int
) -> Iterator[LocalMove]:
    """Everything that this CPU's hardware may do now."""
    yield from _drains(shared, state, memory, cpu)
    yield from _invalidations(shared, state, memory, cpu)
    if shared.hardware.event_stream:
        yield from _event_stream(shared, state)
    if shared.hardware.interrupts:
        yield from _interrupts(shared, state, memory, cpu)
    if not shared.hardware.closure:
        yield from _late_registers(shared, state, memory)
        if shared.hardware.speculation:
            yield from _walks(shared, state, memory)
        yield from _evictions(shared, state)


def _drains(shared: Shared, state: CpuState, memory: Memory, cpu: int) -> Iterator[LocalMove]:
    """Stores that may reach memory now, each location an agent of its own."""
    for index in state.buffer.drainable():
        store = state.buffer.stores[index]
        mmu = state.mmu
        if state.features.ets2 and mmu.early_faults:
            mmu = shared.mmus.without_early_faults(mmu)
        if state.flight:  # what it stores may not have been known when it was translated
            check_fits(shared, memory, f"cpu{cpu}: a pending store", store.address, store.words)
        buffer, flight = state.buffer.drained(index), state.flight
        if flight and not any(buffer.pending(store.address + k) for k in range(len(store.words))):
            window = drained(flight.window, store.address, len(store.words))
            flight = flight.with_window(window)
        after = shared.cpus.change(state, buffer=buffer, mmu=mmu, flight=flight)
        effect = Effect(after, write=(store.address, store.words))
        yield LocalMove(DRAIN, shared.name(store.address), effect)


def _event_stream(shared: Shared, state: CpuState) -> Iterator[LocalMove]:
    """The generic timer's event stream (CNTKCTL_EL1.EVNTEN) sets the event register of who waits.

    Sooner it would change nothing that a WFE which goes on at once does not show.
    """
    op = state.point.op
    if op is not None and op.mnemonic == "wfe" and not state.event:
        effect = Effect(shared.cpus.change(state, event=True))
        yield LocalMove(LAST_RESORT, "", effect)


def _interrupts(shared: Shared, state: CpuState, memory: Memory, cpu: int) -> Iterator[LocalMove]:
    """An interrupt, unless PSTATE.I masks it; an NMI or an SError, unless all of DAIF is masked.

    One for each CPU, and none while another exception is being handled.
    """
    kind = shared.hardware.interrupts
    masked = state.all_masked or (kind == "irq" and state.masked)
    if state.interrupted or state.finished or state.saved or masked:
        return
    aborted = Aborted(kind, 0, state.pc or 0, INTERRUPT)
    taken = shared.cpus.change(state, interrupted=True)
    source = source_of(taken)
    effect = source.exception(shared, taken, memory, cpu, 0, aborted, resume=False)
    yield LocalMove(kind, "", effect, optional=True)


ALIKE = 2
"""How many TLBIs of a CPU that are alike wait on another one."""


def received(inbox: tuple[Pending, ...], pending: Pending) -> tuple[Pending, ...]:
    """The inbox after a TLBI has come, or waits to complete.

    Who flushes again and again and waits for none of it would fill inboxes without end. A third one
    that is alike changes nothing: the last of two acts and completes when the last of three would.
    The first takes away sooner what it may, and marks what the last waits for by erratum 4118414;
    what a third would take away sooner still, an eviction can.
    """
    return inbox if inbox.count(pending) >= ALIKE else tuple(sorted((*inbox, pending)))


def act(shared: Shared, state: CpuState, memory: Memory, pending: Pending, cpu: int) -> CpuState:
    """The CPU after a TLBI acted on it, and completed if nothing holds it up."""
    mmu = shared.mmus.invalidated(state.mmu, memory.tables, pending.tlbi)
    inbox = _without(state.inbox, pending)
    after = shared.cpus.change(state, mmu=mmu, inbox=inbox)
    acted = pending._replace(acted=True)
    held_up = _holds_up(shared, after, memory, pending.tlbi)
    held = shared.view(after, memory).leaves
    buffer = overlooked(shared, after, held, pending.tlbi)
    after = shared.cpus.change(after, buffer=buffer)
    complete = _completed(shared, after, memory, acted, cpu)
    # Until then accesses with stale translations may still be performed.
    if held_up or complete.flight != after.flight:
        return shared.cpus.change(after, inbox=received(inbox, acted))
    return complete


def _invalidations(
    shared: Shared, state: CpuState, memory: Memory, cpu: int
) -> Iterator[LocalMove]:
    """TLBIs that arrive here or, having acted, complete; elsewhere they may do so later (R12)."""
    for pending in dict.fromkeys(state.inbox):
        what = shared.tlbi_name(pending.tlbi)
        if not pending.acted:
            effect = Effect(act(shared, state, memory, pending, cpu))
            yield LocalMove(ACTS, what, effect, completes=(pending.issuer,))
        elif not _holds_up(shared, state, memory, pending.tlbi):
            after = shared.cpus.change(state, inbox=_without(state.inbox, pending))
            effect = Effect(_completed(shared, after, memory, pending, cpu))
            yield LocalMove(COMPLETES, what, effect, completes=(pending.issuer,))


def _completed(
    shared: Shared, state: CpuState, memory: Memory, pending: Pending, cpu: int
) -> CpuState:
    """The CPU after a TLBI completed here; of its issuer's translations that says nothing (R11)."""
    if pending.issuer == cpu:
        return state
    changes: dict[str, object] = {"mmu": shared.mmus.completed(state.mmu, pending.tlbi)}
    if state.flight is not None:
        held = shared.view(state, memory).leaves
        free = ordered(shared, state, memory, cpu)
        code = state.flight.code(state, cpu)
        anew = translated_anew(shared, state.flight.window, code, held, pending.tlbi, free)
        changes["flight"] = state.flight.with_window(anew)
    return shared.cpus.change(state, **changes)


def _holds_up(shared: Shared, state: CpuState, memory: Memory, tlbi: Tlbi) -> bool:
    """Whether something under way must be done before the TLBI is complete here."""
    held = shared.view(state, memory).leaves
    return stores_hold_up(shared, state, held, tlbi) or (
        state.flight is not None
        and flight_holds_up(shared, state.flight.window, state.flight.code(state, 0), held, tlbi)
    )


def _without(inbox: tuple[Pending, ...], pending: Pending) -> tuple[Pending, ...]:
    index = inbox.index(pending)
    return inbox[:index] + inbox[index + 1 :]


def _late_registers(shared: Shared, state: CpuState, memory: Memory) -> Iterator[LocalMove]:
    """A system-register write that takes effect before anything forces it to."""
    for name in ("ttbr0", "ttbr1", "tcr"):
        if len(getattr(state.mmu.regime, name)) > 1:
            mmu = shared.mmus.settled(state.mmu, memory.tables, name)
            effect = Effect(shared.cpus.change(state, mmu=mmu))
            yield LocalMove(CTX, name, effect)


def _walks(shared: Shared, state: CpuState, memory: Memory) -> Iterator[LocalMove]:
    """One step of a speculative walk: cache the next descriptor on the way to a page."""
    view = shared.view(state, memory)
    names = {}
    for page in shared.speculative:
        for entry in view.fills(page):
            after = shared.mmus.filled(state.mmu, entry)
            if after is not state.mmu:
                names[_entry_name(shared, entry)] = (page, after)
    for name, (page, mmu) in names.items():
        effect = Effect(shared.cpus.change(state, mmu=mmu))
        yield LocalMove(WALK, name, effect, optional=True, page=shared.page_name(page))


def _evictions(shared: Shared, state: CpuState) -> Iterator[LocalMove]:
    if state.mmu.evictions == 0:
        return
    held: tuple[TableEntry | LeafEntry, ...] = (*state.mmu.tables, *state.mmu.leaves)
    for entry in held:
        effect = Effect(shared.cpus.change(state, mmu=shared.mmus.evicted(state.mmu, entry)))
        yield LocalMove(EVICT, _entry_name(shared, entry), effect, optional=True)


def _entry_name(shared: Shared, entry: TableEntry | LeafEntry) -> str:
    va = shared.page_name(entry.va)
    asid = "" if entry.asid == GLOBAL else f" asid={entry.asid}"
    if isinstance(entry, TableEntry):
        return f"L{entry.level} {va} table({entry.baddr:#x}){asid}"
    kind = "group" if entry.group else "cont" if entry.contiguous else ""
    count = f" x{entry.count}" if entry.count > 1 else ""
    text = f"({entry.attributes.text})" if entry.attributes.text else ""
    return f"L{entry.level} {va}{count} page({entry.page:#x}){kind}{text}{asid}"
