"""How the moves of one operation are built: translation, values, what is left behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simbbm.arm64.context import Shared
from simbbm.arm64.cpu import CpuState, Effect, LocalMove
from simbbm.arm64.exceptions import check_not_left, take_exception
from simbbm.arm64.memory import Memory
from simbbm.arm64.mistakes import check_address, check_fits
from simbbm.arm64.ops import Aborted
from simbbm.arm64.overtaking import Reading, accessed, executed, readings
from simbbm.arm64.translate import Translation, translations
from simbbm.arm64.walks import CONFLICT
from simbbm.core.system import Problem

ACQUIRES = {"ldar", "ldapr", "ldaxr", "ldaddal", "wait.acquire"}


class Building:
    """What all operations are made with."""

    def __init__(
        self, shared: Shared, state: CpuState, memory: Memory, cpu: int, *, owed: bool
    ) -> None:
        self.shared = shared
        self.state = state
        self.memory = memory
        self.cpu = cpu
        self.owed = owed

    def _translated(self, address: int, access: str) -> tuple[Translation, ...]:
        check_address(self.state, address)
        page = self.shared.geometry.page(address)
        results = translations(self.shared, self.state, self.memory, page, access)
        if self.state.features.ets2 and self.state.buffer.stores:
            # A walk that ends in a Translation or AF fault comes after all earlier accesses (R17b).
            results = tuple(
                t for t in results if not t.fault or t.fault.kind in ("permission", CONFLICT)
            )
        return results

    def _physical(self, t: Translation, address: int) -> int:
        words = self.shared.geometry.page_words
        return t.page * words + address % words

    def _writable(self, t: Translation, address: int, words: tuple[Any, ...]) -> int:
        """Return where a store goes; refuse to mix up tables and data."""
        physical = self._physical(t, address)
        check_fits(self.shared, self.state, self.memory, physical, words)
        return physical

    def _read(self, physical: int) -> Any:
        forwarded = self.state.buffer.forward(physical)
        read = self.shared.memories.read
        return read(self.memory, physical) if forwarded is None else forwarded

    def _readings(self, physical: int, *, early: bool) -> Iterator[Reading]:
        """What a load may get: what is there now, and if it may be `early`, what was there."""
        past = self.state.past
        yield Reading(self._read(physical), accessed(past, physical))
        if early:
            yield from readings(past, physical)

    def _after_access(self, t: Translation | None, state: CpuState) -> CpuState:
        """What the access itself leaves behind: a demand fill, and under ETS2 no older fault."""
        mmus, mmu = self.shared.mmus, state.mmu
        if t and t.entry and not self.shared.hardware.closure:
            mmu = mmus.filled(mmu, t.entry)
        if state.features.ets2 and t and mmu.early_faults:
            mmu = mmus.without_early_faults(mmu)
        return state if mmu is state.mmu else self.shared.cpus.change(state, mmu=mmu)

    def _observe(self, reading: Reading, t: Translation, physical: int, **more: Any) -> LocalMove:
        """A load is done."""
        value, past, suffix = reading
        return self._proceed(value, t, suffix=suffix, reads=(physical,), past=past, **more)

    def _proceed(
        self,
        value: Any,
        t: Translation | None = None,
        *,
        suffix: str = "",
        reads: tuple[int, ...] = (),
        write: tuple[int, tuple[Any, ...]] | None = None,
        tlbi: Any = None,
        sev: bool = False,
        acquire: bool = False,
        **changes: Any,
    ) -> LocalMove:
        """The operation is done, observed `value`, and the program goes on."""
        point = self.state.point.after(value)
        if past := changes.get("past", self.state.past):
            ended = acquire or point.finished
            changes["past"] = () if ended else executed(past, self.shared.hardware.window)
        state = self.shared.cpus.change(self.state, point=point, **changes)
        check_not_left(state)
        if acquire and state.mmu.early_faults:
            mmu = self.shared.mmus.without_early(state.mmu, marked_only=True)
            state = self.shared.cpus.change(state, mmu=mmu)
        state = self._after_access(t, state)
        problem = None
        if t and t.stale and self.shared.watch_stale:
            problem = Problem(
                "no_stale_translation",
                f"cpu{self.cpu} got page {t.page:#x} where the tables now give {t.stale}",
                self.cpu,
            )
        effect = Effect(state, write, tlbi, sev, problem)
        early = bool(suffix) or (t is not None and t.early)
        return self._move(f"{t.suffix if t else ''}{suffix}", effect, reads=reads, early=early)

    def _fault(self, t: Translation, address: int, access: str) -> LocalMove:
        abort = self._abort(t, self.shared.geometry.page(address), access)
        return self._move(t.suffix, abort, early=t.early)

    def _abort(self, t: Translation, page: int, access: str) -> Effect:
        assert t.fault is not None
        return self._exception(Aborted(t.fault.kind, t.fault.level, page, access), resume=False)

    def _exception(self, aborted: Aborted, *, resume: bool) -> Effect:
        return take_exception(
            self.shared, self.state, self.memory, self.cpu, aborted, resume=resume
        )

    def _move(
        self, suffix: str, effect: Effect, *, reads: tuple[int, ...] = (), early: bool = False
    ) -> LocalMove:
        label = f"{self.state.point.label}{suffix}"
        return LocalMove("", label, effect, reads, early=early)
