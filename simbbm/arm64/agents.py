"""Asynchronous agents of one CPU: store buffer drains, TLBIs, concrete walkers, interrupts.

Obligatory: drains, arrival and completion of TLBIs, late system registers, interrupts that other
CPUs have sent, and the event stream if there is one (last of all in the default schedule).
Optional: other interrupts, and in concrete mode fills and evictions, for which the closure stands
otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator

from simbbm.arm64.context import Shared
from simbbm.arm64.cpu import CpuState, Effect, LocalMove, Pending
from simbbm.arm64.execution.decoding import check_fits
from simbbm.arm64.execution.flight import drained
from simbbm.arm64.execution.ordering import awaiting_translation, ordered
from simbbm.arm64.platform.errata import EXCEPTION, ends_of
from simbbm.arm64.platform.interrupts import arrivals, sgis
from simbbm.arm64.platform.text import Ic, ic_acted, synchronised
from simbbm.arm64.translation.hardware_update import access_flag_updates
from simbbm.arm64.translation.memory import Memory
from simbbm.arm64.translation.optional.physical_cache import invalidated
from simbbm.arm64.translation.tlb import GLOBAL, Cached, Stage2Entry, TableEntry, Tlbi
from simbbm.arm64.translation.tlbi_completion import (
    begun_holds_up,
    flight_holds_up,
    overlooked,
    stores_hold_up,
    translated_anew,
)
from simbbm.core.system import LAST_RESORT

DRAIN, ACTS, COMPLETES, CTX, WALK, EVICT = "drain", "acts", "completes", "ctx", "walk", "evict"
"""Kinds of hardware moves: a store reaches memory, a TLBI acts or completes on this CPU, a
system register takes effect, an entry is filled or evicted; besides interrupts, by their names."""
FLAG = "flag"
"""The kind of moves that set an access flag."""
DVM = (ACTS, COMPLETES)
"""Kinds of moves by TLBIs of other CPUs."""


def hardware_moves(
    shared: Shared, state: CpuState, memory: Memory, number: int
) -> Iterator[LocalMove]:
    """All moves of this CPU's hardware."""
    yield from _drains(shared, state, memory, number)
    yield from _invalidations(shared, state, memory, number)
    if shared.hardware.event_stream:
        yield from _event_stream(shared, state)
    if shared.hardware.interrupts:
        yield from arrivals(shared, state, memory, number)
    if state.sgis:
        yield from sgis(shared, state, memory, number)
    if state.features.updates_descriptors:
        yield from _access_flags(shared, state, memory, number)
    if not shared.hardware.closure:
        yield from _late_registers(shared, state, memory)
        if shared.hardware.speculation:
            yield from _walks(shared, state, memory)
        yield from _evictions(shared, state)


def _drains(shared: Shared, state: CpuState, memory: Memory, number: int) -> Iterator[LocalMove]:
    """Stores that may reach memory now; each location is an agent."""
    for index in state.buffer.drainable():
        store = state.buffer.stores[index]
        mmu = state.mmu
        if state.features.ets2 and mmu.early_faults:
            mmu = shared.mmus.without_early_faults(mmu)
        if state.flight:  # what it stores may not have been known when it was translated
            check_fits(shared, memory, f"cpu{number}: a pending store", store.address, store.words)
        buffer, flight = state.buffer.drained(index), state.flight
        if flight and not any(buffer.pending(store.address + k) for k in range(len(store.words))):
            window = drained(flight.window, store.address, len(store.words))
            flight = flight.with_window(window)
        after = shared.cpus.change(state, buffer=buffer, mmu=mmu, flight=flight)
        effect = Effect(after, write=(store.address, store.words))
        yield LocalMove(DRAIN, shared.name(store.address), effect)


def _access_flags(
    shared: Shared, state: CpuState, memory: Memory, number: int
) -> Iterator[LocalMove]:
    """A walker sets an access flag: for an access that waits for it, or for none at all."""
    wanted = awaiting_translation(shared, state, memory, number)
    for update in access_flag_updates(shared, state, memory):
        size = shared.geometry.pages(update.level)
        due = any(0 <= page - update.va < size for page in wanted)
        if not (due or shared.hardware.spare_flags):
            continue
        effect = Effect(state, write=(update.address, (update.after,)))
        yield LocalMove(FLAG, shared.name(update.address), effect, optional=not due)


def _event_stream(shared: Shared, state: CpuState) -> Iterator[LocalMove]:
    """The generic timer's event stream (CNTKCTL_EL1.EVNTEN) ends a wait in WFE.

    Were the event register set earlier, that would show nothing that a WFE which
    falls through does not.
    """
    op = state.point.op
    if op is not None and op.mnemonic == "wfe" and not state.event:
        effect = Effect(shared.cpus.change(state, event=True))
        yield LocalMove(LAST_RESORT, "", effect)


ALIKE = 2
"""How many equal TLBIs of one CPU are kept pending on another."""


def received(pending_tlbis: tuple[Pending, ...], pending: Pending) -> tuple[Pending, ...]:
    """The pending TLBIs after one has arrived, or waits to complete.

    A loop that issues TLBIs and never waits for them would make states without end, so at most two
    equal ones are kept. A third adds no behaviour: the last of two acts and completes when the last
    of three would; the first may act earlier, and marks the stores that the last waits for by
    errata; what a third could remove earlier still, an eviction can.
    """
    return (
        pending_tlbis
        if pending_tlbis.count(pending) >= ALIKE
        else tuple(sorted((*pending_tlbis, pending)))
    )


def act(shared: Shared, state: CpuState, memory: Memory, pending: Pending, number: int) -> CpuState:
    """The CPU after a TLBI has acted on it, and completed if no access delays it."""
    if isinstance(pending.tlbi, Ic):
        text, rest = ic_acted(state.text, pending.tlbi), _without(state.pending_tlbis, pending)
        if shared.ablated("fetched-stays-until-synchronised"):
            text = synchronised(text)
        return shared.cpus.change(state, text=text, pending_tlbis=rest)
    mmu = shared.mmus.invalidated(state.mmu, memory.tables, pending.tlbi)
    pending_tlbis = _without(state.pending_tlbis, pending)
    copies = invalidated(shared, state, memory, pending.tlbi)
    after = shared.cpus.change(state, mmu=mmu, pending_tlbis=pending_tlbis, copies=copies)
    acted = pending._replace(acted=True)
    held_up = _holds_up(shared, after, memory, pending, number)
    held = shared.view(after, memory).leaves
    buffer = overlooked(shared, after, held, pending.tlbi)
    after = shared.cpus.change(after, buffer=buffer)
    complete = _completed(shared, after, memory, acted, number)
    # Until then accesses with stale translations may still be performed.
    if held_up or complete.flight != after.flight:
        return shared.cpus.change(after, pending_tlbis=received(pending_tlbis, acted))
    return complete


def _invalidations(
    shared: Shared, state: CpuState, memory: Memory, number: int
) -> Iterator[LocalMove]:
    """TLBIs that arrive here or, having acted, complete; elsewhere they may do so later (R12)."""
    for pending in dict.fromkeys(state.pending_tlbis):
        what = shared.tlbi_name(pending.tlbi)
        if not pending.acted:
            effect = Effect(act(shared, state, memory, pending, number))
            # What an IC takes away depends on which stores to text have come before it.
            words = tuple(sorted(shared.text)) if isinstance(pending.tlbi, Ic) else ()
            yield LocalMove(ACTS, what, effect, words, completes=(pending.issuer,))
        elif not _holds_up(shared, state, memory, pending, number):
            after = shared.cpus.change(state, pending_tlbis=_without(state.pending_tlbis, pending))
            effect = Effect(_completed(shared, after, memory, pending, number))
            yield LocalMove(COMPLETES, what, effect, completes=(pending.issuer,))


def _completed(
    shared: Shared, state: CpuState, memory: Memory, pending: Pending, number: int
) -> CpuState:
    """The CPU after a TLBI completed here; on the issuer itself it changes no translation (R11)."""
    if pending.issuer == number:
        return state
    assert isinstance(pending.tlbi, Tlbi)
    if EXCEPTION in ends_of(shared.errata(state)):
        return state  # Early results outlive it, too.
    changes: dict[str, object] = {"mmu": shared.mmus.completed(state.mmu, pending.tlbi)}
    if state.flight is not None:
        held = shared.view(state, memory).leaves
        free = ordered(shared, state, memory, number)
        code = state.flight.code(state, number)
        anew = translated_anew(shared, state.flight.window, code, held, pending.tlbi, free)
        changes["flight"] = state.flight.with_window(anew)
    return shared.cpus.change(state, **changes)


def _holds_up(
    shared: Shared, state: CpuState, memory: Memory, pending: Pending, number: int
) -> bool:
    """Whether an access that was translated with a stale entry delays the TLBI's completion."""
    held, tlbi = shared.view(state, memory).leaves, pending.tlbi
    assert isinstance(tlbi, Tlbi)
    if stores_hold_up(shared, state, held, tlbi):
        return True
    if state.flight is None:
        return False
    window, code = state.flight.window, state.flight.code(state, number)
    if pending.issuer != number:
        free = ordered(shared, state, memory, number)
        if begun_holds_up(shared, window, code, held, tlbi, free):
            return True
    return flight_holds_up(shared, window, code, held, tlbi)


def _without(pending_tlbis: tuple[Pending, ...], pending: Pending) -> tuple[Pending, ...]:
    index = pending_tlbis.index(pending)
    return pending_tlbis[:index] + pending_tlbis[index + 1 :]


def _late_registers(shared: Shared, state: CpuState, memory: Memory) -> Iterator[LocalMove]:
    """A system-register write that takes effect before anything forces it to."""
    for name in state.mmu.regime._fields:
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
    for entry in shared.mmus.entries(state.mmu):
        effect = Effect(shared.cpus.change(state, mmu=shared.mmus.evicted(state.mmu, entry)))
        yield LocalMove(EVICT, _entry_name(shared, entry), effect, optional=True)


def _entry_name(shared: Shared, entry: Cached) -> str:
    if isinstance(entry, Stage2Entry):
        return f"stage 2 {_entry_name(shared, entry.entry)}"
    va = shared.page_name(entry.va)
    asid = "" if entry.asid == GLOBAL else f" asid={entry.asid}"
    if isinstance(entry, TableEntry):
        return f"L{entry.level} {va} table({entry.baddr:#x}){asid}"
    kind = "group" if entry.group else "cont" if entry.contiguous else ""
    count = f" x{entry.count}" if entry.count > 1 else ""
    text = f"({entry.attributes.text})" if entry.attributes.text else ""
    kind += " combined" if entry.vmid else ""
    return f"L{entry.level} {va}{count} page({entry.page:#x}){kind}{text}{asid}"
