"""The proof has content: what must be possible happens, and the traps that were met stay shut."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

import simbbm.linux
from simbbm import discovery
from simbbm.arm64.machine import Arm64
from simbbm.arm64.state import Machine
from simbbm.core.graph import Ended
from simbbm.explore.runs.run import Runner
from simbbm.model import Model
from tests.scenarios.everything import GOOD, twin, walk, walk_rows

LINUX = Path(simbbm.linux.__file__).parent
PARKED = "/scondary_cpu_wait/wait_for_zero"
SIZE = "no_size_change_seen"

OTHERS = (
    "kpti::good",
    "idmap::good",
    "late_cpu::good",
    "late_cpu::counted",
    "late_cpu::refused",
    "live_split::good",
    "memory_hotplug::good",
    "realm::good",
    "stuck_cpu::parked_in_idmap",
    "tlb_range::good",
)
"""Scenarios for what the merged protocol alone never comes to."""


def is_parked(machine: Machine, cpu: int) -> bool:
    """Whether a CPU has been counted and waits for its release."""
    return machine.cpus[cpu].point.path.endswith(PARKED)


def all_parked(machine: Machine) -> bool:
    """Whether every secondary is."""
    return all(is_parked(machine, cpu) for cpu in range(1, len(machine.cpus)))


@pytest.mark.parametrize(
    ("layout", "cpus"), [("pmd", 2), ("contpmd", 2), ("pud", 2), ("mixed", 2), ("pmd", 3)]
)
def test_blocks_are_split_while_everybody_is_parked(cpus: int, layout: str) -> None:
    """Else the proof would be about a machine on which nothing ever happens."""
    system: Arm64 = Model(GOOD, {"cpus": cpus, "layout": layout}).system
    parked = Counter[str]()
    at_end = set[str]()

    def visit(machine: Machine) -> None:
        tables = machine.memory.tables.digest
        if all_parked(machine):
            parked[tables] += 1
        if all(cpu.finished for cpu in machine.cpus):
            at_end.add(tables)

    walk(system, visit)
    at_start = system.initial().memory.tables.digest
    half_done = parked.keys() - {at_start} - at_end

    assert len(at_end) == 1
    assert at_start not in at_end
    assert half_done
    assert sum(parked[tables] for tables in half_done) >= 2 * len(half_done)


def steps_in_source() -> set[tuple[str, str]]:
    """Every (routine, operation) of the modelled kernel: its functions' `await cpu.operation()`."""
    steps = set()
    for path in sorted([*LINUX.glob("*.py"), *(LINUX / "memory").glob("*.py")]):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.AsyncFunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, ast.Await) and isinstance(node.value, ast.Call):
                        called = ast.unparse(node.value.func)
                        if called.startswith("cpu."):
                            steps.add((function.name, called[4:].partition("_")[0]))
    return steps


def steps_met(system: Arm64) -> set[tuple[str, str]]:
    """Likewise those that the programs have come to."""
    met = set()
    for label in system.spec.automaton.labels:
        routine, _, step = label.rpartition("/")[2].partition(".")
        operation = step.partition("#")[0].partition(".")[0].partition("_")[0]
        met.add((routine.partition("#")[0], operation))
    return met


def test_every_step_of_the_program_is_reached() -> None:
    met = set[tuple[str, str]]()
    for params in ({"layout": "mixed"}, {"layout": "pmd", "flush": "pages"}, {"layout": "pud39"}):
        system: Arm64 = Model(GOOD, {"cpus": 2, **params}).system
        walk_rows(system)
        met |= steps_met(system)
    # Real tables are filled by one operation; a run shows it, walking all states is not needed.
    real = Runner(Model(GOOD, {"cpus": 2, "layout": "pmd", "geometry": "4k"}), "random", seed=0)
    assert real.play(real.chooser(0)).end.ended is Ended.HOLDS
    met |= steps_met(real.model.graph.system)  # type: ignore[arg-type]

    for other in OTHERS:
        scenario = discovery.find(other)
        sizes = {"cpus": 2} if any(p.name == "cpus" for p in scenario.parameters) else {}
        system = Model(scenario, sizes).system
        walk_rows(system)
        met |= steps_met(system)

    # Where there is no page for a table.
    too_few = {"cpus": 2, "layout": "pmd", "tables": 0}
    system = Model(discovery.find("catalogue_tables::good"), too_few).system
    walk_rows(system)
    met |= steps_met(system)

    assert len(steps_in_source()) > 40
    never = {("call_fn", "panic"), ("cpu_stopper_work", "panic")}  # What they find is as it should.
    assert never == steps_in_source() - met


HOW = (
    "every state",
    "random",
    "cpu-first",
    "pct:depth=2",
    "pct:depth=3",
    "pos",
    "surprise",
    "urw",
    "default",
)


@pytest.mark.parametrize("how", HOW)
def test_counting_before_the_switch_is_caught_however_one_searches(how: str) -> None:
    """Treating MSR, ISB and TLBI as local steps lost mutant 7 silently.

    Whoever adds a reduction adds it here.
    """
    scenario = twin("m07_count_before_switch")
    for params in ({"cpus": 2, "layout": "pmd"}, {"cpus": 3, "layout": "mixed"}):
        if how == "every state":
            found = set(walk(Model(scenario, params).system).ends) - {"HOLDS"}
        else:
            runner = Runner(Model(scenario, params), how, seed=7)
            runs = 400 if how == "cpu-first" else 150
            nodes = (runner.play(runner.chooser(number)).end for number in range(runs))
            found = {f"{n.ended}:{n.problem.property}" for n in nodes if n.problem}
        assert {f"VIOLATED:{SIZE}"} == found


def test_linking_an_empty_table_is_caught_by_the_predicate_and_by_no_access() -> None:
    """As "some access faulted" mutant 20 is missed: nobody has to touch the gap."""
    for name in ("m20_populate_before_fill", "m20_no_dsb_before_populate"):
        system: Arm64 = Model(twin(name), {"cpus": 2, "layout": "pmd"}).system
        caught: list[Machine] = []

        def visit(machine: Machine, system: Arm64 = system, caught: list[Machine] = caught) -> None:
            if system.problem(machine):
                caught.append(machine)

        walk(system, visit)
        assert caught
        for machine in caught:
            problem = system.problem(machine)
            assert machine.failure is None
            assert problem is not None
            assert problem.property == "no_fault_on_live_map"
            assert "may walk from" in problem.message
            assert not any(cpu.saved for cpu in machine.cpus)


@pytest.mark.parametrize(
    ("name", "cpus"), [("good", 3), ("m09_no_tlbi", 2), ("m10_no_dsb_after_tlbi", 2)]
)
def test_the_flush_does_not_wait_for_a_parked_cpu(name: str, cpus: int) -> None:
    """B4's DSB would wait for ever if completion waited for what a parked CPU holds.

    From every state in which the boot CPU is at that DSB and all others are parked, it gets past it
    although no secondary takes another step of its program. The twins are there for parked CPUs
    that hold something: cached entries of the live map, or early results that nobody will use.
    """
    scenario = GOOD if name == "good" else twin(name)
    system: Arm64 = Model(scenario, {"cpus": cpus, "layout": "pmd", "noabort": "all"}).system
    at_flush = [
        machine
        for machine in states(system)
        if machine.cpus[0].point.label == "flush_tlb_kernel_range/flush_tlb_all.dsb.ish"
        and all_parked(machine)
    ]
    parked = [cpu for machine in at_flush for cpu in machine.cpus[1:]]

    assert any(cpu.pending_tlbis for cpu in parked)
    assert any(cpu.mmu.leaves for cpu in parked) == (name != "good")
    assert any(cpu.mmu.early_leaves for cpu in parked) == (name == "m10_no_dsb_after_tlbi")
    for machine in at_flush:
        assert gets_past(system, machine)


def states(system: Arm64) -> list[Machine]:
    """Every state."""
    found: list[Machine] = []
    walk(system, found.append)
    return found


def gets_past(system: Arm64, machine: Machine) -> bool:
    """Whether the boot CPU leaves its step with nothing but hardware to help it."""
    here = machine.cpus[0].point
    waiting, met = [machine], {machine}
    while waiting:
        state = waiting.pop()
        if state.cpus[0].point is not here:
            return True
        for move in system.moves(state):
            if move.agent == "cpu0" or "." in move.agent:
                after = system.apply(state, move)
                if after not in met:
                    met.add(after)
                    waiting.append(after)
    return False
