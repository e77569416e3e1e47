"""TLBI completion: which pending stores and instructions it waits for, or retranslates (R9, R10).

On a CPU other than the issuer, completion means that no access will be performed any more with a
translation that was invalidated. Accesses that were translated but not performed are translated
anew; a store that has left the window is waited for. A faulting translation survives, unless a
barrier before it would order the access.
"""

from __future__ import annotations

from collections.abc import Sequence

from simbbm.arm64.context import Shared
from simbbm.arm64.cpu import CpuState
from simbbm.arm64.execution.flight import InFlight, Window
from simbbm.arm64.execution.instructions import Decoded
from simbbm.arm64.execution.storebuffer import StoreBuffer
from simbbm.arm64.platform.errata import TLBI, ends_of
from simbbm.arm64.translation.tlb import BY_IPA, LeafEntry, Tlbi
from simbbm.arm64.translation.walks import Fault


def stale(shared: Shared, entry: LeafEntry | None, held: Sequence[LeafEntry], tlbi: Tlbi) -> bool:
    """Whether the TLBI has invalidated this entry, and no walk can refill it.

    One by IPA leaves combined entries as they are, on hardware that has any.
    """
    if entry is None:
        return False
    matched = tlbi.remainder(entry, shared.geometry) != (entry,)
    if tlbi.op in BY_IPA and not shared.hardware.combined_entries:
        matched = tlbi.has_vmid(entry.vmid)
    return matched and not any(leaf.includes(entry, shared.geometry) for leaf in held)


def stores_hold_up(shared: Shared, state: CpuState, held: Sequence[LeafEntry], tlbi: Tlbi) -> bool:
    """Whether a pending store was translated with an entry that the TLBI has invalidated.

    By some errata stores outlive a broadcast TLBI; by some of these the next one waits for them,
    whatever it invalidates.
    """
    if shared.ablated("no-drain"):
        return False
    ends = ends_of(shared.errata(state)) if tlbi.broadcast else frozenset()
    return any(
        (store.overlooked and ends == {TLBI})
        or (not ends and stale(shared, store.entry, held, tlbi))
        for store in state.buffer.stores
    )


def overlooked(
    shared: Shared, state: CpuState, held: Sequence[LeafEntry], tlbi: Tlbi
) -> StoreBuffer:
    """The store buffer after a TLBI has acted: stores that outlive it by an erratum are marked."""
    if not (tlbi.broadcast and ends_of(shared.errata(state))):
        return state.buffer
    stores = (
        store._replace(overlooked=True) if stale(shared, store.entry, held, tlbi) else store
        for store in state.buffer.stores
    )
    return state.buffer._replace(stores=tuple(stores))


def begun_holds_up(
    shared: Shared,
    window: Window,
    code: Sequence[Decoded],
    held: Sequence[LeafEntry],
    tlbi: Tlbi,
    free: Sequence[bool],
) -> bool:
    """Whether something was begun with a stale translation that cannot be translated anew.

    That is a fault that was taken and still waits for barriers (`free[i]`: the i-th does not), an
    update of a descriptor that has not been written, a store that has made its page dirty, and an
    atomic instruction that has read and not written.
    """
    return any(
        (entry.taken and not own)
        or entry.update is not None
        or (_is_begun(entry) and stale(shared, entry.entry, held, tlbi))
        for instruction, entry, own in zip(code, window, free, strict=True)
        if _is_for(shared, tlbi, instruction, entry.fault)
    )


def flight_holds_up(
    shared: Shared,
    window: Window,
    code: Sequence[Decoded],
    held: Sequence[LeafEntry],
    tlbi: Tlbi,
) -> bool:
    """Whether an access was performed with a stale entry before an older one to its offset.

    The two may go to the same word; the older one must not be translated after completion. Of one
    whose address is not known yet the offset may be any.
    """
    if shared.ablated("no-drain") or shared.ablated("no-same-offset"):
        return False
    offsets: set[int] = set()
    any_offset = False
    for instruction, entry in zip(code, window, strict=True):
        if not instruction.rule.access or instruction.physical:
            continue
        offset = instruction.address % shared.geometry.page_words
        gone = stale(shared, entry.entry, held, tlbi)
        if entry.is_read and gone and (any_offset or offset in offsets):
            return True
        if not entry.is_read and (gone or not (entry.translated or entry.fault)):
            offsets.add(offset)
            any_offset |= not instruction.addressed
    return False


def _is_begun(entry: InFlight) -> bool:
    """Whether it has read, or is a store that may have made its page dirty: it does so once."""
    if entry.modified is not None:
        return True
    leaf = entry.entry if not entry.done else None
    return leaf is not None and leaf.attributes.dirty_modifier and leaf.attributes.write


def _is_for(shared: Shared, tlbi: Tlbi, instruction: Decoded, fault: Fault | None) -> bool:
    """Whether a TLBI is for the page of an access that faulted; one by IPA, for that IPA."""
    if tlbi.op in BY_IPA:
        return fault is not None and fault.ipa is not None and tlbi.is_for(fault.ipa)
    return tlbi.is_for(shared.geometry.page(instruction.address))


def translated_anew(
    shared: Shared,
    window: Window,
    code: Sequence[Decoded],
    held: Sequence[LeafEntry],
    tlbi: Tlbi,
    ordered: Sequence[bool],
) -> Window:
    """The window after completion; `ordered[i]`: no barrier holds up the i-th instruction."""
    if shared.ablated("no-drain"):
        return window
    following = []
    for instruction, entry, free in zip(code, window, ordered, strict=True):
        again = False
        if instruction.rule.access and not instruction.physical and not entry.done:
            again = entry.modified is None and stale(shared, entry.entry, held, tlbi)
            if (
                entry.fault is not None
                and not entry.taken
                and _is_for(shared, tlbi, instruction, entry.fault)
            ):
                again = not free
        following.append(InFlight(entry.code) if again else entry)
    return tuple(following)
