"""Concrete TLBs: what real walkers may do is part of what the may-cached sets allow.

A concrete run is followed step by step on a machine with may-cached sets. Both make the same moves
of programs, store buffers and invalidations; fills (also those of a poll that goes on waiting),
evictions and late registers, which only the concrete machine makes, leave the other where it is.
Its states that fit are kept as a set, and what the concrete machine holds has to be held by one of
them.
"""

from __future__ import annotations

from typing import Any

import pytest

from simbbm.arm64.cpu import CpuState
from simbbm.arm64.machine import Arm64
from simbbm.arm64.state import Machine
from simbbm.arm64.translation.tlb import LeafEntry
from simbbm.core.choice import run_seed
from simbbm.core.graph import Ended
from simbbm.explore.runs.play import play
from simbbm.explore.runs.run import Runner
from simbbm.explore.strategies.random_walk import RandomWalk
from simbbm.model import Model
from tests.scenarios.everything import GOOD, TWINS, twin


def shape(machine: Machine) -> Any:
    """What both machines have alike: all but translations."""
    memory = machine.memory.tables.digest, tuple(machine.memory.data.items())
    return memory, tuple(map(_cpu, machine.cpus))


def _cpu(cpu: CpuState) -> Any:
    buffer = cpu.buffer._replace(stores=tuple(s._replace(entry=None) for s in cpu.buffer.stores))
    newest = cpu.mmu.regime.synchronised()
    pending_tlbis = tuple((p.issuer, p.tlbi, p.acted) for p in cpu.pending_tlbis)
    own = cpu.pc, cpu.el, cpu.monitor, cpu.event, cpu.masked
    return cpu.point.digest, own, len(cpu.saved), buffer, newest, pending_tlbis


def entries(cpu: CpuState) -> tuple[set[Any], tuple[LeafEntry, ...]]:
    """What a concrete TLB holds."""
    return set(cpu.mmu.tables), cpu.mmu.leaves


def allows(closure: Arm64, allowed: Machine, concrete: Machine) -> bool:
    """Whether every entry that the concrete machine holds may be cached in the other one."""
    for may, does in zip(allowed.cpus, concrete.cpus, strict=True):
        view = closure.shared.view(may, allowed.memory)
        tables, leaves = entries(does)
        if not tables <= set(view.tables):
            return False
        geometry = closure.shared.geometry
        if not all(any(held.includes(e, geometry) for held in view.leaves) for e in leaves):
            return False
    return True


def follow(closure: Arm64, allowed: set[Machine], agent: str, after: Any) -> set[Machine]:
    """Every state after a move by this agent that has this shape."""
    return {
        state
        for before in allowed
        for move in closure.moves(before)
        if move.agent == agent and shape(state := closure.apply(before, move)) == after
    }


def check_run(scenario_name: str, layout: str, number: int) -> tuple[int, int]:
    """Follow one concrete run; return its fills and the most entries held at once."""
    scenario = GOOD if scenario_name == "good" else twin(scenario_name)
    params = {"cpus": 2, "layout": layout}
    model = Model(scenario, params | {"tlb": "concrete"})
    run = play(model, RandomWalk().chooser(run_seed(11, number), number))
    closure: Arm64 = Model(scenario, params).system
    allowed = {closure.initial()}
    fills = most = 0
    here = shape(model.graph.initial.state)
    states = [node.state for node, _ in run.taken[1:]] + [run.end.state]
    for steps, ((node, k), concrete) in enumerate(zip(run.taken, states, strict=True)):
        move = node.moves[k]
        before, here = here, shape(concrete)
        fills += ".walk[" in move.agent
        if before != here:
            allowed = follow(closure, allowed, move.agent, here)
        fitting = [state for state in allowed if allows(closure, state, concrete)]
        assert fitting, f"step {steps}, {move.label}: {len(allowed)} states, none has what is held"
        if concrete.failure or any(closure.problem(s) for s in allowed):
            break
        most = max(most, *(len(cpu.mmu.leaves) for cpu in concrete.cpus))
    return fills, most


CASES = [("good", layout) for layout in ("pmd", "contpmd", "pud", "contpte", "mixed")]
CASES += [
    (name, "pud") for name in ("m09_no_tlbi", "m10_no_dsb_after_tlbi", "m12_ttbr1_not_switched")
]


@pytest.mark.parametrize(("name", "layout"), CASES)
def test_concrete_entries_are_among_those_that_may_be_cached(name: str, layout: str) -> None:
    results = [check_run(name, layout, number) for number in range(3)]

    assert sum(fills for fills, _ in results) > 15
    assert max(most for _, most in results) > 2


@pytest.mark.parametrize(
    "layout",
    ["pmd", "contpmd", "pud", "contpte", "pages", pytest.param("mixed", marks=pytest.mark.quality)],
)
def test_good_holds_with_concrete_tlbs(layout: str) -> None:
    runner = Runner(
        Model(GOOD, {"cpus": 3, "layout": layout, "tlb": "concrete"}), "default", seed=2
    )
    for number in range(25):
        assert runner.play(runner.chooser(number)).end.ended is Ended.HOLDS


@pytest.mark.quality
def test_concrete_tlbs_show_hazards_that_the_may_cached_sets_show_and_no_others() -> None:
    """And nearly all of them: walkers and evictions are agents, under the schedule."""
    caught = set()
    for scenario in TWINS:
        runner = Runner(
            Model(scenario, {"cpus": 2, "layout": "pud", "tlb": "concrete"}), "default", 3
        )
        for number in range(150):
            problem = runner.play(runner.chooser(number)).end.problem
            if problem:
                caught.add(scenario.name)
                assert problem.property in {name for _, name in scenario.expect.failures}
                break

    assert {f"m{n:02}" for n in (1, 2, 7, 8, 9, 10, 11, 12, 20, 22, 23)} <= {n[:3] for n in caught}
