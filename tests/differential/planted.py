"""Mistakes that searches once made, or could: the comparison has to find each of them.

Each is a patch of the code as it is now; with it a small system is given that shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, NamedTuple

import pytest

from simbbm.arm64 import footprints
from simbbm.arm64.cpu import CpuState
from simbbm.arm64.footprints import Kind, is_own
from simbbm.arm64.state import Machine, owed_mask
from simbbm.core.system import Cell, Move, Problem
from simbbm.core.values import digest
from simbbm.explore.search import persistent_sets
from simbbm.explore.search.persistent_sets import PersistentSets
from simbbm.explore.search.reduced_system import ReducedSystem
from simbbm.explore.search.standing import Future, Standing
from simbbm.hypothesis.systems import Member, System

SELF = -1


class Planted(NamedTuple):
    """A mistake, and a system on which it shows."""

    plant: Callable[[pytest.MonkeyPatch], None]
    shows: System


class _Forgetful(dict[Hashable, Any]):
    """Looks ahead remembered by memory and those that move, and not by who stands still."""

    @staticmethod
    def _short(future: Future) -> Hashable:
        state, active = future
        cpus = tuple(cpu for i, cpu in enumerate(state.cpus) if active >> i & 1)
        return state.memory, cpus, owed_mask(state) & active, active

    def get(self, future: Any, default: Any = None) -> Any:
        return super().get(self._short(future), default)

    def __getitem__(self, future: Any) -> Any:
        return super().__getitem__(self._short(future))

    def __setitem__(self, future: Any, cells: Any) -> None:
        super().__setitem__(self._short(future), cells)


def ends_where_a_statue_fails(patch: pytest.MonkeyPatch) -> None:
    """A look ahead ends where a property fails on who stands still, and is remembered without."""
    made = PersistentSets.__init__

    def init(self: PersistentSets, *args: Any) -> None:
        made(self, *args)
        self._futures = _Forgetful()  # type: ignore[assignment]

    def statue(self: Standing, cpu: CpuState, owed: int) -> CpuState:
        return cpu

    def problem(self: Standing, future: Future) -> Problem | None:
        return self.system.problem(future.state)

    def as_before(self: Standing, old: CpuState, new: CpuState) -> CpuState:
        return self.system.shared.cpus.change(new, pending_tlbis=old.pending_tlbis)

    patch.setattr(PersistentSets, "__init__", init)
    patch.setattr(Standing, "_statue", statue)
    patch.setattr(Standing, "problem", problem)
    patch.setattr(Standing, "_as_before", as_before)


def goes_by_spelling(patch: pytest.MonkeyPatch) -> None:
    """A word is taken for what it is called: cpu1, a CPU's own."""

    def mask(self: PersistentSets, cells: frozenset[Cell]) -> int:
        found = 0
        for kind, number in cells:
            name = self.system.shared.name(number) if kind == Kind.WORD else ""
            own = name[:3] in ("cpu", "dvm") and name[3:].isdecimal()
            if not own and not is_own((kind, number)):
                found |= self._bits.setdefault((kind, number), 1 << len(self._bits))
        return found

    patch.setattr(PersistentSets, "_mask", mask)


def forgets_the_issuer(patch: pytest.MonkeyPatch) -> None:
    """A fingerprint tells of a pending TLBI's issuer only of which class it is."""

    def fingerprint(self: ReducedSystem, state: Machine) -> bytes:
        classes = {i: -2 - c for c, group in enumerate(self.symmetry.classes) for i in group}
        parts = []
        for number, cpu in enumerate(state.cpus):
            roles = (
                p._replace(issuer=SELF if p.issuer == number else classes.get(p.issuer, p.issuer))
                for p in cpu.pending_tlbis
            )
            pending_tlbis = tuple(sorted(roles))
            parts.append(
                tuple(pending_tlbis if part is cpu.pending_tlbis else part for part in cpu.parts())
            )
        memory = state.memory.tables.digest, tuple(state.memory.data.items())
        return bytes.fromhex(digest(memory, tuple(parts), state.failure))

    patch.setattr(ReducedSystem, "fingerprint", fingerprint)


def forgets_who_walks(patch: pytest.MonkeyPatch) -> None:
    """A move is thought not to depend on the tables that its CPU's walks can come upon."""

    def none(*_: Any) -> Iterable[Cell]:
        return ()

    patch.setattr(footprints, "tables_in_view", none)


def goes_round_alone(patch: pytest.MonkeyPatch) -> None:
    """Who goes back to an older control point is taken alone all the same."""

    def never(cpu: CpuState, move: Move) -> bool:
        return False

    patch.setattr(persistent_sets, "_returns", never)


DSB, ISB = ("dsb", "ish"), ("isb",)
LEAVE = (("msr", "ttbr", "away"), ISB, ("tlbi", "vmalle1"), ("dsb", "nsh"), ISB)
FLUSH = (("tlbi", "vmalle1is"), DSB)
CHANGE = (("str", "pte x", "inv"), DSB, *FLUSH, ("str", "pte x", "new"), DSB)
TWO = (Member(0), Member(1))
THREE = (Member(0), Member(1), Member(1))
SAW = (("ldr", "flag"), ("panic_if", (1, 1)))
POLL = (("until", 1, (("ldr", "flag"),)),)

PLANTED = {
    "fails on a statue": Planted(
        ends_where_a_statue_fails, System(((*CHANGE, ("str", "flag", 1)), (*LEAVE, *SAW)), TWO)
    ),
    "spelling": Planted(
        goes_by_spelling, System(((("str", "flag", 1),), SAW), TWO, symbols=(("flag", "cpu1"),))
    ),
    "issuer": Planted(
        forgets_the_issuer,
        System(((("await", "flag", 1),), (*FLUSH, ("str", "flag", 1))), THREE),
    ),
    "walks": Planted(
        forgets_who_walks, System(((*LEAVE, ("str", "pte x", "inv")), (("ldr", "x"),)), TWO)
    ),
    "rounds": Planted(goes_round_alone, System(((("nop",), ("panic_if",)), POLL), TWO)),
}
