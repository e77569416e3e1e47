"""The machine in which some CPUs stand still: the input of a look-ahead, and the key of its memo.

Of a CPU that does not move, the others can notice two things: their TLBIs that it has not completed
(a DSB waits for them), and its entries where TLBs are shared. Everything else is removed before a
look-ahead begins. So the look-ahead is computed from exactly the value under which it is memoised,
and cannot depend on anything that the key leaves out.

It may also be one TLBI that stands still: it does not act on a CPU whose program moves on. That is
part of the CPU's value, too.
"""

from __future__ import annotations

from collections.abc import Mapping

from simbbm.arm64.cpu import NOTHING, CpuState, Pending
from simbbm.arm64.execution.storebuffer import StoreBuffer
from simbbm.arm64.features import Features
from simbbm.arm64.machine import Arm64
from simbbm.arm64.registers import WALKS_NOTHING
from simbbm.arm64.rows import FIELD, PENDING, Memo, Row, Rows, State, Step
from simbbm.arm64.translation.tlb import Tlbi
from simbbm.core.points import ControlPoint
from simbbm.core.values import digest
from simbbm.explore.search.reductions.symmetry import Symmetry

SOME_TLBI = Tlbi("vmalle1", broadcast=True)
"""To a DSB it does not matter which TLBI is incomplete."""


HELD = Tlbi("held", broadcast=True, page=-1)
"""In place of a pending TLBI that does not act as long as a look-ahead lasts."""


class Nowhere(ControlPoint):
    """Where a CPU is that does nothing."""

    def _new_digest(self) -> str:
        return digest(self.path)


Future = tuple[State, int]
"""A state in which only the active CPUs move, the others are placeholders; and the mask of the
active CPUs."""


class Standing:
    """Replaces CPUs by placeholders that stand still, and moves the others."""

    def __init__(self, rows: Rows, symmetry: Symmetry) -> None:
        self.rows = rows
        self.symmetry = symmetry
        self._blank = _blank(rows.system)
        rows.placeholder = self._blank.point
        self._placeholders: dict[int, int] = {}
        self._first = Memo(self._active_first)

    def future(self, state: State, active: int) -> Future:
        """What the future of the active CPUs depends on.

        Their states, memory, and placeholders of the others. It is a representative under symmetry.
        """
        owed = self.rows.owed(state, by=~active) & active if state & self.rows.pending else 0
        for i, place in enumerate(self.rows.places):
            if not active >> i & 1:
                cpu = state >> place & FIELD
                state += (self.placeholder(cpu, owed) - cpu) << place
        return self._arranged(state, active)

    def held(self, state: State, cpu: int, issuer: int) -> State:
        """The state in which a TLBI of `issuer` that is pending on a CPU does not act.

        All others that are pending there have acted: they are quiet CPUs that are asked about.
        """
        return self._with_pending(state, cpu, (Pending(issuer, HELD),))

    def after(self, future: Future, step: Step) -> Future:
        """The successor.

        TLBIs complete at once on CPUs that stand still, and where one is held: that is exact for
        quiet ones (`persistent_sets.is_quiet`), and the moves of others do not commute with a TLBI
        anyway.
        """
        before, active = future
        after = self.rows.after(before, step)
        if before & self.rows.pending:
            for cpu, place in enumerate(self.rows.places):
                held = self._held(before >> place & FIELD)
                if held:
                    after = self._with_pending(after, cpu, held)
        return self._arranged(after, active)

    def _held(self, cpu: int) -> tuple[Pending, ...]:
        """The pending TLBIs of a CPU value if one of them does not act; else none."""
        if not cpu & PENDING:
            return ()
        pe = self.rows.cpus.parts[cpu]
        return pe.pending_tlbis if is_held(pe) else ()

    def _with_pending(self, state: State, cpu: int, pending_tlbis: tuple[Pending, ...]) -> State:
        """The state in which these TLBIs are pending on a CPU, and no others."""
        place, change = self.rows.places[cpu], self.rows.system.shared.cpus.change
        old = state >> place & FIELD
        new = self.rows.cpu(change(self.rows.cpus.parts[old], pending_tlbis=pending_tlbis))
        return state + ((new - old) << place)

    def fails(self, future: Future, rows: Mapping[int, Row]) -> bool:
        """Whether a property fails on an active CPU; `rows` are theirs, by their numbers.

        Placeholders are not judged: TLBIs are never delivered to them, so a failure may not be
        real.
        """
        return not self.rows.fine(future[0], list(rows.values()), list(rows))

    def _arranged(self, state: State, active: int) -> Future:
        return self.symmetry.canonical(state), self._first[active]

    def _active_first(self, active: int) -> int:
        """The mask of the active CPUs once those that stand still are the last of each class."""
        for group in self.symmetry.classes:
            members = sum(1 << i for i in group)
            first = group[: (active & members).bit_count()]
            active = active & ~members | sum(1 << i for i in first)
        return active

    def placeholder(self, cpu: int, owed: int) -> int:
        """The placeholder of a CPU.

        `owed`: the CPUs of which one that stands still has a pending TLBI.
        """
        common = self.rows.system.common
        k = cpu if common else owed
        found = self._placeholders.get(k)
        if found is None:
            pe = self.rows.cpus.parts[cpu]
            found = self.rows.cpu(self._shares(pe) if common else self._owes(owed))
            self._placeholders[k] = found
        return found

    def _shares(self, pe: CpuState) -> CpuState:
        change = self.rows.system.shared.cpus.change
        return change(self._blank, mmu=pe.mmu, pending_tlbis=pe.pending_tlbis, features=pe.features)

    def _owes(self, owed: int) -> CpuState:
        issuers = (i for i in range(owed.bit_length()) if owed >> i & 1)
        pending_tlbis = tuple(Pending(issuer, SOME_TLBI) for issuer in issuers)
        return self.rows.system.shared.cpus.change(self._blank, pending_tlbis=pending_tlbis)


def is_held(pe: CpuState) -> bool:
    """Whether a TLBI that is pending on a CPU does not act in this look-ahead."""
    return any(pending.tlbi == HELD for pending in pe.pending_tlbis)


def _blank(system: Arm64) -> CpuState:
    """A CPU that does nothing and holds nothing."""
    pools, tables = system.shared, system.initial().memory.tables
    return pools.cpus.kept(
        CpuState(
            point=Nowhere("stand_still", -1),
            pc=None,
            el=1,
            saved=(),
            mmu=pools.mmus.start(WALKS_NOTHING, tables),
            buffer=StoreBuffer(),
            monitor=NOTHING,
            event=False,
            masked=False,
            vbar=None,
            pending_tlbis=(),
            features=Features(),
        )
    )
