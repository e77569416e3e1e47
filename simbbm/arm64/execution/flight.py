"""Instructions in flight: the state of each, and the interface of the sources that fetch them.

Three sources feed the executor. A program with a window of 1 is asked for its next operation when
the previous one is done (`InOrder`, which adds nothing to a CPU's state). With a larger window it
is asked as far as the values that it looks at are known (`ahead`). A listing is known in advance
(`listing`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from simbbm.arm64.execution.instructions import LOAD, STORE, Decoded, ordered_by
from simbbm.arm64.translation.tlb import LeafEntry
from simbbm.arm64.translation.walks import Fault

if TYPE_CHECKING:
    from simbbm.arm64.context import Shared
    from simbbm.arm64.cpu import CpuState, Effect
    from simbbm.arm64.ops import Aborted
    from simbbm.arm64.translation.hardware_update import Update
    from simbbm.arm64.translation.memory import Memory

MEMORY = -1
"""Source of a load that was not forwarded from an own store."""
BUFFER = -2
"""Source of a load that was forwarded from a store beyond the window, in the store buffer."""


class InFlight(NamedTuple):
    """An instruction in flight."""

    code: int = 0
    """Number of a listing's instruction."""
    word: int | None = None
    """Physical word, once the access is translated."""
    entry: LeafEntry | None = None
    fault: Fault | None = None
    done: bool = False
    value: Any = None
    """What a load read."""
    source: int = MEMORY
    """Position in the window of the store that a load was forwarded from."""
    superseded: bool = False
    """Another CPU has written the word since the load read it from memory."""
    stale: str = ""
    """The translation is stale: what the tables gave when it was translated.

    A history variable: it does not influence the CPU. Step properties need it when the access is
    performed, which may be many moves later. On machines without step properties it is dropped
    (`without_history`), since it would make more states."""

    @property
    def translated(self) -> bool:
        """Whether the access has a translation that is not a fault."""
        return self.word is not None

    @property
    def over(self) -> bool:
        """Whether no access is waited for any more: it is performed, or took its fault."""
        return self.done or self.taken

    taken: bool = False
    """Its fault was taken and the handler is in flight behind it, but accesses that barriers order
    before the fault are not performed: a TLBI for its page does not complete before that."""

    update: Update | None = None
    """Its walk has read a descriptor that hardware has to write yet (`hardware_update`)."""

    modified: tuple[Any, ...] | None = None
    """What an atomic instruction that has read its word is going to write there. Empty: somebody
    else has written the word since, so that it never does."""

    @property
    def is_read(self) -> bool:
        """Whether it has its value: it is performed, or an atomic instruction that has read."""
        return self.done or self.modified is not None

    def recorded(self) -> tuple[Any, ...]:
        """What digests are made of (`core.values.encode`)."""
        if self.modified is not None:
            return self
        if self.update:
            return self[:11]
        return self[:10] if self.taken else self[:9] if self.stale else self[:8]


FRESH = InFlight()
Window = tuple[InFlight, ...]
"""In program order, the oldest first."""


class Source(Protocol):
    """Where a CPU's instructions come from, in one state of it."""

    @property
    def window(self) -> Window:
        """The instructions in flight, oldest first."""

    @property
    def split(self) -> bool:
        """Whether an access is translated in one step and performed in another."""

    @property
    def keeps_faults(self) -> bool:
        """Whether a handler may begin while its fault waits for barriers (`InFlight.taken`)."""

    def code(self, state: CpuState, number: int) -> list[Decoded]:
        """The instructions in flight, decoded as far as values are known."""

    def after(self, shared: Shared, state: CpuState, window: Window, **changes: Any) -> CpuState:
        """The CPU with this window: finished instructions are retired."""

    def synchronised(self, shared: Shared, state: CpuState, i: int, **changes: Any) -> CpuState:
        """The CPU after the i-th instruction, a context synchronisation event."""

    def continued(self, shared: Shared, returned: Effect) -> Effect:
        """The effect of an ERET of a program: the source continues at its control point."""

    def takes_exception(self, i: int) -> bool:
        """Whether the i-th instruction may take an exception now."""

    def exception(
        self,
        shared: Shared,
        state: CpuState,
        memory: Memory,
        number: int,
        i: int,
        aborted: Aborted,
        *,
        resume: bool,
    ) -> Effect:
        """The effect of an exception at the i-th instruction (`resume`: an SVC)."""


class Flight(Source, Protocol):
    """A source that is part of a CPU's state: it has several instructions in flight."""

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""

    def content(self) -> tuple[Any, ...]:
        """What identifies it."""

    def with_window(self, window: Window) -> Flight:
        """The same flight with another window."""


def behind_dmb(shared: Shared, state: CpuState, option: str) -> dict[str, Any]:
    """What changes when a DMB is retired.

    Later accesses wait for pending stores, and early faults for which a TLBI has completed are
    dropped.
    """
    order = ordered_by(option)
    changes: dict[str, Any] = {}
    if STORE in order.before:
        changes["buffer"] = state.buffer.ordered(loads=LOAD in order.after)
    if LOAD in order.before:
        changes["mmu"] = shared.mmus.without_early(state.mmu, marked_only=True)
    return changes


def with_entry(window: Window, i: int, entry: InFlight) -> Window:
    """Change what is known of one instruction."""
    return (*window[:i], entry, *window[i + 1 :])


def without_history(window: Window) -> Window:
    """The window without history variables; the same object if it has none."""
    if not any(entry.stale for entry in window):
        return window
    return tuple(entry._replace(stale="") for entry in window)


def shifted(window: Window) -> Window:
    """The window without its oldest instruction; a store that leaves is in the store buffer."""
    return tuple(
        entry._replace(source=entry.source - 1 if entry.source > 0 else BUFFER)
        if entry.source >= 0
        else entry
        for entry in window[1:]
    )


def drained(window: Window, word: int, count: int) -> Window:
    """The window after the last store of `count` words left the store buffer for memory."""
    return tuple(
        entry._replace(source=MEMORY)
        if entry.source == BUFFER and entry.word is not None and word <= entry.word < word + count
        else entry
        for entry in window
    )


def restarted(window: Window, i: int, written: range) -> Window:
    """The window, cut off before the first younger load that should have seen the store at `i`.

    `written`: words that the store goes to, as is known now. A younger store to them is not done.
    """
    for j in range(i + 1, len(window)):
        entry = window[j]
        if entry.done and entry.source < i and entry.word is not None and entry.word in written:
            return window[:j]
    return window


def observed(window: Window, word: int, count: int, *, own: bool, updates: bool) -> Window:
    """The window after `count` words were written, by this CPU or another one."""
    if not own:
        window = _overtaken(window, word, count)
    if any(entry.modified for entry in window):
        window = _without_atomics(window, word, count)
    return _without_updates(window, word, count) if updates else window


def _without_atomics(window: Window, word: int, count: int) -> Window:
    """The window after `count` words were written: atomics that had read them never write.

    Nobody comes between the halves of one, so that this run is none.
    """
    return tuple(
        entry._replace(modified=())
        if entry.modified and entry.word is not None and word <= entry.word < word + count
        else entry
        for entry in window
    )


def _without_updates(window: Window, word: int, count: int) -> Window:
    """The window after `count` words were written: updates of these never happen."""
    return tuple(
        entry._replace(update=entry.update._replace(overwritten=True))
        if entry.update and word <= entry.update.address < word + count
        else entry
        for entry in window
    )


def _overtaken(window: Window, word: int, count: int) -> Window:
    """The window after another CPU wrote `count` words.

    Loads that have read them are superseded.
    """
    return tuple(
        entry._replace(superseded=True)
        if entry.done
        and entry.word is not None
        and entry.source == MEMORY
        and word <= entry.word < word + count
        else entry
        for entry in window
    )
