"""Kinds of hardware: concrete TLBs stay within the closure, eager hardware delays nothing.

And what moves touch: two that do not touch one another's cells commute.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest

from simbbm.arm64.descriptor import leaf, table
from simbbm.arm64.features import CONCRETE, DELAYED, EAGER, FREEDOMS, Features, Hardware
from simbbm.arm64.machine import Arm64
from simbbm.arm64.registers import Ttbr
from simbbm.arm64.state import Machine
from tests.arm64 import naive
from tests.support import (
    FLAG,
    FLAG2,
    INV,
    NEW,
    OLD,
    OTHER,
    PTABLE,
    PX,
    SPARE,
    THIRD,
    X,
    Y,
    explore,
    little,
    successors,
)

DSB, ISB = ("dsb", "ish"), ("isb",)
SHOOT = (DSB, ("tlbi", "vae1is", 0, 1), DSB)
BREAK = ("str", PX, INV)
READ = ("ldr", X)
Threads = tuple[tuple[tuple[Any, ...], ...], ...]
Program = tuple[Threads, dict[str, Any]]

PROGRAMS: dict[str, Program] = {
    "change": (((("str", PX, leaf(NEW)),), (READ, READ)), {"x": leaf(OLD)}),
    "break and make": (
        ((BREAK, *SHOOT, ("str", PX, leaf(NEW))), (READ, ("ldr", FLAG))),
        {"x": leaf(OLD)},
    ),
    "unmap": (((BREAK, *SHOOT, ("str", FLAG, 1)), (("ldar", FLAG), READ)), {"x": leaf(OLD)}),
    "unmap, local": (
        ((BREAK, DSB, ("tlbi", "vmalle1"), DSB, ("str", FLAG, 1)), (("ldar", FLAG), READ)),
        {"x": leaf(OLD)},
    ),
    "map": (((("str", PX, leaf(NEW)), DSB, ("str", FLAG, 1)), (("ldar", FLAG), ISB, READ)), {}),
    "stale store": (
        ((BREAK, *SHOOT, ("ldr", Y)), (("str", X, 7),)),
        {"x": leaf(OLD), "y": leaf(OLD)},
    ),
    "table": (
        ((("str", PTABLE, table(SPARE)), DSB, ("tlbi", "vale1is", 0, 1), DSB), (READ,)),
        {"x": leaf(OLD), "spare": (leaf(THIRD), INV, INV, INV)},
    ),
    "context": (
        ((("msr", "ttbr0_el1", Ttbr(OTHER, 2)), READ, ISB, READ),),
        {
            "x": leaf(OLD, not_global=True),
            "spare": (leaf(NEW), INV, INV, INV),
            "other": (table(SPARE), leaf(4), INV, INV),
        },
    ),
    "group": (
        ((("str", PX, leaf(OLD)),), (READ, ("ldr", Y))),
        {"x": leaf(OLD, contiguous=True), "y": leaf(OLD + 1, contiguous=True)},
    ),
    "exclusive": (
        ((("ldxr", FLAG), ("stxr", FLAG, 2)), (("str", FLAG, 1), ("sev",)), (("sevl",), ("wfe",))),
        {},
    ),
    "event": (
        ((("ldxr", FLAG), ("sevl",), ("wfe",), ("ldr", FLAG)), (("str", FLAG, 1), ("sev",))),
        {},
    ),
    "buffers": (
        (
            (("str", FLAG, 1), ("dmb", "ishst"), ("str", FLAG2, 1), ("stlr", FLAG, 2)),
            (("ldr", FLAG2), ("ldar", FLAG)),
        ),
        {},
    ),
}
every_program = pytest.mark.parametrize("name", PROGRAMS)


def system(name: str, hardware: Hardware, **more: Any) -> Arm64:
    threads, maps = PROGRAMS[name]
    return little(*threads, **maps, hardware=hardware, speculative=(0,), **more)


@every_program
def test_outcomes_of_concrete_hardware_are_outcomes_of_the_closure(name: str) -> None:
    concrete, closure = (explore(system(name, kind)) for kind in (CONCRETE, DELAYED))

    assert concrete.outcomes
    assert concrete.outcomes <= closure.outcomes
    assert bool(concrete.stuck) <= bool(closure.stuck)


@every_program
def test_outcomes_of_eager_hardware_are_outcomes_of_the_closure(name: str) -> None:
    eager, closure = (explore(system(name, kind)) for kind in (EAGER, DELAYED))

    assert eager.outcomes
    assert eager.outcomes <= closure.outcomes


SPECULATION = (".walk[", ".evict[", ".ctx")


@every_program
def test_concrete_entries_and_results_are_within_the_closure(name: str) -> None:
    """Side by side: for each concrete state there is one of the closure that holds as much.

    Fills, evictions and late registers are nothing that the closure does. What it may do while
    concrete hardware has its own reasons to wait is open: all its states that look alike are kept.
    """
    concrete, closure = system(name, CONCRETE), system(name, DELAYED)
    start = concrete.initial(), frozenset({closure.initial()})
    seen, waiting = {start}, [start]
    while waiting:
        held, partners = waiting.pop()
        for move, after in successors(concrete, held):
            alike = set(partners)
            if not move.agent.startswith(tuple(f"cpu{move.cpu}{s}" for s in SPECULATION)):
                alike |= {
                    state
                    for partner in partners
                    for other, state in successors(closure, partner)
                    if other.agent == move.agent
                }
            wanted = visible(after)
            following = frozenset(
                s for s in alike if visible(s) == wanted and within(concrete, after, closure, s)
            )
            assert following, f"the closure has nothing like {move.label}"
            if (after, following) not in seen:
                seen.add((after, following))
                waiting.append((after, following))
        assert len(seen) < 60_000


def within(concrete: Arm64, held: Machine, closure: Arm64, may_hold: Machine) -> bool:
    """Whether the closure holds every entry and gives every result that concrete hardware does."""
    geometry = concrete.spec.geometry
    for one, other in zip(held.cpus, may_hold.cpus, strict=True):
        mine = concrete.shared.view(one, held.memory)
        theirs = closure.shared.view(other, may_hold.memory)
        small = naive.expanded(geometry, mine.tables, mine.leaves)
        large = naive.expanded(geometry, theirs.tables, theirs.leaves)
        if not (small.tables <= large.tables and small.units <= large.units):
            return False
        for page in (0, 1):
            results = {result[:2] for result in theirs.lookup(page)}
            if not {result[:2] for result in mine.lookup(page)} <= results:
                return False
    return True


def visible(machine: Machine) -> tuple[Any, ...]:
    """What tells states apart that is no translation."""
    memory = machine.memory.tables.digest, tuple(machine.memory.data.items())
    return *memory, *(
        (c.point.digest, tuple(s[:2] for s in c.buffer.stores), c.monitor, c.event)
        for c in machine.cpus
    )


def test_concrete_hardware_meets_what_only_speculation_and_delay_show() -> None:
    assert ((), (1, OLD)) in explore(system("unmap, local", CONCRETE)).outcomes
    assert ((), (1, OLD)) not in explore(system("unmap", CONCRETE)).outcomes
    assert ((), (OLD, NEW)) in explore(system("change", CONCRETE)).outcomes


def test_eager_hardware_has_no_moves_but_programs() -> None:
    for name in PROGRAMS:
        eager = system(name, EAGER)
        for state in explore(eager).states:
            assert all(move.agent == f"cpu{move.cpu}" for move in eager.moves(state))
            assert not any(cpu.buffer.stores or cpu.pending_tlbis for cpu in state.cpus)
            assert all(cpu.mmu.regime.settled for cpu in state.cpus)


def test_eager_hardware_hides_missing_barriers() -> None:
    lazy = (("str", FLAG2, 1), ("str", FLAG, 1)), (("ldr", FLAG), ("ldr", FLAG2))

    assert ((), (1, 0)) not in explore(little(*lazy, hardware=EAGER)).outcomes
    assert ((), (1, 0)) in explore(little(*lazy)).outcomes
    # A stale entry is there once it was used, and only then.
    unmap = ((BREAK, READ),)
    assert {((None,),)} == explore(little(*unmap, x=leaf(OLD), hardware=EAGER)).outcomes
    assert {((OLD,),), ((None,),)} == explore(little(*unmap, x=leaf(OLD))).outcomes


ALL_FREEDOMS = DELAYED._replace(window=3)
WITHOUT = {f"without {name}": ALL_FREEDOMS.without(name) for name in ALL_FREEDOMS.freedoms}
KINDS = {"delayed": DELAYED, "concrete": CONCRETE, "eager": EAGER, "window": ALL_FREEDOMS}


def test_hardware_without_any_freedom_is_eager() -> None:
    hardware = ALL_FREEDOMS
    for name in FREEDOMS:
        assert name in hardware.freedoms
        hardware = hardware.without(name)
        assert name not in hardware.freedoms

    assert () == EAGER.freedoms
    assert hardware == EAGER


@every_program
@pytest.mark.parametrize("kind", WITHOUT)
def test_less_freedom_shows_nothing_new(name: str, kind: str) -> None:
    free, less = (explore(system(name, hardware)) for hardware in (ALL_FREEDOMS, WITHOUT[kind]))

    assert less.outcomes
    assert less.outcomes <= free.outcomes
    assert bool(less.stuck) <= bool(free.stuck)


def test_without_a_walk_cache_leaves_stay_and_walks_begin_at_the_root() -> None:
    """The table of `x` is replaced, then changed: who cached it sees the change, a leaf stays.

    None: a conflict abort, since the entries disagree.
    """
    relink = (("str", PTABLE, table(SPARE)), DSB, ISB, ("str", PX, leaf(NEW)), DSB, READ)
    maps: dict[str, Any] = {"x": leaf(OLD), "spare": (leaf(THIRD), INV, INV, INV)}
    free, without = (
        {loads[0] for (loads,) in explore(little(relink, **maps, hardware=h)).outcomes}
        for h in (DELAYED, DELAYED.without("walk cache"))
    )

    assert {OLD, THIRD, NEW, None} == free
    assert {OLD, THIRD, None} == without


def test_without_speculation_nothing_is_held_that_was_not_used() -> None:
    hardware = CONCRETE.without("speculative walk")
    one = system("change", hardware)
    moves = [move for state in explore(one).states for move in one.moves(state)]

    assert not any(move.optional for move in moves)
    assert {((None,),)} == explore(
        little((BREAK, DSB, READ), x=leaf(OLD), hardware=hardware)
    ).outcomes


@pytest.mark.parametrize("hardware", (KINDS | WITHOUT).values(), ids=(KINDS | WITHOUT).keys())
@every_program
def test_moves_that_do_not_touch_one_anothers_cells_commute(name: str, hardware: Hardware) -> None:
    one = system(name, hardware, features=Features(ets2=name == "map"))
    for state in explore(one).states:
        for first, second in combinations(one.moves(state), 2):
            if first.footprint.conflicts(second.footprint):
                continue
            ends = set()
            for a, b in ((first, second), (second, first)):
                between = one.apply(state, a)
                (again,) = [m for m in one.moves(between) if m.label == b.label]
                ends.add(one.apply(between, again))
            assert len(ends) == 1, (first.label, second.label)


@pytest.mark.parametrize(
    "step", [("msr", "ttbr0_el1", Ttbr(OTHER, 2)), ISB, DSB, ("tlbi", "vmalle1"), ("svc",), READ]
)
def test_what_depends_on_tables_conflicts_with_a_store_to_one(step: tuple[Any, ...]) -> None:
    """What a CPU keeps at an MSR, ISB, TLBI or exception is what walks reach at that moment."""
    one = little((step,), (("str", PX, leaf(NEW)),), x=leaf(OLD))
    (store,) = [m for m in one.moves(one.initial()) if m.cpu == 1]
    state = one.apply(one.initial(), store)
    ours = [m for m in one.moves(state) if m.cpu == 0]
    (drain,) = [m for m in one.moves(state) if ".drain" in m.agent]

    assert ours
    assert all(move.footprint.conflicts(drain.footprint) for move in ours)


def test_store_to_data_conflicts_with_nothing_but_its_word() -> None:
    one = little((READ,), (("str", FLAG, 1),), x=leaf(OLD))
    (store,) = [m for m in one.moves(one.initial()) if m.cpu == 1]
    state = one.apply(one.initial(), store)
    load, drain = one.moves(state)

    assert not load.footprint.conflicts(drain.footprint)
