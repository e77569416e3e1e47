"""Each kind of move and the cells that it reads and writes: all that must be, and no more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from simbbm.arm64.descriptor import leaf, table
from simbbm.arm64.features import CONCRETE, DELAYED, Features
from simbbm.arm64.footprints import (
    EVENT,
    EVERY_PENDING_TLBIS,
    EVERY_SGI,
    IN_FLIGHT,
    Kind,
    cpu_footprint,
    is_own,
    own_cell,
)
from simbbm.arm64.machine import Arm64
from simbbm.arm64.registers import Sgi, Tcr, Ttbr
from simbbm.arm64.state import Machine
from simbbm.core.system import Cell, Footprint, Move
from simbbm.litmus.scenario import scenario_of
from simbbm.model import Model
from tests.litmus.rows import made
from tests.support import (
    FLAG,
    FLAG2,
    INV,
    NEW,
    OLD,
    OTHER,
    PTES,
    PX,
    REGIME,
    ROOT,
    SPARE,
    WORDS,
    X,
    explore,
    little,
    machine,
    thread,
)

Steps = tuple[tuple[Any, ...], ...]
Cells = set[Cell]
COMMON = REGIME._replace(ttbr0=(Ttbr(ROOT, asid=1, cnp=True),))
SHARES: dict[str, Any] = {"regime": COMMON, "features": Features(tlb=3)}
NO_WALK_CACHE: dict[str, Any] = {"hardware": DELAYED.without("walk cache")}
AT_ONCE: dict[str, Any] = {"hardware": DELAYED._replace(late_tlbis=False)}


def is_one(value: int) -> bool:
    return value == 1


def tables(*addresses: int) -> Cells:
    return {(Kind.TABLE, address) for address in addresses}


def words(*addresses: int) -> Cells:
    return {(Kind.WORD, address) for address in addresses}


MAP = tables(ROOT, PTES)
"""What walks of a CPU come upon at the start."""
EVERY = tables(ROOT, PTES, SPARE, OTHER)
OWED, TLB = (Kind.OWED, 0), (Kind.TLB, 3)


class Row(NamedTuple):
    """The last of some steps of a program, or with a `store` its way to memory, and its cells."""

    steps: Steps
    reads: Cells
    writes: Cells
    more: Mapping[str, Any] = {}
    store: bool = False


LINK = ("str", ROOT + 2, table(SPARE))
CHANGE = ("str", PX, leaf(NEW))
UNLINK = ("str", ROOT + 2, INV)
LINKED = {"spare": (leaf(NEW), INV, INV, INV)}
ROWS: dict[str, Row] = {
    "no operation": Row((("nop",),), MAP, set()),
    "a load": Row((("ldr", FLAG),), MAP | words(FLAG), set()),
    "a store waits in the buffer": Row((("str", FLAG, 1),), MAP, set()),
    "a store": Row((("str", FLAG, 1),), set(), words(FLAG), store=True),
    "a store, with ETS2": Row((("str", FLAG, 1),), MAP, words(FLAG), {"ets2": True}, store=True),
    "a store to a table": Row((CHANGE,), set(), words(PX) | tables(PTES), store=True),
    "a store that links a table": Row(
        (LINK,), tables(SPARE), words(ROOT + 2) | tables(ROOT), store=True
    ),
    "a store that links what is no table": Row(
        (("str", ROOT + 2, table(0)),), set(), words(ROOT + 2) | tables(ROOT), store=True
    ),
    "a store of a leaf, whose page has a table's number": Row(
        (("str", PX, leaf(SPARE)),), set(), words(PX) | tables(PTES), store=True
    ),
    "several words in one store": Row(
        (("fill", PX, leaf(OLD), 1, 3),),
        set(),
        words(PX, PX + 1, PX + 2) | tables(PTES),
        store=True,
    ),
    "sev": Row((("sev",),), MAP, {EVENT}),
    "sevl": Row((("sevl",),), MAP, set()),
    "wfe": Row((("sevl",), ("wfe",)), MAP | {EVENT}, set()),
    "an SGI": Row((("msr", "icc_sgi1r_el1", Sgi(1)),), MAP, {EVERY_SGI}),
    "wfi": Row(
        (("daifset",), ("msr", "icc_sgi1r_el1", Sgi(1, 0)), ("wfi",)), MAP | {EVERY_SGI}, set()
    ),
    "wfe on a monitor": Row(
        (("sevl",), ("ldxr", FLAG), ("wfe",)), MAP | words(FLAG) | {EVENT}, set()
    ),
    "a monitor is lost by a store": Row((("ldxr", FLAG), ("nop",)), MAP | words(FLAG), set()),
    "a store is nothing that a wait concerns": Row(
        (("sevl",), ("ldxr", FLAG), ("str", FLAG2, 1)), set(), words(FLAG2), store=True
    ),
    "dsb": Row((("dsb", "ish"),), MAP, {OWED}),
    "dmb": Row((("dmb", "ish"),), MAP, set()),
    "a broadcast TLBI": Row((("tlbi", "vmalle1is"),), MAP, {OWED, EVERY_PENDING_TLBIS}),
    "a local TLBI": Row((("tlbi", "vmalle1"),), MAP, {OWED}),
    "a TLBI that acts at once": Row((("tlbi", "vmalle1"),), MAP, EVERY | {OWED}, AT_ONCE),
    "what is no TLBI, where those act at once": Row((("nop",),), MAP, set(), AT_ONCE),
    "a register": Row((("msr", "ttbr0_el1", Ttbr(OTHER, asid=1)),), MAP | tables(OTHER), set()),
    "concrete TLBs": Row((("nop",),), EVERY, set(), {"hardware": CONCRETE}),
    "a TLB in common": Row((("nop",),), MAP | {TLB}, set(), SHARES),
    "a TLB in common, without CnP": Row((("nop",),), MAP, set(), SHARES | {"regime": REGIME}),
    "a TLB in common with nobody": Row((("nop",),), MAP, set(), {"regime": COMMON}),
    "leaving a TLB in common": Row(
        (("msr", "ttbr0_el1", Ttbr(ROOT, asid=1)), ("isb",)), MAP | {TLB}, set(), SHARES
    ),
    "coming to a TLB in common": Row(
        (("msr", "ttbr0_el1", Ttbr(ROOT, asid=1, cnp=True)),),
        MAP | {TLB},
        set(),
        SHARES | {"regime": REGIME},
    ),
    "a store of who has a TLB in common": Row(
        (("str", FLAG, 1),), {TLB}, words(FLAG), SHARES, store=True
    ),
}


def little_with(row: Row) -> Arm64:
    return little(row.steps, x=leaf(OLD), **row.more)


def program(system: Arm64, steps: int, cpu: int = 0) -> Machine:
    """The state after so many steps of a program, before any of its stores reaches memory."""
    state = system.initial()
    for _ in range(steps):
        state = system.apply(state, own(system, state, "", cpu))
    return state


def own(system: Arm64, state: Machine, what: str = "", cpu: int = 0) -> Move:
    """The move of a CPU's program, or of its hardware."""
    [move] = [m for m in system.moves(state) if m.cpu == cpu and m.agent == f"cpu{cpu}{what}"]
    return move


def drain(system: Arm64, state: Machine) -> Move:
    """The move of the one store that waits."""
    [move] = [m for m in system.moves(state) if ".drain" in m.agent]
    return move


def stored(system: Arm64) -> Machine:
    """The state after the first store of CPU 0 has reached memory."""
    state = program(system, 1)
    return system.apply(state, drain(system, state))


def cells(footprint: Footprint, cpu: int = 0) -> tuple[Cells, Cells]:
    """What is read and what is written, but for all that is the CPU's own."""
    assert own_cell(cpu) in footprint.reads
    return set(footprint.reads - {own_cell(cpu)}), set(footprint.writes - {own_cell(cpu)})


@pytest.mark.parametrize("name", ROWS)
def test_cells_of_a_move(name: str) -> None:
    row = ROWS[name]
    system = little_with(row)
    if row.store:
        move = drain(system, program(system, len(row.steps)))
    else:
        move = own(system, program(system, len(row.steps) - 1))

    assert own_cell(0) in move.footprint.writes
    assert (row.reads, row.writes) == cells(move.footprint)


def test_a_store_that_unlinks_a_table_reads_it_where_leaves_alone_are_kept() -> None:
    """And no other that an entry beside it leads to; with table descriptors cached none at all."""
    for more, reads in ((NO_WALK_CACHE, tables(SPARE)), ({}, set())):
        tables_ = {
            ROOT: (table(PTES), leaf(4), table(SPARE), table(OTHER)),
            PTES: (INV,) * 4,
            SPARE: (leaf(OLD), INV, INV, INV),
            OTHER: (INV,) * 4,
        }
        system = machine((thread, UNLINK), tables=tables_, **more)
        move = drain(system, program(system, 1))
        assert (reads, words(ROOT + 2) | tables(ROOT)) == cells(move.footprint)


def test_a_store_of_several_words_reads_all_that_it_unlinks() -> None:
    tables_ = {
        ROOT: (table(PTES), leaf(4), table(SPARE), table(OTHER)),
        PTES: (INV,) * 4,
        SPARE: (INV,) * 4,
        OTHER: (INV,) * 4,
    }
    system = machine((thread, ("fill", ROOT + 2, leaf(OLD), 4, 2)), tables=tables_, **NO_WALK_CACHE)

    reads, _ = cells(drain(system, program(system, 1)).footprint)
    assert tables(SPARE, OTHER) == reads


def test_tables_below_a_linked_one_are_read_each_once() -> None:
    """Three levels, and a table that leads to itself as well."""
    tables_ = {
        ROOT: (table(PTES), INV, INV, INV),
        PTES: (leaf(0), leaf(4), INV, INV),
        SPARE: (table(OTHER), table(OTHER), table(SPARE), table(99)),
        OTHER: (INV,) * 4,
    }
    deep = REGIME._replace(tcr=(Tcr(6, 0, a1=False, epd1=True),))
    system = machine((thread, LINK), tables=tables_, regime=deep)

    reads, _ = cells(drain(system, program(system, 1)).footprint)
    assert tables(SPARE, OTHER) == reads


FORGET = ("tlbi", "vmalle1")


@pytest.mark.parametrize("change", [CHANGE, ("str", ROOT, INV)], ids=["a leaf", "a table"])
def test_who_takes_old_entries_from_a_tlb_in_common_writes_it(change: tuple[Any, ...]) -> None:
    system = little((change, FORGET), x=leaf(OLD), **SHARES)
    assert TLB in own(system, stored(system)).footprint.reads
    assert TLB not in own(system, stored(system)).footprint.writes

    issued = system.apply(stored(system), own(system, stored(system)))
    [acts] = system.moves(issued)
    assert acts.agent == "dvm.cpu0"
    assert TLB in acts.footprint.reads & acts.footprint.writes


def test_who_leaves_old_entries_as_they_are_writes_no_tlb_in_common() -> None:
    system = little((CHANGE, ("nop",)), x=leaf(OLD), **SHARES)
    move = own(system, stored(system))

    assert stored(system).cpus[0].mmu.leaves
    assert TLB in move.footprint.reads
    assert TLB not in move.footprint.writes


def test_cells_are_the_same_when_pools_were_dropped() -> None:
    """What the ISB leaves is another object then; the entries are those of before."""
    system = little((CHANGE, ("isb",)), x=leaf(OLD), **SHARES)
    state = stored(system)
    before = own(system, state).footprint
    system.forget()

    assert TLB not in before.writes
    assert own(system, state).footprint == before


def test_a_tlbi_that_acts_is_read_by_who_waits_for_it() -> None:
    """The issuer's DSB writes what is owed to it; on the issuer itself nothing is owed."""
    system = little((("tlbi", "vmalle1is"), ("dsb", "ish")), (("nop",),), x=leaf(OLD))
    state = program(system, 1)
    mine, other = (
        m
        for i, cpu in enumerate(state.cpus)
        for m in system.moves_of(cpu, state.memory, i, owed=False)
        if "dvm" in m.agent
    )

    assert OWED in other.footprint.reads
    assert other.footprint.conflicts(Footprint(writes=frozenset({OWED})))
    assert not {own_cell(0), OWED} & other.footprint.writes
    assert {own_cell(1)} == other.footprint.writes
    assert {own_cell(0)} == mine.footprint.writes


@pytest.mark.parametrize("source", ["listing", "program"])
def test_moves_of_what_has_several_instructions_in_flight_share_a_cell(source: str) -> None:
    """Those of hardware too, and whoever cannot move reads it."""
    test = made(["st x = 1"], ["r0 = ld x"], condition="1:r0=0")
    system = Model(scenario_of(test), {"source": source}).system
    states = explore(system).states
    moves = [move for state in states for move in system.moves(state)]

    assert {"step", "drain"} >= {move.kind for move in moves} >= {"step"}
    assert all(IN_FLIGHT in move.footprint.writes for move in moves)
    assert all(IN_FLIGHT in whole(system, state)[0] for state in states)


def whole(system: Arm64, state: Machine, cpu: int = 0) -> tuple[Cells, Cells]:
    """The cells of all that a CPU can do, and of what could give it more."""
    own = state.cpus[cpu]
    moves = system.moves_of(own, state.memory, cpu, owed=False)
    found = cpu_footprint(system.shared, own, state.memory, moves, cpu)
    reads, writes = cells(found, cpu)
    assert {EVERY_PENDING_TLBIS, EVERY_SGI} <= reads
    return reads - {EVERY_PENDING_TLBIS, EVERY_SGI}, writes


def test_a_cpu_touches_what_its_program_and_its_hardware_do() -> None:
    system = little((("str", FLAG, 1), ("ldr", FLAG2)), x=leaf(OLD))

    assert (MAP | words(FLAG2), words(FLAG)) == whole(system, program(system, 1))


def test_a_cpu_that_has_finished_touches_its_tables() -> None:
    system = little((), x=leaf(OLD))
    assert (MAP, set()) == whole(system, system.initial())
    system = little((), x=leaf(OLD), **SHARES)
    assert (MAP | {TLB}, set()) == whole(system, system.initial())
    for alone in (SHARES | {"regime": REGIME}, {"regime": COMMON}):
        system = little((), x=leaf(OLD), **alone)
        assert (MAP, set()) == whole(system, system.initial())


def test_a_cpu_that_cannot_go_on_reads_what_lets_it() -> None:
    """The event register, its monitor's word, the word that it polls."""
    wfe = little((("ldxr", FLAG), ("wfe",)))
    assert (MAP | words(FLAG) | {EVENT}, set()) == whole(wfe, program(wfe, 1))
    polls = little((("wait", FLAG, is_one),))
    assert (MAP | words(FLAG), set()) == whole(polls, polls.initial())


def test_a_poll_reads_the_word_wherever_it_may_be() -> None:
    """By the old translation, or by the new one; where there is none, nowhere."""
    system = little((CHANGE, ("wait", X + 1, is_one)), x=leaf(OLD))
    both = words(OLD * WORDS + 1, NEW * WORDS + 1)
    assert (MAP | both, set()) == whole(system, stored(system))
    nowhere = little((("wait", X, is_one),), handler=None)
    assert (MAP, set()) == whole(nowhere, nowhere.initial())


def test_what_is_one_cpus_own_is_known() -> None:
    assert is_own(own_cell(3))
    assert is_own(OWED)
    assert not any(map(is_own, {EVENT, EVERY_PENDING_TLBIS, IN_FLIGHT, TLB, *EVERY, *words(0)}))
