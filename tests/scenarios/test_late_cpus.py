"""The catalogue of known mistakes, second part: late CPUs, and splits at run time."""

from __future__ import annotations

import re
from typing import Any

import pytest

from simbbm import discovery
from simbbm.arm64.machine import Arm64
from simbbm.arm64.ops import Cpu
from simbbm.arm64.state import Machine
from simbbm.cli.commands.guide import pages
from simbbm.core.program import routine
from simbbm.explore.search.prove import Prover
from simbbm.linux.hotplug import cpus_read_lock
from simbbm.linux.set_memory import RunningKernel
from simbbm.model import Model
from simbbm.scenario import Scenario
from tests.scenarios.everything import expected_failures, failures, names, on_cpus, walk

ALL = tuple(discovery.select(["late_cpu", "live_split"]))
BAD = tuple(s for s in ALL if not s.expect.holds)
COUNTED = discovery.find("late_cpu::counted")


def states(scenario: Scenario, **params: Any) -> list[Machine]:
    """Every state."""
    found: list[Machine] = []
    walk(Model(scenario, params).system, found.append)
    return found


def test_every_number_is_there_and_says_where_it_comes_from() -> None:
    mutants = [s for s in ALL if re.match(r"m\d\d_", s.name)]

    assert {int(s.name[1:3]) for s in mutants} == {33, 34, 35, 36}
    assert all(s.story.endswith(").") for s in mutants)


@pytest.mark.parametrize(("scenario", "cpus"), on_cpus(ALL))
def test_verdict_of_a_search_of_all_states_is_the_declared_one(
    scenario: Scenario, cpus: int
) -> None:
    found = Prover(Model(scenario, {"cpus": cpus})).prove()
    got = {f"{found.verdict}:{found.property}"} if found.property else set()

    assert got <= expected_failures(scenario)
    assert bool(got) != scenario.expect.holds


@pytest.mark.parametrize("scenario", BAD, ids=names(BAD))
def test_where_all_cpus_promise_noabort_no_size_change_matters(scenario: Scenario) -> None:
    """What remains of mutant 35 is the stale table itself."""
    by_cpu = any(p.name == "late_noabort" for p in scenario.parameters)
    able: dict[str, Any] = {"late_noabort": "yes"} if by_cpu else {"noabort": "all"}
    left = failures(scenario, **able)

    assert left == ({"VIOLATED:all_ptes_at_end"} if scenario.name.startswith("m35") else set())


@pytest.mark.parametrize("layout", ["pmd", "contpmd", "pud"])
@pytest.mark.parametrize("name", ["late_cpu::good", "live_split::booting_trylock"])
def test_a_leaf_of_any_size_is_split_at_run_time(name: str, layout: str) -> None:
    scenario = discovery.find(name)
    k = scenario.setup({"cpus": 2, "layout": layout}).cpus[0].args[0]
    assert isinstance(k, RunningKernel)
    spare = k.free_tables + k.spare * k.entries

    tables = {state.memory.tables for state in states(scenario, cpus=2, layout=layout)}
    used = [t for t in tables if any(d.valid for d in t.by_address[spare].entries)]

    assert used
    assert len(used) < len(tables)


def test_a_late_cpu_is_counted_or_comes_when_all_is_done() -> None:
    setup = COUNTED.setup({"cpus": 2})
    k = setup.cpus[0].args[0]
    word = k.msdata_num_threads + k.flag_idmap - k.flag
    system: Arm64 = Model(COUNTED, {"cpus": 2}).system
    ends: list[Machine] = []

    def visit(machine: Machine) -> None:
        if all(cpu.finished for cpu in machine.cpus):
            ends.append(machine)

    walk(system, visit)

    assert {system.shared.memories.read(m.memory, word) for m in ends} == {1, 2}


def test_a_cpu_that_is_refused_is_refused_in_every_run_that_goes_well() -> None:
    refused = discovery.find("late_cpu::refused_in_idmap")
    k = refused.setup({}).cpus[0].args[0]
    word = k.online + k.flag_idmap - k.flag
    system: Arm64 = Model(refused, {}).system
    online: set[object] = set()
    walk(system, lambda m: online.add(system.shared.memories.read(m.memory, word)))

    assert online == {1}


def test_the_guide_says_what_its_commands_answer() -> None:
    """Every `simbbm explore` of the page, with the verdict that stands behind it."""
    page = pages()["late_cpu"]
    told = re.findall(r"\$ simbbm explore (\S+)\n\S+: (PROVED|VIOLATED:\w+)", page)

    assert len(told) == 8
    for name, verdict in told:
        scenario = discovery.find(name)
        proof = Prover(Model(scenario)).prove()
        assert verdict == ":".join(filter(None, (proof.verdict, proof.property)))


def test_a_lock_around_splits_takes_a_cpu_that_can_be_switched_off() -> None:
    """Without the lock, or with a CPU that stays on, the size change is seen."""
    locked = discovery.find("late_cpu::refused_splits_locked")
    unlocked = locked.twin("", expect="HOLDS", replace={cpus_read_lock: no_lock})

    assert not failures(locked, cpus=2)
    assert failures(unlocked, cpus=2)


@routine
async def no_lock(cpu: Cpu, k: Any) -> None:
    """Nobody is kept out."""
