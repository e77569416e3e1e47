"""Exclusives and atomic instructions: a load and a store of one word that nobody comes between.

Programs do them when they are the oldest in flight. In listings they are in flight like others: an
atomic instruction reads first and writes later, a store-exclusive writes if the monitor is set.

Between its halves what depends on the value goes on, and a younger load of the word gets what is
going to be written, but for an acquire, which waits (Arm ARM B2.3, atomic-ordered-before). Nobody
else writes the word meanwhile: a run in which somebody does is none, and never ends (R41).

Simplified: an atomic instruction of a program reads and writes in one step (fewer behaviours), and
one that reads gets no value from an older store that has not reached memory (fewer).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simbbm.arm64.cpu import NOTHING, LocalMove
from simbbm.arm64.execution.decoding import check_fits
from simbbm.arm64.execution.updates import Updates
from simbbm.arm64.translation.translate import Translation

_EXCLUSIVES = ("load_exclusive", "store_exclusive")


class Atomics(Updates):
    """The moves of exclusives and atomic instructions."""

    def load_exclusive(self, i: int) -> Iterator[LocalMove]:
        """LDXR and LDAXR: set the monitor as well."""
        yield from self._access(i, self._read_exclusive)

    def store_exclusive(self, i: int) -> Iterator[LocalMove]:
        """STXR and STLXR: performed at once if the monitor is still set."""
        yield from self._access(i, self._write_exclusive)

    def atomic_add(self, i: int) -> Iterator[LocalMove]:
        """LDADDAL: needs both permissions, performed at once when all earlier stores have been."""
        yield from self._access(i, self._add)

    def modify(self, i: int) -> Iterator[LocalMove]:
        """SWP, CAS, LDADD and the like in listings: both permissions; reads first, then writes."""
        if self.window[i].modified is None:
            yield from self._access(i, self._read_to_modify)
        else:
            yield from self._write_modified(i)

    def _read_exclusive(self, i: int, t: Translation | None, word: int) -> Iterator[LocalMove]:
        if self._is_in_turn(i):
            yield from self._read(i, t, word, monitor=word)

    def _write_exclusive(self, i: int, t: Translation | None, word: int) -> Iterator[LocalMove]:
        words = self._words(i, word)
        if self.state.buffer.pending(word) or not self.is_ordered(i):
            return
        if self.source.split and not (
            self.is_committed(i)
            and self._is_in_turn(i)
            and not self._is_behind_another(i, word, len(words))
        ):
            return
        if self.state.monitor == word and not self.is_clean(i):
            window = self.restarted(i, word)
            yield self.done(i, 0, t, window=window, write=(word, words), monitor=NOTHING)
            if not self.code[i].rule.alone:
                yield self.done(i, 1, t, what="fails", monitor=NOTHING)
        else:
            yield self.done(i, 1, t, monitor=NOTHING)

    def _is_in_turn(self, i: int) -> bool:
        """Whether all earlier exclusives are done: there is one monitor."""
        return all(self.window[j].done for j in range(i) if self.code[j].rule.does in _EXCLUSIVES)

    def _add(self, i: int, t: Translation | None, word: int) -> Iterator[LocalMove]:
        (addend,) = self._words(i, word)
        if self.is_ordered(i):
            old = self.shared.memories.read(self.memory, word)
            window = self.restarted(i, word)
            write = (word, (old + addend,))
            yield self.done(i, old, t, window=window, reads=(word,), write=write)

    def _read_to_modify(self, i: int, t: Translation | None, word: int) -> Iterator[LocalMove]:
        if not (self.is_committed(i) and self.is_ordered(i)):
            return
        if self._is_behind_another(i, word, 1):
            return
        function, *operands = self.code[i].operands or ()
        old = self.shared.memories.read(self.memory, word)
        new: Any = function(old, *operands)
        if new is not None and self.is_clean(i):
            return
        window = self.restarted(i, word)
        if len(older := self._without_older(i, word)) < len(window):
            window = older
        if new is None:  # CAS whose comparison failed
            yield self.done(i, old, t, window=window, reads=(word,))
            return
        check_fits(self.shared, self.memory, self.code[i].where, word, (new,))
        entry = self.window[i]._replace(word=word, value=old, modified=(new,))
        yield self._performed(i, "reads", entry, t, window=window, reads=(word,))

    def _write_modified(self, i: int) -> Iterator[LocalMove]:
        """The other half: nothing holds it up, since all that could has been waited for."""
        entry = self.window[i]
        assert entry.word is not None
        if entry.modified:
            window = self._from_memory(self.window, i)
            written = entry._replace(done=True, modified=None)
            write = (entry.word, entry.modified)
            yield self._performed(i, "writes", written, None, window=window, write=write)
