"""The entries that a CPU's MMU may hold, as a value, and how moves change it.

In closure mode (`Hardware.closure`) fills need no agent: the MMU holds every valid descriptor that
it could have cached since the last invalidation that matched it, tables and leaves, closed under
walking from possibly-live roots and from cached tables. What current walks can reach is implied
and not stored; the value keeps only what they cannot reach any more, in one canonical form. In
concrete mode the value is the TLB's contents.

Early results (R5) are what a translation may have obtained since the last context synchronisation
event and could not obtain now.

Simplified: a leaf below a table that was cached under another ASID counts as held for as long as
that table is (more behaviours).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from simbbm.arm64.features import Hardware
from simbbm.arm64.geometry import KERNEL_PAGE, Geometry
from simbbm.arm64.registers import Regime, Register
from simbbm.arm64.translation.memory import Changes, Tables
from simbbm.arm64.translation.tlb import GLOBAL, Cached, Entry, LeafEntry, TableEntry, Tlbi
from simbbm.arm64.translation.view import View, Views, build_view, reachable_from
from simbbm.arm64.translation.walks import (
    EarlyFault,
    fault_of,
    faults_in,
    leaf_entries,
    merged,
    table_entry,
    without,
)
from simbbm.core.values import Encoded, encode

T = TypeVar("T", bound=tuple[object, ...])


Halves = tuple[bool, bool]
"""Whether something applies to the lower half of addresses (TTBR0), and to the upper (TTBR1)."""

MAX_VIEW_ENTRIES = 1_000_000
"""Entries of all remembered views together."""


@dataclass(eq=False, slots=True)
class Mmu:
    """An interned value: compare by identity."""

    regime: Regime
    tables: tuple[TableEntry, ...]
    leaves: tuple[LeafEntry, ...]
    early_leaves: tuple[LeafEntry, ...]
    early_faults: tuple[EarlyFault, ...]
    evictions: int
    views: dict[Tables, View] = field(default_factory=dict)
    _content: Encoded | None = None

    @property
    def holds_nothing(self) -> bool:
        """Whether there is nothing that a TLBI could invalidate or mark."""
        return not (self.tables or self.leaves or self.early_leaves or self.early_faults)

    def content(self) -> Encoded:
        """Everything that identifies it, encoded once: many states share it."""
        if self._content is None:
            early = (self.early_leaves, self.early_faults)
            parts = (self.regime, self.tables, self.leaves, early, self.evictions)
            self._content = Encoded(encode(parts))
        return self._content


class Mmus:
    """Makes and changes MMU values for one geometry and kind of hardware."""

    def __init__(self, geometry: Geometry, hardware: Hardware) -> None:
        self.geometry = geometry
        self.hardware = hardware
        self._pool: dict[tuple[object, ...], Mmu] = {}
        self._viewed: dict[Tables, None] = {}
        self._views = Views(geometry, hardware)
        self._keeps_faults = hardware.early or "invalid-not-cached" in hardware.ablations

    def start(
        self, regime: Regime, tables: Tables, el: int = 1, leaves: tuple[LeafEntry, ...] = ()
    ) -> Mmu:
        """An MMU that has run under `regime` for a while, at an `el`; it may hold `leaves` too."""
        del el
        return self._canonical(regime, (), leaves, (), (), self.hardware.evictions, tables)

    def _forget_views(self) -> None:
        """Drop the views: with real tables each has hundreds of entries."""
        for mmu in self._pool.values():
            mmu.views.clear()
        for tables in self._viewed:
            tables.memo.clear()
            for table in tables.by_address.values():
                table.memo.clear()
        self._viewed.clear()
        self._views = Views(self.geometry, self.hardware)

    def forget(self) -> None:
        """Drop the pool."""
        self._pool.clear()

    def view(self, mmu: Mmu, tables: Tables) -> View:
        """What the MMU holds and what its walks can reach, given the current tables."""
        view = mmu.views.get(tables)
        if view is None:
            view = mmu.views[tables] = self._built(mmu, tables)
            self._viewed[tables] = None
            if self._views.entries > MAX_VIEW_ENTRIES:
                self._forget_views()
        return view

    def _built(self, mmu: Mmu, tables: Tables) -> View:
        return self._views.of(mmu.regime, mmu.tables, mmu.leaves, tables)

    def walked(self, mmu: Mmu, tables: Tables) -> tuple[LeafEntry, ...]:
        """What walks of these tables by the newest registers lead to."""
        closed, newest = self.hardware._replace(closure=True), mmu.regime.synchronised()
        return build_view(self.geometry, closed, newest, (), (), tables).leaves

    def entries(self, mmu: Mmu) -> tuple[Cached, ...]:
        """Concrete mode: every entry that may be evicted."""
        return (*mmu.tables, *mmu.leaves)

    def written(self, mmu: Mmu, tables: Tables, name: str, value: Register) -> Mmu:
        """After an MSR to a register that translation depends on."""
        late = self.hardware.late_registers
        if name == "sctlr" and "sctlr-takes-effect-late" in self.hardware.ablations:
            late = False
        regime = mmu.regime.written(name, value, at_once=not late)
        return self._retained(mmu, tables, regime)

    def synchronised(self, mmu: Mmu, tables: Tables) -> Mmu:
        """After a context synchronisation event: one context is left, early results are gone."""
        forget = "invalid-not-cached" not in self.hardware.ablations
        return self._retained(mmu, tables, mmu.regime.synchronised(), forget_early=forget)

    def at_level(self, mmu: Mmu, tables: Tables, el: int) -> Mmu:  # noqa: ARG002
        """After exception entry to, or return to, an exception level: both synchronise (R14)."""
        return self.synchronised(mmu, tables)

    def settled(self, mmu: Mmu, tables: Tables, name: str) -> Mmu:
        """Concrete mode: one register's newest value takes effect before a synchronisation."""
        value = getattr(mmu.regime, name)[-1:]
        return self._retained(mmu, tables, mmu.regime._replace(**{name: value}))

    def without_early(self, mmu: Mmu, *, marked_only: bool = False) -> Mmu:
        """Early results are dropped: all of them, or those that the next barrier drops."""
        faults = tuple(f for f in mmu.early_faults if marked_only and not f.marked)
        leaves = mmu.early_leaves if marked_only else ()
        return self._make(mmu.regime, mmu.tables, mmu.leaves, leaves, faults, mmu.evictions)

    def without_early_faults(self, mmu: Mmu) -> Mmu:
        """ETS2: drop early faults, since an access has been performed after them (R17)."""
        return self._make(mmu.regime, mmu.tables, mmu.leaves, mmu.early_leaves, (), mmu.evictions)

    def early_faults_behind(
        self, mmu: Mmu, tables: Tables, page: int
    ) -> list[tuple[int, EarlyFault]]:
        """Early faults of stage 2 that an access to a page may have met, each with its IPA."""
        del mmu, tables, page
        return []

    def invalidated(self, mmu: Mmu, tables: Tables, tlbi: Tlbi) -> Mmu:
        """After a TLBI has acted: the entries that it matches are gone; walks may refill them."""
        after = self._purged(mmu, tables, tlbi)
        if not self.hardware.early or after is mmu or not self.view(mmu, tables).asids:
            return after
        held = self.view(after, tables).leaves
        lost = without(self.geometry, self.view(mmu, tables).leaves, held)
        early = ordered(merged(self.geometry, [*mmu.early_leaves, *lost]))
        faults = ordered({*mmu.early_faults, *self._faults_lost(mmu, after, tables)})
        return self._make(after.regime, after.tables, after.leaves, early, faults, after.evictions)

    def _purged(self, mmu: Mmu, tables: Tables, tlbi: Tlbi) -> Mmu:
        """Without the entries that a TLBI matches; early results stay as they are."""
        geometry = self.geometry
        entries: Iterable[TableEntry] = mmu.tables
        leaves: Iterable[LeafEntry] = mmu.leaves
        if self.hardware.closure and any(tlbi.matches_table(e, geometry) for e in mmu.tables):
            # Entries below a table entry that goes away are kept, unless the TLBI matches them too.
            view = self.view(mmu, tables)
            entries, leaves = view.tables, view.leaves
        kept_tables = [e for e in entries if not tlbi.matches_table(e, geometry)]
        kept_leaves = [part for e in leaves for part in tlbi.remainder(e, geometry)]
        return self._canonical(
            mmu.regime,
            kept_tables,
            kept_leaves,
            mmu.early_leaves,
            mmu.early_faults,
            mmu.evictions,
            tables,
        )

    def _faults_lost(self, before: Mmu, after: Mmu, tables: Tables) -> Iterator[EarlyFault]:
        """Faults of walks from cached tables that are invalidated now."""
        if before.tables == after.tables:
            return
        kept = set(self.view(after, tables).tables)
        for entry in self.view(before, tables).tables:
            if entry not in kept:
                for run in faults_in(self.geometry, tables, entry.baddr, entry.level + 1):
                    yield EarlyFault(entry.va + run.first, run.pages, run.fault)

    def completed(self, mmu: Mmu, tlbi: Tlbi) -> Mmu:
        """After another CPU's broadcast TLBI completed here (R9, R10).

        Unused early results that the TLBI matches are translated anew. Faults survive it, but the
        next barrier that orders accesses drops those that it matches.
        """
        leaves = [part for e in mmu.early_leaves for part in tlbi.remainder(e, self.geometry)]
        faults = ordered(
            {f._replace(marked=f.marked or f.matched_by(tlbi)) for f in mmu.early_faults}
        )
        return self._make(
            mmu.regime, mmu.tables, mmu.leaves, ordered(set(leaves)), faults, mmu.evictions
        )

    def observed(self, mmu: Mmu, before: Tables, after: Tables, baddr: int) -> Mmu:
        """After a store to the table at `baddr`: what was valid may still be held (R2)."""
        view = self.view(mmu, before)
        places = view.places(baddr)
        if not places or not self.hardware.closure:
            return mmu
        k = ("observed", mmu, before, baddr)
        memo = after.memo.get(k)
        if memo is None:
            changed = before.by_address[baddr].changes(after.by_address[baddr])
            memo = after.memo[k] = self._observed(mmu, places, changed, after)
        assert isinstance(memo, Mmu)
        return memo

    def _observed(
        self, mmu: Mmu, places: Iterable[tuple[int, int, int]], changed: Changes, after: Tables
    ) -> Mmu:
        entries: list[TableEntry] = list(mmu.tables)
        leaves: list[LeafEntry] = list(mmu.leaves)
        faults = set(mmu.early_faults)
        for index, old, new in changed:
            for va, level, asid in places:
                at = va + index * self.geometry.pages(level)
                if entry := table_entry(old, level, at, asid):
                    entries.append(entry)
                elif cached := leaf_entries(self.geometry, old, level, at, asid):
                    leaves += cached
                elif self._keeps_faults and fault_of(old, level) != fault_of(new, level):
                    fault = fault_of(old, level)
                    assert fault is not None
                    faults.add(EarlyFault(at, self.geometry.pages(level), fault))
        early = mmu.early_leaves, ordered(faults)
        return self._canonical(mmu.regime, entries, leaves, *early, mmu.evictions, after)

    def with_shared_entries(
        self, mmu: Mmu, other: Mmu, tables: Tables, halves: Halves, doomed: tuple[Tlbi, ...]
    ) -> Mmu:
        """Add the entries of a CPU that shares this TLB (CnP, same table).

        Left out are those that a TLBI of `doomed`, performed here already, will still remove there.
        Entries that walks of the common table imply are held anyway.
        """
        k = ("shared", mmu, other, halves, doomed)
        memo = tables.memo.get(k)
        if memo is None:
            asids = {GLOBAL, *(context.asid for context in mmu.regime.contexts())}

            def usable(entry: TableEntry | LeafEntry) -> bool:
                return halves[entry.va >= KERNEL_PAGE] and entry.asid in asids

            entries = [e for e in other.tables if usable(e)]
            leaves = [e for e in other.leaves if usable(e)]
            for tlbi in doomed:
                entries = [e for e in entries if not tlbi.matches_table(e, self.geometry)]
                leaves = [part for e in leaves for part in tlbi.remainder(e, self.geometry)]
            memo = tables.memo[k] = self._canonical(
                mmu.regime,
                [*mmu.tables, *entries],
                [*mmu.leaves, *leaves],
                mmu.early_leaves,
                mmu.early_faults,
                mmu.evictions,
                tables,
            )
        assert isinstance(memo, Mmu)
        return memo

    def holding(self, mmu: Mmu, tables: Tables, entries: Iterable[Entry]) -> Mmu:
        """Closure: walks may have cached some more entries; `mmu` itself if they were there."""
        more = [e for e in entries if e not in mmu.tables and e not in mmu.leaves]
        if not more:
            return mmu
        return self._canonical(
            mmu.regime,
            [*mmu.tables, *(e for e in more if isinstance(e, TableEntry))],
            [*mmu.leaves, *(e for e in more if isinstance(e, LeafEntry))],
            mmu.early_leaves,
            mmu.early_faults,
            mmu.evictions,
            tables,
        )

    def filled(self, mmu: Mmu, entry: Cached) -> Mmu:
        """Concrete mode: a walk cached one more entry; `mmu` itself if it was there already."""
        if entry in (mmu.tables if isinstance(entry, TableEntry) else mmu.leaves):
            return mmu
        tables = ordered({*mmu.tables, entry}) if isinstance(entry, TableEntry) else mmu.tables
        leaves = ordered({*mmu.leaves, entry}) if isinstance(entry, LeafEntry) else mmu.leaves
        return self._make(
            mmu.regime, tables, leaves, mmu.early_leaves, mmu.early_faults, mmu.evictions
        )

    def evicted(self, mmu: Mmu, entry: Cached) -> Mmu:
        """Concrete mode: an entry was evicted."""
        tables = tuple(e for e in mmu.tables if e != entry)
        leaves = tuple(e for e in mmu.leaves if e != entry)
        return self._make(
            mmu.regime, tables, leaves, mmu.early_leaves, mmu.early_faults, mmu.evictions - 1
        )

    def _retained(
        self, mmu: Mmu, tables: Tables, regime: Regime, *, forget_early: bool = False
    ) -> Mmu:
        """Change the regime; entries that were held stay held."""
        entries, leaves = mmu.tables, mmu.leaves
        if self.hardware.closure:
            view = self.view(mmu, tables)
            entries, leaves = view.tables, view.leaves
        early_leaves = () if forget_early else mmu.early_leaves
        early_faults = () if forget_early else mmu.early_faults
        return self._canonical(
            regime, entries, leaves, early_leaves, early_faults, mmu.evictions, tables
        )

    def _canonical(
        self,
        regime: Regime,
        entries: Iterable[TableEntry],
        leaves: Iterable[LeafEntry],
        early_leaves: tuple[LeafEntry, ...],
        early_faults: tuple[EarlyFault, ...],
        evictions: int,
        tables: Tables,
    ) -> Mmu:
        """Make the canonical value, without entries that its roots and kept tables imply."""
        if "tlb" in self.hardware.ablations:
            entries = leaves = ()
        elif self.hardware.closure:
            implied = self._views.of(regime, (), (), tables)
            seen = set(implied.tables)
            reachable = list(implied.leaves)
            kept: list[TableEntry] = []
            held = list(leaves)
            for entry in ordered(set(entries)):
                if entry not in seen:
                    more = reachable_from(self.geometry, tables, entry)
                    if not self.hardware.walk_cache:
                        held += more.leaves  # no walk starts there any more, but they were cached
                        continue
                    kept.append(entry)
                    seen |= {entry, *more.tables}
                    reachable += more.leaves
            entries = kept
            leaves = without(self.geometry, held, reachable)
        return self._make(
            regime,
            ordered(set(entries)),
            ordered(set(leaves)),
            early_leaves,
            early_faults,
            evictions,
        )

    def _make(
        self,
        regime: Regime,
        tables: tuple[TableEntry, ...],
        leaves: tuple[LeafEntry, ...],
        early_leaves: tuple[LeafEntry, ...],
        early_faults: tuple[EarlyFault, ...],
        evictions: int,
    ) -> Mmu:
        k = (regime, tables, leaves, early_leaves, early_faults, evictions)
        mmu = self._pool.get(k)
        if mmu is None:
            mmu = self._pool[k] = Mmu(*k)
        return mmu


def ordered(items: Iterable[T]) -> tuple[T, ...]:
    """In canonical order."""
    return tuple(sorted(items))


__all__ = ["GLOBAL", "EarlyFault", "Mmu", "Mmus", "ordered"]
