"""Whose moves are enough, on machines small enough to say so.

That what is chosen is a persistent set is asked in test_persistent_sets.py. Here it is asked that
something is chosen where it should be.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from simbbm.arm64.descriptor import RW, leaf, table
from simbbm.arm64.execution.storebuffer import StoreBuffer
from simbbm.arm64.features import Features
from simbbm.arm64.footprints import Kind
from simbbm.arm64.machine import Arm64
from simbbm.arm64.ops import Cpu
from simbbm.arm64.registers import Ttbr
from simbbm.arm64.state import Machine
from simbbm.arm64.translation.tlb import LeafEntry, TableEntry
from simbbm.arm64.translation.walks import TRANSLATION, EarlyFault, Fault
from simbbm.core.program import repeat_until
from simbbm.explore.search.reductions.invalidations import is_quiet
from simbbm.explore.search.reductions.persistent_sets import Cells, PersistentSets
from simbbm.explore.search.reductions.reduced_system import ReducedSystem
from tests.explore.test_persistent_sets import assert_all_persistent
from tests.support import (
    FLAG,
    FLAG2,
    INV,
    OLD,
    OTHER,
    PTES,
    PX,
    REGIME,
    ROOT,
    little,
    machine,
    thread,
)

TABLES = {ROOT: (table(PTES), leaf(4), INV, INV), PTES: (INV,) * 4, OTHER: (INV,) * 4}
NOP = ("nop",)
FLUSH = ("tlbi", "vmalle1is")


def is_one(value: int) -> bool:
    return value == 1


def ample_of(system: Arm64, *, symmetry: bool = False) -> PersistentSets:
    ample = ReducedSystem(system, symmetry=symmetry).ample
    assert ample is not None
    return ample


def taken(ample: PersistentSets, state: Machine) -> int | None:
    """Whose moves are enough in a state."""
    choice = ample.chosen(ample.rows.state(state))
    return choice and choice.cpu


def ahead_of(ample: PersistentSets, state: Machine, active: int) -> Cells:
    """The cells of all that the active CPUs can reach."""
    return ample._future(ample.rows.state(state), active)


def after(system: Arm64, *agents: str) -> Machine:
    """The state after one move of each of these agents; `cpu1.drain` stands for its only store."""
    state = system.initial()
    for agent in agents:
        program = "." not in agent
        [move] = [
            move
            for move in system.moves(state)
            if (move.agent == agent if program else move.agent.startswith(agent))
        ]
        state = system.apply(state, move)
    return state


def chosen(*threads: Any, at: tuple[str, ...] = (), quiet: bool = True, **more: Any) -> int | None:
    """Whose moves are enough in a state; not `quiet`: TLBIs do not act alone (`invalidations`)."""
    system = little(*threads, uniform=True, **more)
    ample = ample_of(system)
    ample.none_is_quiet = not quiet
    return taken(ample, after(system, *at))


STORE = (("str", FLAG, 1),)
STORED = ("cpu0", "cpu1")


def test_the_boot_cpu_comes_last() -> None:
    assert chosen((NOP,), (NOP,)) == 1
    assert chosen((NOP,), (NOP,), (NOP,)) == 1


def test_who_went_furthest_comes_first() -> None:
    assert chosen((NOP,), (NOP, NOP), (NOP, NOP), at=("cpu2",)) == 2
    assert chosen((NOP,), (NOP, NOP), (NOP, NOP), at=("cpu1",)) == 1


def test_who_has_no_moves_is_nobody_to_take() -> None:
    assert chosen((NOP,), ()) == 0
    assert chosen((), ()) is None


def test_a_store_may_drain_alone_if_nobody_else_looks() -> None:
    """It writes a word, and its CPU reads that as well: a CPU does not conflict with itself."""
    alone = (*STORE, ("ldr", FLAG))
    assert chosen((NOP,), alone, at=("cpu1",)) == 1
    assert chosen((("ldr", FLAG),), alone, at=("cpu1",)) is None
    assert chosen((("ldr", FLAG2),), alone, at=("cpu1",)) == 1


def test_a_store_to_a_table_is_not_taken_alone() -> None:
    """Whoever else walks it may hold either."""
    assert chosen((NOP,), (("str", PX, leaf(OLD)),), at=("cpu1", "cpu0")) is None


def test_who_waits_for_others_in_a_dsb_is_not_taken_alone() -> None:
    """Its own store could drain, but the DSB may end before that; without anything owed not."""
    flushes = (FLUSH, *STORE, ("dsb", "ish"))
    acted = ("cpu1", "cpu1", "dvm.cpu1")
    assert chosen((NOP,), flushes, at=acted, quiet=False) == 0
    assert chosen((NOP,), flushes, at=(*acted, "dvm.cpu0", "cpu0"), quiet=False) == 1
    assert chosen((NOP,), (*STORE, ("dsb", "ish")), at=("cpu1",)) == 1


def test_who_is_owed_a_tlbi_may_do_something_else_meanwhile() -> None:
    """The other has it in its pending_tlbis and does nothing any more but act on it."""
    at = ("cpu1", "dvm.cpu1")
    assert chosen((), (FLUSH, NOP, ("dsb", "ish")), at=at, quiet=False) == 1


def test_a_broadcast_tlbi_commutes_with_who_holds_nothing() -> None:
    """With an entry to lose, or a store to be waited for, its order matters."""
    for flushes, first in (((FLUSH,), None), ((NOP, FLUSH), 0)):
        assert chosen(flushes, (NOP,)) == 1
        assert chosen(flushes, STORE, at=("cpu1",)) == first


def test_who_may_be_interrupted_is_not_taken_alone() -> None:
    hardware = little().spec.hardware
    assert chosen((), (NOP,), hardware=hardware._replace(interrupts="irq")) is None
    assert chosen((), (NOP,), hardware=hardware) == 1


async def look(cpu: Cpu) -> bool:
    """A turn of one step: it comes back to where it was."""
    return bool(await cpu.ldr(FLAG2))


async def poll(cpu: Cpu) -> None:
    await repeat_until(look, cpu)


async def upside_down(cpu: Cpu) -> bool:
    """A turn that leaves everything as it was; its first step and its last touch nothing."""
    await cpu.nop()
    await cpu.ldaddal(FLAG, 1)
    await cpu.ldaddal(FLAG, -1)
    await cpu.nop()
    return False


async def for_ever(cpu: Cpu) -> None:
    await repeat_until(upside_down, cpu)


def test_who_may_come_back_to_the_same_step_is_not_taken_alone() -> None:
    system = machine((thread, NOP), (poll,), tables=TABLES, uniform=True)
    state = system.apply(system.initial(), next(m for m in system.moves(system.initial()) if m.cpu))
    state = system.apply(state, next(m for m in system.moves(state) if m.cpu))

    assert taken(ample_of(system), state) == 0


def test_all_of_a_round_is_ahead_from_each_of_its_states() -> None:
    """Looked at from its start first: what is remembered of the rest must have the start, too."""
    system = machine((thread, ("ldr", FLAG)), (for_ever,), tables=TABLES, uniform=True)
    ample = ample_of(system)
    last = after(system, "cpu1", "cpu1", "cpu1")

    ahead = ahead_of(ample, system.initial(), 0b10)
    assert last.cpus[1].mnemonic == "nop"
    assert ahead_of(ample, last, 0b10) == ahead
    assert taken(ample, last) is None
    assert assert_all_persistent(system)


def test_what_is_over_is_not_ahead() -> None:
    """Looked at from the start first: of what comes later less is remembered."""
    system = little((("ldr", FLAG),), (NOP, *STORE), uniform=True)
    ample = ample_of(system)

    assert ahead_of(ample, system.initial(), 0b10)[1]
    assert taken(ample, after(system, "cpu1", "cpu1", "cpu1.drain")) == 0


def test_what_comes_after_a_violation_is_not_ahead() -> None:
    """The run ends there, before the store."""
    assert chosen((("panic", "lost"), *STORE), (("ldr", FLAG),)) == 1
    assert chosen((NOP, *STORE), (("ldr", FLAG),)) == 0


def test_what_waits_for_who_stands_still_is_not_ahead() -> None:
    """The DSB is never over while the other CPU does not act on the TLBI."""
    system = little((FLUSH, ("dsb", "ish"), *STORE), (NOP,), uniform=True)
    ample = ample_of(system)

    assert ahead_of(ample, after(system, "cpu0", "dvm.cpu0", "dvm.cpu1"), 0b01)[1]
    assert not ahead_of(ample, after(system, "cpu0", "dvm.cpu0"), 0b01)[1]


def test_what_who_stands_still_touches_is_not_ahead() -> None:
    """Tables that it alone walks: also where TLBs are in common, and it keeps what it holds."""
    one, two = (REGIME._replace(ttbr0=(Ttbr(at, asid=1, cnp=True),)) for at in (ROOT, OTHER))
    system = machine(
        *((thread, NOP),) * 2,
        tables=TABLES,
        regime=(one, two),
        features=Features(tlb=1),
        uniform=True,
    )
    ample = ample_of(system)
    reads, _ = ahead_of(ample, system.initial(), 0b01)

    assert reads & ample._mask(frozenset({(Kind.TABLE, ROOT)}))
    assert not reads & ample._mask(frozenset({(Kind.TABLE, OTHER)}))


def test_cells_that_are_a_cpus_own_are_nobody_elses() -> None:
    """Of like CPUs those that move are numbered anew in a look ahead: 0 and 1, whoever they are."""
    system = little((NOP,), (NOP,), (NOP,), uniform=True)

    assert taken(ample_of(system, symmetry=True), system.initial()) == 1


LEAF = LeafEntry(3, 0, 1, OLD, RW, contiguous=False, group=False, asid=1)
HELD: dict[str, Any] = {
    "tables": (TableEntry(2, 0, PTES, 1),),
    "leaves": (LEAF,),
    "early_leaves": (LEAF,),
    "early_faults": (EarlyFault(0, 1, Fault(TRANSLATION, 3)),),
}


@pytest.mark.parametrize("what", HELD)
def test_who_holds_something_is_not_quiet(what: str) -> None:
    system = little((NOP,))
    [cpu] = system.initial().cpus
    assert is_quiet(cpu)

    holds = replace(cpu.mmu, **{what: HELD[what]})
    assert not is_quiet(system.shared.cpus.change(cpu, mmu=holds))


def test_who_has_a_store_in_its_buffer_is_not_quiet() -> None:
    [cpu] = after(little(STORE), "cpu0").cpus

    assert not is_quiet(cpu)
    assert is_quiet(little().shared.cpus.change(cpu, buffer=StoreBuffer()))
