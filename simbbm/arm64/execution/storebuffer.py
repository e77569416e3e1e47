"""The store buffer of one CPU: unordered across locations, in order at each location.

Barriers that order stores start a new group; an entry drains only when no older group is left. A
store-release drains only when it is the oldest of all.

Simplified: a store-exclusive and an atomic that succeed are performed at once, they never wait in
the buffer (fewer behaviours).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from simbbm.arm64.descriptor import Descriptor
from simbbm.arm64.translation.tlb import LeafEntry

Word = int | Descriptor


class Store(NamedTuple):
    """A store that has not reached memory: `words` at consecutive addresses."""

    address: int
    words: tuple[Word, ...]
    group: int = 0
    release: bool = False
    entry: LeafEntry | None = None
    """The entry it was translated with: a TLBI waits for stores whose entry it has invalidated
    (R9)."""
    overlooked: bool = False
    """A TLBI did not wait for it, by an erratum; the next one will."""

    def recorded(self) -> tuple[Any, ...]:
        """What digests are made of (`core.values.encode`)."""
        return self if self.overlooked else self[:5]

    def overlaps(self, address: int, count: int = 1) -> bool:
        """Whether it writes one of `count` words at `address`."""
        return self.address < address + count and address < self.address + len(self.words)


class StoreBuffer(NamedTuple):
    """Pending stores in program order; `fence` is the group that loads must wait out."""

    stores: tuple[Store, ...] = ()
    group: int = 0
    fence: int = 0

    def push(
        self,
        address: int,
        words: tuple[Word, ...],
        entry: LeafEntry | None = None,
        *,
        release: bool = False,
    ) -> StoreBuffer:
        """The buffer with one more store."""
        store = Store(address, words, self.group, release, entry)
        return self._replace(stores=(*self.stores, store))

    def ordered(self, *, loads: bool) -> StoreBuffer:
        """After a barrier: later stores, and perhaps `loads`, wait for all earlier stores."""
        if not self.stores:
            return self
        group = self.stores[-1].group + 1
        return self._replace(group=group, fence=group if loads else self.fence)

    def drainable(self) -> list[int]:
        """Indices of the stores that may reach memory next."""
        if not self.stores:
            return []
        oldest = self.stores[0].group
        return [
            i
            for i, store in enumerate(self.stores)
            if store.group == oldest
            and not (store.release and i)
            and not any(s.overlaps(store.address, len(store.words)) for s in self.stores[:i])
        ]

    def drained(self, index: int) -> StoreBuffer:
        """After one store reached memory. Groups are renumbered: equal buffers are equal."""
        stores = self.stores[:index] + self.stores[index + 1 :]
        if not stores:
            return StoreBuffer()
        first = stores[0].group
        if first:
            stores = tuple(s._replace(group=s.group - first) for s in stores)
        return StoreBuffer(stores, self.group - first, max(self.fence - first, 0))

    def forward(self, address: int) -> Word | None:
        """The newest pending value of a word, which a load of this CPU gets, if any."""
        for store in reversed(self.stores):
            if store.overlaps(address):
                return store.words[address - store.address]
        return None

    def pending(self, address: int) -> bool:
        """Whether a store to this word is pending."""
        return any(store.overlaps(address) for store in self.stores)

    @property
    def holds_stores(self) -> bool:
        """Whether a barrier makes later stores wait for a store that is still pending."""
        return bool(self.stores) and self.stores[0].group < self.group

    @property
    def holds_loads(self) -> bool:
        """Whether a barrier makes later loads wait for a store that is still pending."""
        return bool(self.stores) and self.stores[0].group < self.fence

    @property
    def holds_release(self) -> bool:
        """Whether a store-release is pending, which a later load-acquire waits for (RCsc)."""
        return any(store.release for store in self.stores)
