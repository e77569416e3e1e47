"""Accesses whose walker updates the descriptor that it reads (FEAT_HAFDBS, `hardware_update`)."""

from __future__ import annotations

from collections.abc import Iterator

from simbbm.arm64.cpu import Effect, LocalMove
from simbbm.arm64.execution.accesses import Accesses
from simbbm.arm64.execution.flight import with_entry
from simbbm.arm64.translation.hardware_update import Update, is_clean, updates_for
from simbbm.arm64.translation.translate import READ, WRITE, permitted


class Updates(Accesses):
    """The moves of walkers that update, for the accesses in flight."""

    def translates_with_update(self, i: int) -> Iterator[LocalMove]:
        """An access is translated by a descriptor that is updated later, or before it, in order."""
        if not (self.state.features.updates_descriptors and self.code[i].addressed):
            return
        if self.state.features.ets2 and self.is_held_by_dsb(i):
            return
        page = self.shared.geometry.page(self.code[i].address)
        access = self.kind(i)
        updates = updates_for(self.shared, self.state, self.memory, page, dirty=access == WRITE)
        for update in updates:
            if not permitted(update.after.attributes, access, self.state.el):
                continue
            if not self.source.split:
                yield self._writes(i, update)
                continue
            leaf = update.leaf(self.shared.geometry)
            word = self.at(leaf.page + page - leaf.va, i)
            entry = self.window[i]._replace(word=word, entry=leaf, update=update)
            window = with_entry(self.restarted(i, word), i, entry)
            after = self.source.after(self.shared, self.state, window)
            what = f"translates, to update {self.shared.name(update.address)}"
            yield self.move(i, what, Effect(after))
        if self._may_fail(i):
            yield from self._translates_to_fail(i, page)

    def update(self, i: int) -> Iterator[LocalMove]:
        """The descriptor is written that the walk for an access has read, if it is as it was."""
        update = self.window[i].update
        assert update is not None
        current = self.shared.memories.read(self.memory, update.address)
        as_it_was = current == update.before and not update.overwritten
        if self.is_committed(i) and (as_it_was or self.shared.ablated("update-is-not-atomic")):
            yield self._writes(i, update)

    def _writes(self, i: int, update: Update) -> LocalMove:
        """Hardware writes a descriptor for an access."""
        after = self.state
        if self.source.split:
            window = with_entry(self.window, i, self.window[i]._replace(update=None))
            after = self.source.after(self.shared, self.state, window)
        effect = Effect(after, write=(update.address, (update.after,)))
        what = f"updates {self.shared.name(update.address)}"
        return self.move(i, what, effect, notes=() if self.source.split else (what,))

    def _may_fail(self, i: int) -> bool:
        """Whether it may write nothing: then it needs no dirty page, where pages may be made so."""
        fails = self.code[i].option == "cas" or self.code[i].rule.does == "store_exclusive"
        return fails and self.source.split and self.state.features.hardware_dirty

    def _translates_to_fail(self, i: int, page: int) -> Iterator[LocalMove]:
        """A CAS or store-exclusive that fails may leave a page clean."""
        for hit in self.translations(page, READ):
            if hit.fault or hit.entry is None or not is_clean(hit.entry.attributes):
                continue
            word = self.at(hit.page, i)
            entry = self.window[i]._replace(word=word, entry=hit.entry)
            window = with_entry(self.restarted(i, word), i, entry)
            after = self.source.after(self.shared, self.state, window)
            yield self.move(i, f"translates to {hit.page:#x}, clean", Effect(after))

    def is_clean(self, i: int) -> bool:
        """Whether an access was translated to a clean page, and so may not write."""
        leaf = self.window[i].entry
        return leaf is not None and is_clean(leaf.attributes)
