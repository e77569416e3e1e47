"""The machine in which some CPUs stand still: the input of a look-ahead, and the key of its memo.

Of a CPU that does not move, the others can notice two things: their TLBIs that it has not completed
(a DSB waits for them), and its entries where TLBs are shared. Everything else is removed before a
look-ahead begins. So the look-ahead is computed from exactly the value under which it is memoised,
and cannot depend on anything that the key leaves out.

It may also be one TLBI that stands still: it does not act on a CPU whose program moves on. That is
part of the CPU's value, too.
"""

from __future__ import annotations

from simbbm.arm64.cpu import NOTHING, CpuState, Pending
from simbbm.arm64.execution.storebuffer import StoreBuffer
from simbbm.arm64.features import Features
from simbbm.arm64.machine import Arm64
from simbbm.arm64.ops import Cpu
from simbbm.arm64.registers import Regime, Tcr, Ttbr
from simbbm.arm64.rows import CPUS, Rows, State, Step
from simbbm.arm64.translation.tlb import Tlbi
from simbbm.core.programs.automaton import ControlPoint
from simbbm.core.programs.frames.known import Place
from simbbm.explore.search.reductions.symmetry import Symmetry

WALKS_NOTHING = Regime((Ttbr(0),), (Ttbr(0),), (Tcr(0, 0, epd0=True, epd1=True),))
SOME_TLBI = Tlbi("vmalle1", broadcast=True)
"""To a DSB it does not matter which TLBI is incomplete."""


HELD = Tlbi("held", broadcast=True, page=-1)
"""In place of a pending TLBI that does not act as long as a look-ahead lasts."""


async def stand_still(cpu: Cpu) -> None:
    """The program of a CPU that does nothing."""


Future = tuple[int, ...]
"""A state (`arm64.rows.State`) in which only the active CPUs move, the others are placeholders; and
after it the mask of the active CPUs."""


class Standing:
    """Replaces CPUs by placeholders that stand still, and moves the others."""

    def __init__(self, rows: Rows, symmetry: Symmetry) -> None:
        self.rows = rows
        self.symmetry = symmetry
        self._blank = _blank(rows.system)
        rows.placeholder = self._blank.point
        self._placeholders: dict[int, int] = {}

    def future(self, state: State, active: int) -> Future:
        """What the future of the active CPUs depends on.

        Their states, memory, and placeholders of the others. It is a representative under symmetry.
        """
        owed = self.rows.owed(state, by=~active) & active
        cpus = [
            cpu if active >> i & 1 else self.placeholder(cpu, owed)
            for i, cpu in enumerate(state[CPUS:])
        ]
        return self._arranged((*state[:CPUS], *cpus), active)

    def holding(self, state: State, active: int, cpu: int, issuer: int) -> Future:
        """The same where a TLBI of `issuer` that is pending on a CPU, an active one, does not act.

        All others that are pending there have acted: they are quiet CPUs that are asked about.
        """
        held, own = [*state], self.rows.cpus.parts[state[CPUS + cpu]]
        held[CPUS + cpu] = self._pending(own, (Pending(issuer, HELD),))
        return self.future(held, active)

    def after(self, future: Future, cpu: int, step: Step) -> Future:
        """The successor.

        TLBIs complete at once on CPUs that stand still, and where one is held: that is exact for
        quiet ones (`persistent_sets.is_quiet`), and the moves of others do not commute with a TLBI
        anyway.
        """
        after, parts = self.rows.after(future[:-1], cpu, step), self.rows.cpus.parts
        for place, number in enumerate(future[CPUS:-1], CPUS):
            if self.rows.issuers(number) and is_held(parts[number]):
                after = [*after]
                after[place] = self._pending(parts[after[place]], parts[number].pending_tlbis)
        return self._arranged(after, future[-1])

    def _pending(self, pe: CpuState, pending_tlbis: tuple[Pending, ...]) -> int:
        change = self.rows.system.shared.cpus.change
        return self.rows.cpu(change(pe, pending_tlbis=pending_tlbis))

    def fails(self, future: Future) -> bool:
        """Whether a property fails on an active CPU.

        Placeholders are not judged: TLBIs are never delivered to them, so a failure may not be
        real.
        """
        *state, active = future
        cpus = (cpu for i, cpu in enumerate(state[CPUS:]) if active >> i & 1)
        judged = (*state[:CPUS], *cpus)
        return not self.rows.fine(judged)

    def _arranged(self, state: State, active: int) -> Future:
        numbers = self.symmetry.arrangement(state, active)
        mask = 0
        for place, i in enumerate(numbers):
            mask |= (active >> i & 1) << place
        return (*self.symmetry.arranged(state, numbers), mask)

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
    place = Place(stand_still, (), None, None, root=True)
    nowhere = ControlPoint(system.spec.automaton, None, place, (), "stand_still", serial=-1)
    pools, tables = system.shared, system.initial().memory.tables
    return pools.cpus.kept(
        CpuState(
            point=nowhere,
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
