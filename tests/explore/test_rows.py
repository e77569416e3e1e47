"""Rows say what the machine says, along random walks; also if they were dropped and made again."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

import pytest

from simbbm import discovery
from simbbm.arm64 import rows as rows_module
from simbbm.arm64.context import Shared
from simbbm.arm64.descriptor import leaf, table
from simbbm.arm64.features import Features
from simbbm.arm64.machine import Arm64
from simbbm.arm64.registers import Ttbr
from simbbm.arm64.rows import Rows, State
from simbbm.arm64.state import Machine, owed_mask
from simbbm.core.choice import Tape
from simbbm.core.system import Problem
from simbbm.explore.search.breadth_first import Search, Searched
from simbbm.explore.search.reductions.reduced_system import ReducedSystem
from simbbm.litmus.scenario import scenario_of
from simbbm.model import Model
from tests.explore.test_reductions import COMMON
from tests.litmus.rows import made
from tests.support import (
    FLAG,
    INV,
    NEW,
    OLD,
    OTHER,
    PTES,
    PX,
    REGIME,
    ROOT,
    SPARE,
    X,
    little,
    machine,
    thread,
)

WALKS, STEPS = 6, 100


def shipped(name: str, **params: Any) -> Callable[[], Arm64]:
    """The machine of a scenario of the project."""
    return lambda: Model(discovery.find(name), params).system


def listing() -> Arm64:
    """Two threads that store and load, one of which changes the map."""
    changes = ["st pte(x) = INV", "dsb ish", "tlbi vae1is x", "dsb ish", "st y = 1"]
    test = made(
        changes,
        ["r0 = ld y", "r1 = ld x"],
        condition="1:r0=1",
        map={"x": "leaf(pa1)", "y": "leaf(pa2)"},
    )
    return Model(scenario_of(test), {}).system


def everything_that_others_notice() -> Arm64:
    """Stores, broadcast TLBIs, SEV, monitors and events, on CPUs that differ."""
    writes = (("str", PX, leaf(NEW)), ("tlbi", "vmalle1is"), ("dsb", "ish"), ("str", FLAG, 1))
    waits = (("ldxr", FLAG), ("wfe",), ("ldr", X), ("tlbi", "vmalle1is"), ("dsb", "ish"))
    wakes = (("sevl",), ("wfe",), ("ldaddal", FLAG, 2), ("sev",), ("panic", "late"))
    return little(writes, waits, waits, wakes, x=leaf(OLD), uniform=True, features=Features())


def in_common() -> Arm64:
    """Like CPUs that change what they hold together."""
    steps = (("str", PX, leaf(NEW)), ("tlbi", "vmalle1is"))
    return little(steps, steps, x=leaf(OLD), uniform=True, regime=COMMON, features=Features(tlb=1))


def new_at_the_end(shared: Shared, state: Machine) -> Problem | None:
    """A CPU that has finished while page 0 is the new one."""
    new = shared.memories.read(state.memory, PX) == leaf(NEW)
    done = [i for i, cpu in enumerate(state.cpus) if cpu.finished and not cpu.buffer.stores]
    return Problem("no_tlb_conflict", "new", done[0]) if new and done else None


def in_either_order(
    *threads: tuple[tuple[object, ...], ...], walkers: int = 0
) -> Callable[[], Arm64]:
    """Stores by CPUs that do not walk the table; what comes of them depends on which is last.

    `walkers` CPUs do, and wait for ever.
    """
    tables = {ROOT: (table(PTES), leaf(4), INV, INV), OTHER: (INV, leaf(4), INV, INV)}
    more = {PTES: (leaf(OLD), INV, INV, INV), SPARE: (leaf(OLD), INV, INV, INV)}
    elsewhere = REGIME._replace(ttbr0=(Ttbr(OTHER, asid=1),))
    return lambda: machine(
        *[(thread, ("wfe",))] * walkers,
        *((thread, *steps) for steps in threads),
        tables=tables | more,
        regime=(*[REGIME] * walkers, *[elsewhere] * len(threads)),
        always=(new_at_the_end,),
        uniform=True,
    )


STORES = in_either_order((("str", PX, leaf(NEW)),), (("str", PX, leaf(OLD)),))
LINKS = in_either_order((("str", ROOT + 2, table(SPARE)),), (("str", SPARE, leaf(NEW)),), walkers=1)

SYSTEMS: dict[str, Callable[[], Arm64]] = {
    "the protocol": shipped("linear_map_split::good", cpus=3, layout="mixed"),
    "one that fails": shipped("linear_map_split::m12_ttbr1_not_switched", cpus=2, layout="pmd"),
    "kpti": shipped("kpti::good"),
    "TLBs in common": shipped("smt::good"),
    "a little TLB in common": in_common,
    "two CPUs are looked at together": shipped("smt::cnp_for_reserved_table"),
    "concrete TLBs": shipped("linear_map_split::good", cpus=2, layout="pmd", tlb="concrete"),
    "a window": shipped("linear_map_split::good", cpus=2, layout="pmd", window=3),
    "the erratum": shipped("erratum_4118414::reused_page"),
    "interrupts": shipped("interrupts::good"),
    "a listing": listing,
    "a property of tables that no CPU walks": STORES,
    "a table that is linked first or filled first": LINKS,
    "a little machine": everything_that_others_notice,
}


def assert_as_the_machine(rows: Rows, machine: Machine) -> list[Machine]:
    """Hold all that is known of one state against the machine; return the successors."""
    system, state = rows.system, rows.state(machine)
    assert rows.machine(state) == machine

    masks = range(1 << len(machine.cpus))
    assert rows.owed(state) == owed_mask(machine)
    assert [rows.owed(state, by) for by in masks] == [owed_mask(machine, by) for by in masks]

    problem = system.problem(machine)
    uniform = system.judged.uniform
    moves, found = system.moves(machine), rows.rows(state)
    fine = rows.fine(state, found)
    assert fine == (problem is None) if uniform else not fine
    assert tuple(move for row in found for move in row.moves) == moves
    due = {move.cpu for move in moves if not move.optional}
    assert [row.due for row in found] == [cpu in due for cpu in range(len(found))]

    successors: list[Machine] = []
    if machine.failure:
        return successors  # No step leads on from there.
    for cpu, row in enumerate(found):
        assert rows.row(state, cpu, rows.owed(state)).moves == row.moves
        for move, step in zip(row.moves, row.steps, strict=True):
            successors.append(system.apply(machine, move))
            assert rows.after(state, step) == rows.state(successors[-1])
    return successors


def walked(system: Arm64, each: Callable[[Rows, Machine], list[Machine]], *, steps: int) -> int:
    """Random walks over the same rows; how many states were looked at."""
    rows, looked = Rows(system), 0
    for seed in range(WALKS):
        tape, state = Tape(b"%d" % seed), system.initial()
        for _ in range(steps):
            looked += 1
            following = each(rows, state)
            if not following or state.failure:
                break
            state = following[tape.below(len(following))]
    return looked


@pytest.mark.parametrize("name", SYSTEMS)
def test_rows_say_what_the_machine_says(name: str) -> None:
    assert walked(SYSTEMS[name](), assert_as_the_machine, steps=STEPS) > 15


@pytest.mark.parametrize("name", ["the protocol", "TLBs in common", "a little machine"])
def test_rows_that_were_dropped_are_made_again(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "MAX_ROWS", 7)

    def each(rows: Rows, machine: Machine) -> list[Machine]:
        following = assert_as_the_machine(rows, machine)
        assert sum(map(len, (*rows._free, *rows._owed))) <= 7
        return following

    assert walked(SYSTEMS[name](), each, steps=40) > 30


def test_walks_come_to_all_that_rows_tell_apart() -> None:
    """Some walk meets TLBIs that are owed, a failure, and what each kind of event does."""
    met = set[str]()

    def each(rows: Rows, machine: Machine) -> list[Machine]:
        met.update(["owed"] if owed_mask(machine) else [])
        met.update(["violation"] if rows.system.problem(machine) and not machine.failure else [])
        met.update(["failure"] if machine.failure else [])
        for move in rows.system.moves(machine):
            effect: Any = move.effect
            met.update(name for name in ("write", "tlbi", "sev") if getattr(effect, name))
        return assert_as_the_machine(rows, machine)

    walked(SYSTEMS["one that fails"](), each, steps=STEPS)
    walked(SYSTEMS["a little machine"](), each, steps=STEPS)
    assert met == {"owed", "violation", "failure", "write", "tlbi", "sev"}


def searched(name: str, *, ample: bool) -> tuple[Searched, list[State]]:
    search = Search(ReducedSystem(SYSTEMS[name](), ample=ample), wanted=frozenset())
    found = search.run()
    return found, list(search.states)


@pytest.mark.parametrize("ample", [True, False])
@pytest.mark.parametrize("name", ["one that fails", "a little TLB in common", "a listing"])
def test_a_search_that_drops_rows_finds_the_same(
    name: str, ample: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The very numbers: what a part was called is not dropped."""
    kept = searched(name, ample=ample)
    monkeypatch.setattr(rows_module, "MAX_ROWS", 10)
    dropped = searched(name, ample=ample)

    assert kept[0].complete
    assert len(kept[1]) > 30
    assert kept == dropped


def test_nodes_from_before_a_graph_began_anew_go_on_with_their_own_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Walks and searches for livelocks hold nodes while the graph drops its own."""
    monkeypatch.setattr(rows_module, "MAX_REMEMBERED", 10)
    params = {"cpus": 2, "layout": "pmd"}
    kept, alone = (Model(discovery.find("linear_map_split::good"), params) for _ in range(2))
    graph, system = kept.graph, alone.system
    met = [(graph.initial, system.initial())]
    for node, state in islice(met, 100):
        for k, move in enumerate(() if node.ended else system.moves(state)):
            after, then = graph.follow(node, k), system.apply(state, move)
            assert system.digest(after.state) == system.digest(then)
            met.append((after, then))

    assert len({id(node.keys) for node, _ in met}) > 3
