"""Mistakes about the order of a CPU's stores and TLBIs, and what they do to TLBs (`planted`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from simbbm.arm64 import machine
from simbbm.arm64.context import Shared
from simbbm.arm64.cpu import CpuState, Pending
from simbbm.arm64.rows import Row, State
from simbbm.arm64.translation.memory import Memory
from simbbm.arm64.translation.tlb import Tlbi
from simbbm.core.points import ControlPoint
from simbbm.core.program import Op
from simbbm.core.system import Footprint, Move
from simbbm.explore.search.reductions import drains, invalidations, persistent_sets
from simbbm.explore.search.reductions.persistent_sets import PersistentSets
from simbbm.explore.search.reductions.standing import HELD, Standing

Follow = Callable[..., drains.Path | None]


def _drains_first(patch: pytest.MonkeyPatch, wrong: Callable[[Follow], Follow]) -> None:
    """Put a wrong path in the place of `drains.path`."""
    patch.setattr(drains, "path", wrong(drains.path))


def drains_before_others_look(patch: pytest.MonkeyPatch) -> None:
    """What a program stores until its DSB, and loads, is thought to be nobody else's."""

    def wrong(path: Follow) -> Follow:
        def alone(*args: Any) -> drains.Path | None:
            found = path(*args)
            return found and found._replace(stored={}, loaded=frozenset())

        return alone

    _drains_first(patch, wrong)


def drains_before_tlbis(patch: pytest.MonkeyPatch) -> None:
    """A TLBI that arrives before a drain is thought to do what it does after it."""

    def wrong(path: Follow) -> Follow:
        def deaf(
            shared: Shared, pe: CpuState, memory: Memory, moves: tuple[Move, ...]
        ) -> drains.Path | None:
            return path(shared, shared.cpus.change(pe, pending_tlbis=()), memory, moves)

        return deaf

    _drains_first(patch, wrong)


def drains_whatever_is_linked(patch: pytest.MonkeyPatch) -> None:
    """A store to a table is thought to commute with one that links the table."""

    def always(*_: Any) -> bool:
        return True

    patch.setattr(drains, "_is_harmless", always)


def drains_before_any_dsb(patch: pytest.MonkeyPatch) -> None:
    """A DSB of loads is thought to wait for stores."""

    def is_dsb(op: Op) -> bool:
        return op.mnemonic.startswith("dsb")

    patch.setattr(drains, "_waits_for_stores", is_dsb)


def acts_before_accesses(patch: pytest.MonkeyPatch) -> None:
    """What comes between two TLBIs of a CPU is thought not to matter to the first."""

    def whatever(_: ControlPoint) -> tuple[Tlbi, ...]:
        return ()

    patch.setattr(invalidations, "_issued", whatever)


def acts_in_any_order(patch: pytest.MonkeyPatch) -> None:
    """A TLBI that takes a table entry away is thought to commute with one of what is below."""
    first = invalidations.first_of_own

    def flat(
        shared: Shared, pe: CpuState, moves: tuple[Move, ...], number: int
    ) -> invalidations.Own | None:
        mmu = replace(pe.mmu, tables=(), views={})
        return first(shared, shared.cpus.change(pe, mmu=mmu), moves, number)

    patch.setattr(invalidations, "first_of_own", flat)


def is_quiet_for_ever(patch: pytest.MonkeyPatch) -> None:
    """A CPU that holds nothing is thought to hold nothing until a TLBI has acted."""

    def stays(*_: object) -> bool:
        return True

    patch.setattr(PersistentSets, "_stays_quiet", stays)


def holds_every_tlbi(patch: pytest.MonkeyPatch) -> None:
    """While one TLBI has not acted, no other acts on the CPU either."""

    def every(self: Standing, state: State, cpu: int, issuer: int) -> State:
        own = self.rows.pe(state, cpu)
        issuers = dict.fromkeys(pending.issuer for pending in own.pending_tlbis)
        return self._with_pending(state, cpu, tuple(Pending(i, HELD) for i in issuers))

    patch.setattr(Standing, "held", every)


def has_no_leaves(patch: pytest.MonkeyPatch) -> None:
    """A CPU that holds leaves alone is thought to hold nothing."""

    def quiet(pe: CpuState) -> bool:
        return not (pe.mmu.tables or pe.mmu.early_leaves or pe.mmu.early_faults or pe.buffer.stores)

    patch.setattr(persistent_sets, "is_quiet", quiet)


def waits_for_a_drain(patch: pytest.MonkeyPatch) -> None:
    """A CPU that holds nothing is thought to hold nothing after its own move, unless that drains.

    But an exclusive reaches memory at once, and breaks a descriptor that is held then.
    """

    def careless(
        self: PersistentSets, state: State, i: int, row: Row, _: Memory
    ) -> Iterator[CpuState]:
        return iter([self.rows.pe(state, i)])

    patch.setattr(PersistentSets, "_afterwards", careless)


def holds_for_itself(patch: pytest.MonkeyPatch) -> None:
    """A store to a table is thought not to matter to those who share a TLB and do not walk it."""
    cells: Callable[..., Footprint] = vars(machine)["footprint"]

    def apart(shared: Shared, *args: Any) -> Footprint:
        return cells(replace(shared, tlbs=()), *args)

    patch.setattr(machine, "footprint", apart)
