"""Out-of-order execution of a listing: what each instruction in flight may do next.

Follows the operational model that is known to agree with the published verdicts: an access is
translated, at any time after its address is known and the last context synchronisation has
happened, and then performed; accesses to different locations in any order that dependencies,
barriers, acquire and release, coherence and faults not yet known leave open.

Not modelled: exclusives and atomics in listings; restarts (a speculation that turns out wrong is an
execution that ends nowhere, and is not counted).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simbbm.arm64.context import Shared
from simbbm.arm64.cpu import CpuState, Effect, LocalMove
from simbbm.arm64.flight import LOADS, MEMORY, STORES, SYNCHRONISING, Flight, InFlight
from simbbm.arm64.listing import Instruction
from simbbm.arm64.memory import Memory
from simbbm.arm64.mistakes import check_register, check_stored
from simbbm.arm64.translate import READ, WRITE, target, translations
from simbbm.arm64.walks import ACCESS_FLAG, TRANSLATION


def window_moves(
    shared: Shared, state: CpuState, memory: Memory, cpu: int, *, owed: bool
) -> list[LocalMove]:
    """Moves of a CPU that runs a listing."""
    return Window(shared, state, memory, cpu, owed=owed).moves()


class Window:
    """One CPU's instructions in flight."""

    def __init__(
        self, shared: Shared, state: CpuState, memory: Memory, cpu: int, *, owed: bool
    ) -> None:
        assert state.flight is not None
        self.shared = shared
        self.state = state
        self.memory = memory
        self.cpu = cpu
        self.owed = owed
        self.flight: Flight = state.flight
        self.window = self.flight.window
        self.code = [self.flight.instruction(i) for i in range(len(self.window))]
        self._stops = SYNCHRONISING[1:] if shared.ablated("isb") else SYNCHRONISING

    def moves(self) -> list[LocalMove]:
        """Every move of every instruction.

        A DSB or context synchronisation that can happen, and a translation that can only ever have
        one result, is the only one: it enables moves and disables none, so that doing it first
        loses nothing. (`Hardware.eager_steps` switches that off.)
        """
        moves: list[LocalMove] = []
        for i in range(len(self.code)):
            barrier = list(self._barrier_moves(i))
            if self.shared.hardware.eager_steps:
                if self._translates_alike(i) and (only := list(self._translate(i))):
                    return only
                if barrier and self._settled():
                    return barrier
            moves += barrier
        return moves + [move for i in range(len(self.code)) for move in self._moves_of(i)]

    def _settled(self) -> bool:
        """Whether no register write is pending: else a synchronisation ends walks of old tables."""
        return all(len(values) == 1 for values in self.state.mmu.regime)

    def _barrier_moves(self, i: int) -> Iterator[LocalMove]:
        """A DSB or a context synchronisation event that can happen now."""
        instruction = self.code[i]
        if self.window[i].done:
            return
        if instruction.op == "dsb" and self._dsb_done(i):
            yield self._done(i, "completes")
        elif instruction.op in SYNCHRONISING and self._committed(i) and self._quiet(i):
            yield self._synchronise(i, instruction)

    def _translates_alike(self, i: int) -> bool:
        """Whether the access at `i` is still to be translated and can only have one result."""
        entry, place = self.window[i], self.code[i].place
        if place is None or entry.translated or entry.fault or entry.done:
            return False
        constant = self.shared.constant[self.cpu]
        return self.shared.geometry.page(place.address) in constant and self.flight.known(
            self.code[i].address_from, i
        )

    def _moves_of(self, i: int) -> Iterator[LocalMove]:
        entry, instruction = self.window[i], self.code[i]
        op = instruction.op
        if entry.done:
            return
        if op in LOADS or op in STORES:
            if entry.fault:
                if self._committed(i) and self.is_ordered(i, fault=True):
                    yield self._take_fault(i)
            elif not entry.translated:
                yield from self._translate(i)
            elif op in LOADS:
                yield from self._read(i)
            else:
                yield from self._write(i)
        elif op == "tlbi" and self._committed(i) and not self._held_by_dsb(i):
            if self.flight.known(instruction.address_from, i):
                yield self._done(i, "issues", tlbi=instruction.tlbi)
        elif op == "msr" and self._committed(i) and not self._held_by_dsb(i):
            yield from self._write_register(i)

    # What must have happened before

    def _is_access(self, i: int) -> bool:
        return self.code[i].op in LOADS or self.code[i].op in STORES

    def _committed(self, i: int) -> bool:
        """Whether everything before is sure to be executed: branches, addresses, no faults."""
        for j in range(i):
            instruction = self.code[j]
            if instruction.op == "ctrl" and not self.flight.known(instruction.data_from, j):
                return False
            if not self.flight.known(instruction.address_from, j):
                return False
            if self._is_access(j) and not self.window[j].translated:
                return False
        return True

    def _held_by_dsb(self, i: int) -> bool:
        return any(self.code[j].op == "dsb" and not self.window[j].done for j in range(i))

    def is_ordered(self, i: int, *, fault: bool = False) -> bool:
        """Whether barriers, acquire and release let the access at `i` be performed (R7).

        A fault waits for barriers and acquires before it, a DMB ST included, but not because its
        own access is a release or an acquire.
        """
        op = self.code[i].op
        waits_for_loads = waits_for_stores = op == "st.rel" and not fault
        if self.shared.ablated("out-of-order"):
            waits_for_loads, waits_for_stores = True, op in STORES
        for j in range(i - 1, -1, -1):
            other, done = self.code[j], self.window[j].done
            if other.op == "dmb":
                kind = other.option
                waits_for_loads |= not kind.endswith("st")
                waits_for_stores |= kind in _FULL or (
                    kind.endswith("st") and (fault or op in STORES)
                )
            elif done:
                continue
            elif (
                other.op in ("dsb", "isb")
                or other.op in ("ld.acq", "ld.acqpc")
                or (other.op in LOADS and waits_for_loads)
                or (other.op in STORES and waits_for_stores)
                or (other.op == "st.rel" and op == "ld.acq" and not fault)
            ):
                return False
        return True

    def _dsb_done(self, i: int) -> bool:
        """Whether a DSB is done: accesses are performed; for a full one, TLBIs complete."""
        if self.window[i].done or self._held_by_dsb(i):
            return False
        kind = self.code[i].option
        waits_for_tlbi = kind in _FULL or self.shared.ablated("dsb-type")
        waits_for_tlbi &= not self.shared.ablated("dsb-waits-for-tlbi")
        for j in range(i):
            op, done = self.code[j].op, self.window[j].done
            if not done and (
                (op in LOADS and not kind.endswith("st"))
                or (op in STORES and not kind.endswith("ld"))
                or (op == "tlbi" and waits_for_tlbi)
            ):
                return False
        if waits_for_tlbi:
            own = any(p.issuer == self.cpu for p in self.state.inbox)
            return not own and (kind.startswith("nsh") or not self.owed)
        return True

    def _quiet(self, i: int) -> bool:
        """Whether DSBs are done and MSRs and TLBIs executed, as a synchronisation needs."""
        return all(
            self.window[j].done for j in range(i) if self.code[j].op in ("dsb", "msr", "tlbi")
        )

    # Accesses

    def _translate(self, i: int) -> Iterator[LocalMove]:
        instruction = self.code[i]
        place = instruction.place
        assert place is not None
        if not self.flight.known(instruction.address_from, i):
            return
        ordered_by_dsb = self.state.features.ets2 or self.shared.ablated("dsb-orders-translation")
        if ordered_by_dsb and self._held_by_dsb(i):
            return
        page = self.shared.geometry.page(place.address)
        access = READ if instruction.op in LOADS else WRITE
        results = translations(self.shared, self.state, self.memory, page, access)
        if self.shared.ablated("walker"):
            forwarded = self._forwarded(i)
            results += translations(self.shared, self.state, forwarded, page, access)
        for t in dict.fromkeys(results):
            if t.fault:
                after_accesses = self.state.features.ets2 and t.fault.kind in _EARLIEST
                if after_accesses and not self._all_performed(i):
                    continue
                entry = self.window[i]._replace(fault=t.fault)
                yield self._update(i, f"translates{t.suffix}", entry)
                continue
            entry = self.window[i]._replace(page=t.page, entry=t.entry)
            if instruction.op in STORES and self._read_too_early(i, entry):
                continue
            yield self._update(i, f"translates to {target(t, results)}", entry)

    def _forwarded(self, i: int) -> Memory:
        """Memory as a walker would see it that forwards from this CPU's own stores (ablation)."""
        memory = self.memory
        for j in range(i):
            place, entry = self.code[j].place, self.window[j]
            if self.code[j].op in STORES and not entry.done and place and place.physical:
                known, value = self._store_value(j)
                if known:
                    memory = self.shared.memories.write(memory, place.address, (value,))
        return memory

    def _all_performed(self, i: int) -> bool:
        return all(self.window[j].done for j in range(i) if self._is_access(j))

    def _read_too_early(self, i: int, entry: InFlight) -> bool:
        """Whether a younger load of the same word has already missed this store."""
        word = self._word(i, entry)
        return any(
            self.code[j].op in LOADS
            and self.window[j].done
            and self._word(j, self.window[j]) == word
            and self.window[j].source < i
            for j in range(i + 1, len(self.code))
        )

    def _word(self, i: int, entry: InFlight) -> int:
        """Physical word of a translated access."""
        place = self.code[i].place
        assert place is not None
        assert entry.page is not None
        if place.physical:
            return place.address
        words = self.shared.geometry.page_words
        return entry.page * words + place.address % words

    def _read(self, i: int) -> Iterator[LocalMove]:
        if not self.is_ordered(i) or not self.flight.known(self.code[i].address_from, i):
            return
        word = self._word(i, self.window[i])
        source, value = MEMORY, None
        for j in range(i - 1, -1, -1):
            if self._stores_to(j, word):
                known, value = self._store_value(j)
                if not known:
                    return
                source = j
                break
        else:
            value = self.shared.memories.read(self.memory, word)
        for j in range(i + 1, len(self.code)):
            # Coherence: a younger load of the word must not have read something older.
            younger = self.window[j]
            if (
                self.code[j].op in LOADS
                and younger.done
                and self._word(j, younger) == word
                and younger.superseded
            ):
                return
        entry = self.window[i]._replace(done=True, value=value, source=source)
        yield self._update(i, "reads", entry)

    def _stores_to(self, j: int, word: int) -> bool:
        entry = self.window[j]
        return (
            self.code[j].op in STORES
            and not entry.done
            and entry.translated
            and self._word(j, entry) == word
        )

    def _store_value(self, j: int) -> tuple[bool, Any]:
        instruction = self.code[j]
        if not self.flight.known(instruction.data_from, j):
            return False, None
        assert instruction.value is not None
        return self.flight.evaluate(instruction.value, j)

    def _write(self, i: int) -> Iterator[LocalMove]:
        known, value = self._store_value(i)
        addressed = self.flight.known(self.code[i].address_from, i)
        if not (known and addressed and self._committed(i) and self.is_ordered(i)):
            return
        word = self._word(i, self.window[i])
        for j in range(i):
            other = self.window[j]
            if self._is_access(j) and not other.done and self._word(j, other) == word:
                return
        check_stored(self.shared, self.memory, self.cpu, self.code[i], word, value)
        window = tuple(
            entry._replace(source=MEMORY) if entry.source == i else entry for entry in self.window
        )
        flight = self.flight._replace(window=window)
        flight = flight.with_entry(i, window[i]._replace(done=True))
        yield self._move(i, "writes", self._with(flight), write=(word, (value,)))

    def _write_register(self, i: int) -> Iterator[LocalMove]:
        instruction = self.code[i]
        assert instruction.value is not None
        known, value = self.flight.evaluate(instruction.value, i)
        if not known:
            return
        check_register(self.cpu, instruction, value)
        field = instruction.option.removesuffix("_el1")
        mmu = self.shared.mmus.written(self.state.mmu, self.memory.tables, field, value)
        flight = self.flight.with_entry(i, self.window[i]._replace(done=True))
        yield self._move(i, "executes", self._with(flight, mmu=mmu))

    # Exceptions and context synchronisation

    def _take_fault(self, i: int) -> LocalMove:
        """Commit a fault: what is younger never happened; the handler runs, or the thread ends."""
        thread, entry = self.flight.thread, self.window[i]
        assert entry.fault is not None
        rest: tuple[int, ...] = ()
        if thread.fault is not None:
            rest = thread.fault + tuple(e.code for e in self.window[i + 1 :]) + self.flight.rest
        flight = self.flight._replace(
            window=self.window[:i],
            rest=rest,
            faults=tuple(sorted({*self.flight.faults, (self.code[i].number, entry.fault.kind)})),
            aborted=entry.fault,
            returns_to=self.state.el,
        )
        mmu = self.shared.mmus.synchronised(self.state.mmu, self.memory.tables)
        return self._move(i, "faults", self._with(flight, mmu=mmu, el=1))

    def _synchronise(self, i: int, instruction: Instruction) -> LocalMove:
        """ISB, SVC, ERET, or the return from a handler (R14)."""
        thread, el, flight = self.flight.thread, self.state.el, self.flight
        if instruction.op == "svc" and thread.svc is not None:
            rest = thread.svc + flight.rest
            flight = flight._replace(rest=rest, returns_to=el)
            el = 1
        elif instruction.op == "return":
            el = flight.returns_to
        elif instruction.op == "eret":
            target = thread.listing.eret_to
            if target is not None:
                flight = flight._replace(rest=thread.main[target:])
            el = 0
        flight = flight.with_entry(i, self.window[i]._replace(done=True))
        mmu = self.shared.mmus.synchronised(self.state.mmu, self.memory.tables)
        return self._move(i, "synchronises", self._with(flight, mmu=mmu, el=el))

    # Building moves

    def _with(self, flight: Flight, **changes: Any) -> CpuState:
        return self.shared.cpus.change(
            self.state, flight=flight.retired(self.shared.hardware.window, self._stops), **changes
        )

    def _update(self, i: int, what: str, entry: InFlight) -> LocalMove:
        return self._move(i, what, self._with(self.flight.with_entry(i, entry)))

    def _done(self, i: int, what: str, **effect: Any) -> LocalMove:
        entry = self.window[i]._replace(done=True)
        return self._move(i, what, self._with(self.flight.with_entry(i, entry)), **effect)

    def _move(self, i: int, what: str, after: CpuState, **effect: Any) -> LocalMove:
        label = f"{self.window[i].code}.{self.code[i].op} {what}"
        return LocalMove("", label, Effect(after, **effect))


_FULL = ("sy", "ish", "osh", "nsh")
_EARLIEST = (TRANSLATION, ACCESS_FLAG)


def ordered(shared: Shared, state: CpuState, memory: Memory, cpu: int) -> list[bool]:
    """For each instruction in flight, whether no barrier, acquire or release holds it up now."""
    window = Window(shared, state, memory, cpu, owed=False)
    return [window.is_ordered(i, fault=True) for i in range(len(window.code))]
