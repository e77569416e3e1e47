"""A machine in which some CPUs stand still: all that a look ahead is given, and its memo's key.

A CPU that does not move is to the others no more than this: TLBIs of theirs that it has not
completed (a DSB waits for them), and what it holds where TLBs are in common. Everything else of it
is taken away before a look ahead begins. So what others can do is found out from, and remembered
under, the same value: there is nothing that one could depend on and the other leave out.
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
"""Which TLBI is not complete makes no difference to a DSB that waits for it."""


async def stand_still(cpu: Cpu) -> None:
    """The program of a CPU that does nothing."""


class Future(NamedTuple):
    """A machine in which only the `active` CPUs (a mask) move; the others are statues."""

    state: Machine
    active: int


class Standing:
    """Makes statues of CPUs, and moves those around them."""

    def __init__(self, machine: Arm64, symmetry: Symmetry) -> None:
        self.machine = machine
        self.symmetry = symmetry
        self._blank = _blank(machine)

    def future(self, state: Machine, active: int) -> Future:
        """What the active CPUs' future depends on: they, memory, and the others as statues.

        Of like CPUs it does not matter which of them move: a representative is taken.
        """
        owed = owed_mask(state, by=~active) & active
        cpus = tuple(
            cpu if active >> i & 1 else self._statue(cpu, owed) for i, cpu in enumerate(state.cpus)
        )
        return self._arranged(state._replace(cpus=cpus), active)

    def after(self, future: Future, move: Move) -> Future:
        """What follows a move. TLBIs complete at once on those who stand still.

        On some that is so (`ample.is_quiet`); the others are not independent of a TLBI anyway.
        """
        state, active = future
        after = self.machine.apply(state, move)
        cpus = tuple(
            new if active >> i & 1 else self._as_before(old, new)
            for i, (old, new) in enumerate(zip(state.cpus, after.cpus, strict=True))
        )
        return self._arranged(after._replace(cpus=cpus), active)

    def problem(self, future: Future) -> Problem | None:
        """The first property that fails on a CPU that moves.

        On a statue none is judged: where a TLBI is never delivered, what fails may be fictitious.
        """
        state, active = future
        cpus = tuple(cpu for i, cpu in enumerate(state.cpus) if active >> i & 1)
        return self.machine.problem(state._replace(cpus=cpus))

    def _arranged(self, state: Machine, active: int) -> Future:
        numbers = self.symmetry.arrangement(state, active)
        mask = sum(1 << place for place, i in enumerate(numbers) if active >> i & 1)
        return Future(self.symmetry.arranged(state, numbers), mask)

    def _statue(self, cpu: CpuState, owed: int) -> CpuState:
        """What a CPU is to the others; `owed`: whom one of those that stand still owes a TLBI."""
        cpus = self.machine.shared.cpus
        if self.machine.common:
            return cpus.change(self._blank, mmu=cpu.mmu, inbox=cpu.inbox, features=cpu.features)
        issuers = (i for i in range(owed.bit_length()) if owed >> i & 1)
        inbox = tuple(Pending(issuer, SOME_TLBI) for issuer in issuers)
        return cpus.change(self._blank, inbox=inbox)

    def _as_before(self, old: CpuState, new: CpuState) -> CpuState:
        """A statue after a move of others: what it holds in common may have changed."""
        return self.machine.shared.cpus.change(old, mmu=new.mmu)


def _blank(machine: Arm64) -> CpuState:
    """A CPU that does nothing, holds nothing and owes nothing."""
    nowhere = ControlPoint(
        machine.spec.automaton, None, stand_still, (), (), "stand_still", serial=-1
    )
    pools, tables = machine.shared, machine.initial().memory.tables
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
            inbox=(),
            features=Features(),
        )
    )
