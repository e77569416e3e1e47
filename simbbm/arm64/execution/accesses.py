"""Loads and stores: translated, performed, or ended by a fault.

A load gets the newest earlier store of its CPU to the word, else what memory holds. Loads of one
word read in order: a younger one that was performed first, and has read an older value, is
performed again (R2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from simbbm.arm64.cpu import CpuState, Effect, LocalMove, StaleAccess
from simbbm.arm64.execution.decoding import check_fits, satisfied
from simbbm.arm64.execution.flight import BUFFER, MEMORY, InFlight, Window, restarted, with_entry
from simbbm.arm64.execution.instructions import LOAD, STORE
from simbbm.arm64.execution.ordering import Ordering
from simbbm.arm64.ops import Aborted
from simbbm.arm64.registers import Signal
from simbbm.arm64.translation.memory import Memory
from simbbm.arm64.translation.translate import READ, WRITE, Translation, target, translations
from simbbm.arm64.translation.walks import ACCESS_FLAG, STALL, TRANSLATION, Fault
from simbbm.core.system import STEP

Perform = Callable[[int, Translation | None, int], Iterator[LocalMove]]
"""Performs a translated access to this word."""

_EARLIEST = (TRANSLATION, ACCESS_FLAG)
"""Faults that under FEAT_ETS2 come after all earlier accesses (R17)."""


class Accesses(Ordering):
    """The moves of loads and stores in flight."""

    # The instructions

    def load(self, i: int) -> Iterator[LocalMove]:
        """LDR, LDAR and LDAPR."""
        yield from self._access(i, self._read)

    def wait(self, i: int) -> Iterator[LocalMove]:
        """A poll.

        It is a move if the predicate holds, the access may fault, or the MMU changes. If the
        predicate holds under some translations only, the poll under another one is an optional move
        that changes nothing: it may happen again and again.
        """
        instruction = self.code[i]
        if instruction.operands is None or not instruction.addressed:
            return
        predicate, args = instruction.operands
        in_vain: list[LocalMove] = []
        goes_on = False
        for t in self._translated(i, READ):
            if t.fault:
                faults = list(self._fault(i, t))
                goes_on |= bool(faults)
                yield from faults
                continue
            if not self.is_ordered(i):
                continue
            word = self._physical(t, i)
            known, _, value = self.value(i, word)
            if not known:
                continue
            if satisfied(instruction.where, predicate, value, args):
                goes_on = True
                yield from self._read(i, t, word)
                continue
            # The predicate is false: the program does not observe this value.
            polled = self._after_access(t, self.state)
            poll = self.move(i, t.suffix, Effect(polled), t=t, reads=(word,))
            if polled is not self.state:
                yield poll
            elif not t.early:
                in_vain.append(poll._replace(optional=True))
        if goes_on:
            yield from in_vain

    def store(self, i: int) -> Iterator[LocalMove]:
        """STR, STLR and `fill`: in order, it is in the store buffer when it is translated."""
        late = self.shared.hardware.late_stores and not self.source.split
        yield from self._access(i, self._buffer if late else self._write)

    # Translation

    def _access(self, i: int, perform: Perform) -> Iterator[LocalMove]:
        """Perform an access, in one step with translating it if that is no step of its own."""
        instruction, word = self.code[i], self.word(i)
        if word is not None:
            if instruction.operands is not None:
                yield from perform(i, None, word)
        elif instruction.addressed and instruction.operands is not None:
            for t in self._translated(i, self.kind(i)):
                if t.fault:
                    yield from self._fault(i, t)
                else:
                    yield from perform(i, t, self._physical(t, i))

    def translate(self, i: int) -> Iterator[LocalMove]:
        """Translate an access in flight, as a step of its own."""
        if not self.code[i].addressed:
            return
        ordered_by_dsb = self.state.features.ets2 or self.shared.ablated("dsb-orders-translation")
        if ordered_by_dsb and self.is_held_by_dsb(i):
            return
        results = self._translated(i, self.kind(i))
        for t in dict.fromkeys(results):
            if t.fault and t.fault.kind == STALL:
                yield self.tried_again(i, t)
                continue
            if t.fault:
                entry = self.window[i]._replace(fault=t.fault)
                yield self._step(i, f"translates{t.suffix}", entry, t)
                continue
            word = self._physical(t, i)
            if self._stored(i) is not None:
                self._words(i, word)
            entry = self.window[i]._replace(word=word, entry=t.entry, stale=t.stale or "")
            what = f"translates to {target(t, results)}"
            yield self._step(i, what, entry, t, self.restarted(i, word))

    def kind(self, i: int) -> str:
        """How an access is translated: as a read or as a write."""
        return WRITE if STORE in self.code[i].rule.kinds else READ

    def _translated(self, i: int, access: str) -> tuple[Translation, ...]:
        page = self.shared.geometry.page(self.code[i].address)
        results = self.translations(page, access)
        if self.shared.ablated("walker"):
            results += translations(self.shared, self.state, self._forwarded(i), page, access)
        if self.state.features.ets2 and not self.is_all_performed(i):
            results = tuple(t for t in results if not t.fault or t.fault.kind not in _EARLIEST)
        return results

    def translations(self, page: int, access: str) -> tuple[Translation, ...]:
        """Every result that an access to a page may get."""
        return translations(self.shared, self.state, self.memory, page, access)

    def _forwarded(self, i: int) -> Memory:
        """Memory as a walker would see it that forwards from this CPU's own stores (ablation)."""
        stores = [(store.address, store.words) for store in self.state.buffer.stores]
        for j in range(i):
            word, words = self.word(j), self._stored(j)
            if words is not None and word is not None and not self.window[j].done:
                stores.append((word, words))
        memory = self.memory
        for word, words in stores:
            memory = self.shared.memories.write(memory, word, words)
        return memory

    def _physical(self, t: Translation, i: int) -> int:
        return self.at(t.page, i)

    def at(self, page: int, i: int) -> int:
        """The word of a physical page that the access goes to."""
        words = self.shared.geometry.page_words
        return page * words + self.code[i].address % words

    def restarted(self, i: int, word: int) -> Window:
        """The window up to the first younger load that should have seen the store at `i`."""
        if STORE not in self.code[i].rule.kinds:
            return self.window
        return restarted(self.window, i, range(word, word + self._size(i)))

    def _stored(self, i: int) -> tuple[Any, ...] | None:
        """What a store is going to write, if that is known: of an atomic, once it has read."""
        return (
            self.code[i].operands if self.code[i].rule.does == "store" else self.window[i].modified
        )

    def _size(self, i: int) -> int:
        """Words that an access goes to."""
        return len(self._stored(i) or (0,))

    # Performing

    def value(self, i: int, word: int) -> tuple[bool, int, Any]:
        """Whether the value that a load of a word gets is known, its source, and the value."""
        for j in range(i - 1, -1, -1):
            instruction, at = self.code[j], self.word(j)
            if STORE in instruction.rule.kinds and not self.window[j].done and at is not None:
                words = self._stored(j)
                if words is None or self._awaits_atomic(i, j):
                    if at == word:
                        return False, MEMORY, None
                elif at <= word < at + len(words):
                    return True, j, words[word - at]
        pending = self.state.buffer.forward(word)
        if pending is not None:
            return True, BUFFER, pending
        return True, MEMORY, self.shared.memories.read(self.memory, word)

    def _awaits_atomic(self, i: int, j: int) -> bool:
        """Whether a load gets nothing from the atomic at `j` that has not written: an acquire."""
        atomic = self.window[j].modified is not None and self.code[i].rule.acquire
        return bool(atomic) and not self.shared.ablated("acquire-forwards-from-atomic")

    def _read(
        self, i: int, t: Translation | None, word: int, **changes: Any
    ) -> Iterator[LocalMove]:
        known, source, value = self.value(i, word)
        if not known or not self.is_ordered(i):
            return
        entry = self.window[i]._replace(done=True, word=word, value=value, source=source)
        window = self._without_older(i, word)
        yield self._performed(i, "reads", entry, t, window=window, reads=(word,), **changes)

    def _without_older(self, i: int, word: int) -> Window:
        """The window up to the first younger load that has read something older of the word."""
        for j in range(i + 1, len(self.window)):
            younger, loads = self.window[j], LOAD in self.code[j].rule.kinds
            if loads and younger.done and younger.superseded and younger.word == word:
                return self.window[:j]
        return self.window

    def _buffer(self, i: int, t: Translation | None, word: int) -> Iterator[LocalMove]:
        """The store enters the store buffer, and the program goes on."""
        words = self._words(i, word)
        release = self.code[i].rule.release
        entry = t.entry if t else None
        buffer = self.state.buffer.push(word, words, entry, release=release)
        yield self.done(i, None, t, buffer=buffer)

    def _write(self, i: int, t: Translation | None, word: int) -> Iterator[LocalMove]:
        """A store reaches memory from the window, perhaps before earlier loads are performed."""
        if self.code[i].operands is None or not (self.is_committed(i) and self.is_ordered(i)):
            return
        words = self._words(i, word)
        if self._is_behind_another(i, word, len(words)):
            return
        window = self._from_memory(self.restarted(i, word), i)
        entry = window[i]._replace(done=True)
        yield self._performed(i, "writes", entry, t, window=window, write=(word, words))

    def _from_memory(self, window: Window, i: int) -> Window:
        """The window once the store at `i` is in memory, from where its loads have their values."""
        return tuple(
            entry._replace(source=MEMORY) if entry.source == i else entry for entry in window
        )

    def _is_behind_another(self, i: int, word: int, count: int) -> bool:
        """Whether an earlier access to one of `count` words is not performed yet."""
        for j in range(i):
            at, pending = self.word(j), self.code[j].rule.access and not self.window[j].done
            if pending and at is not None and word - self._size(j) < at < word + count:
                return True
        return any(store.overlaps(word, count) for store in self.state.buffer.stores)

    def _words(self, i: int, word: int) -> tuple[Any, ...]:
        """What a store writes at `word`; refuse to mix up tables and data."""
        words = self.code[i].operands
        assert words is not None
        check_fits(self.shared, self.memory, self.code[i].where, word, words)
        return words

    def _after_access(self, t: Translation | None, state: CpuState) -> CpuState:
        """The CPU after an access.

        That is: with a demand fill (concrete mode), under ETS2 without early faults.
        """
        mmus, mmu = self.shared.mmus, state.mmu
        if t and t.entry and not self.shared.hardware.closure:
            mmu = mmus.filled(mmu, t.entry)
        if state.features.ets2 and t and mmu.early_faults:
            mmu = mmus.without_early_faults(mmu)
        return state if mmu is state.mmu else self.shared.cpus.change(state, mmu=mmu)

    # Faults

    def _fault(self, i: int, t: Translation) -> Iterator[LocalMove]:
        """An access that is translated and performed in one step takes a fault."""
        assert t.fault is not None
        if t.fault.kind == STALL:
            yield self.tried_again(i, t)
            return
        if self.source.takes_exception(i) and self.is_ordered(i, fault=True):
            yield self.move(i, t.suffix, self._aborted(i, t.fault), t=t)

    def tried_again(self, i: int, t: Translation) -> LocalMove:
        """By an erratum an access does not get on: it is tried again, and nothing has changed."""
        return self.move(i, t.suffix, Effect(self.state), t=t)

    def take_fault(self, i: int) -> Iterator[LocalMove]:
        """Commit the fault of an access in flight.

        It is then no longer speculative. The fault itself comes after accesses that barriers order
        before it, which other CPUs notice by their TLBIs (R10); what the handler loads need not,
        since exception entry is a context synchronisation event and no barrier (R14, R7).
        """
        fault = self.window[i].fault
        assert fault is not None
        if not (self.is_committed(i) and self.source.takes_exception(i)):
            return
        if self.is_ordered(i, fault=True):
            yield self.move(i, "faults", self._aborted(i, fault))
        elif self._handler_goes_ahead(i):
            window = with_entry(self.window, i, self.window[i]._replace(taken=True))
            yield self.move(i, "faults", self._aborted(i, fault, window))

    def _handler_goes_ahead(self, i: int) -> bool:
        """Whether a handler may begin before its fault is ordered: in listings, after DSBs."""
        return (
            self.source.keeps_faults
            and self.is_quiet(i)
            and not self.shared.ablated("fault-is-a-barrier")
        )

    def _aborted(self, i: int, fault: Fault, window: Window | None = None) -> Effect:
        """Take a fault; in this `window` the instruction stays in flight."""
        page = self.shared.geometry.page(self.code[i].address)
        aborted = Aborted(fault.kind, fault.level, page, self.kind(i), ipa=fault.ipa)
        if window is None:
            return self.exception(i, aborted)
        assert self.state.flight is not None
        flight = self.state.flight.with_window(window)
        pending = self.shared.cpus.change(self.state, flight=flight)
        return flight.exception(
            self.shared, pending, self.memory, self.number, i, aborted, resume=False
        )

    def exception(self, i: int, aborted: Aborted, *, resume: bool = False) -> Effect:
        """Take an exception at the i-th instruction."""
        return self.source.exception(
            self.shared, self.state, self.memory, self.number, i, aborted, resume=resume
        )

    # Building moves

    def done(
        self,
        i: int,
        value: Any,
        t: Translation | None = None,
        *,
        what: str = "executes",
        **more: Any,
    ) -> LocalMove:
        """The instruction is done, and its program has observed `value`."""
        entry = self.window[i]._replace(done=True, value=value)
        return self._performed(i, what, entry, t, **more)

    def _performed(
        self,
        i: int,
        what: str,
        entry: InFlight,
        t: Translation | None,
        *,
        window: Window | None = None,
        reads: tuple[int, ...] = (),
        write: tuple[int, tuple[Any, ...]] | None = None,
        tlbi: Any = None,
        sev: bool = False,
        signal: Signal | None = None,
        **changes: Any,
    ) -> LocalMove:
        following = with_entry(self.window if window is None else window, i, entry)
        state = self.source.after(self.shared, self.state, following, **changes)
        if self.code[i].rule.acquire and state.mmu.early_faults:
            mmu = self.shared.mmus.without_early(state.mmu, marked_only=True)
            state = self.shared.cpus.change(state, mmu=mmu)
        state = self._after_access(t, state)
        effect = Effect(state, write, tlbi, sev, stale=self._stale(entry, t), signal=signal)
        suffix = what if self.source.split else t.suffix if t else ""
        return self.move(i, suffix, effect, t=t, reads=reads)

    def _stale(self, entry: InFlight, t: Translation | None) -> StaleAccess | None:
        """The stale translation that an access in flight is performed with, if it is stale."""
        if t and t.stale:
            return StaleAccess(t.page, t.stale)
        if entry.stale:
            assert entry.word is not None
            return StaleAccess(entry.word // self.shared.geometry.page_words, entry.stale)
        return None

    def _step(
        self, i: int, what: str, entry: InFlight, t: Translation, window: Window | None = None
    ) -> LocalMove:
        """A move that changes nothing but what is known of an instruction in flight."""
        following = with_entry(self.window if window is None else window, i, entry)
        after = self.source.after(self.shared, self.state, following)
        return self.move(i, what, Effect(after), t=t, notes=t.notes if t.fault else ())

    def move(
        self,
        i: int,
        variant: str,
        effect: Effect,
        *,
        t: Translation | None = None,
        reads: tuple[int, ...] = (),
        notes: tuple[str, ...] | None = None,
    ) -> LocalMove:
        """A move of the i-th instruction; the variant names its part, or which result it gets."""
        joint = " " if self.source.split and variant[:1].isalpha() else ""
        early = t is not None and t.early
        told = notes if notes is not None else t.notes if t else ()
        what, variant = self.code[i].label, joint + variant
        return LocalMove(STEP, what, effect, reads, early=early, variant=variant, notes=told)
