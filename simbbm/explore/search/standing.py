"""The machine in which some CPUs stand still: the input of a look-ahead, and the key of its memo.

Of a CPU that does not move, the others can notice two things: their TLBIs that it has not completed
(a DSB waits for them), and its entries where TLBs are shared. Everything else is removed before a
look-ahead begins. So the look-ahead is computed from exactly the value under which it is memoised,
and cannot depend on anything that the key leaves out.
"""

from __future__ import annotations

from typing import NamedTuple

from simbbm.arm64.cpu import NOTHING, CpuState, Pending
from simbbm.arm64.execution.storebuffer import StoreBuffer
from simbbm.arm64.features import Features
from simbbm.arm64.machine import Arm64
from simbbm.arm64.ops import Cpu
from simbbm.arm64.registers import Regime, Tcr, Ttbr
from simbbm.arm64.state import Machine, owed_mask
from simbbm.arm64.symmetry import Symmetry
from simbbm.arm64.translation.tlb import Tlbi
from simbbm.core.programs.automaton import ControlPoint
from simbbm.core.system import Move, Problem

WALKS_NOTHING = Regime((Ttbr(0),), (Ttbr(0),), (Tcr(0, 0, epd0=True, epd1=True),))
SOME_TLBI = Tlbi("vmalle1", broadcast=True)
"""To a DSB it does not matter which TLBI is incomplete."""


async def stand_still(cpu: Cpu) -> None:
    """The program of a CPU that does nothing."""


class Future(NamedTuple):
    """A machine in which only the `active` CPUs (a mask) move; the others are placeholders."""

    state: Machine
    active: int


class Standing:
    """Replaces CPUs by placeholders that stand still, and moves the others."""

    def __init__(self, system: Arm64, symmetry: Symmetry) -> None:
        self.system = system
        self.symmetry = symmetry
        self._blank = _blank(system)

    def future(self, state: Machine, active: int) -> Future:
        """What the future of the active CPUs depends on.

        Their states, memory, and placeholders of the others. It is a representative under symmetry.
        """
        owed = owed_mask(state, by=~active) & active
        cpus = tuple(
            cpu if active >> i & 1 else self._statue(cpu, owed) for i, cpu in enumerate(state.cpus)
        )
        return self._arranged(state._replace(cpus=cpus), active)

    def after(self, future: Future, move: Move) -> Future:
        """The successor.

        TLBIs complete at once on CPUs that stand still: that is exact for quiet ones
        (`persistent_sets.is_quiet`), and the moves of others do not commute with a TLBI anyway.
        """
        state, active = future
        after = self.system.apply(state, move)
        cpus = tuple(
            new if active >> i & 1 else self._as_before(old, new)
            for i, (old, new) in enumerate(zip(state.cpus, after.cpus, strict=True))
        )
        return self._arranged(after._replace(cpus=cpus), active)

    def problem(self, future: Future) -> Problem | None:
        """The first property that fails on an active CPU.

        Placeholders are not judged: TLBIs are never delivered to them, so a failure may not be
        real.
        """
        state, active = future
        cpus = tuple(cpu for i, cpu in enumerate(state.cpus) if active >> i & 1)
        return self.system.problem(state._replace(cpus=cpus))

    def _arranged(self, state: Machine, active: int) -> Future:
        numbers = self.symmetry.arrangement(state, active)
        mask = sum(1 << place for place, i in enumerate(numbers) if active >> i & 1)
        return Future(self.symmetry.arranged(state, numbers), mask)

    def _statue(self, pe: CpuState, owed: int) -> CpuState:
        """The placeholder of a CPU.

        `owed`: the CPUs of which one that stands still has a pending TLBI.
        """
        cpus = self.system.shared.cpus
        if self.system.common:
            return cpus.change(
                self._blank, mmu=pe.mmu, pending_tlbis=pe.pending_tlbis, features=pe.features
            )
        issuers = (i for i in range(owed.bit_length()) if owed >> i & 1)
        pending_tlbis = tuple(Pending(issuer, SOME_TLBI) for issuer in issuers)
        return cpus.change(self._blank, pending_tlbis=pending_tlbis)

    def _as_before(self, old: CpuState, new: CpuState) -> CpuState:
        """A placeholder after a move of others: the entries of its shared TLB may have changed."""
        return self.system.shared.cpus.change(old, mmu=new.mmu)


def _blank(system: Arm64) -> CpuState:
    """A CPU that does nothing and holds nothing."""
    nowhere = ControlPoint(
        system.spec.automaton, None, stand_still, (), (), "stand_still", serial=-1
    )
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
