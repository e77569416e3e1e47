"""Mutant 37: memory that is added when the map has been repainted."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

from simbbm import discovery
from simbbm.arm64.descriptor import TABLE
from simbbm.arm64.geometry import KERNEL_PAGE
from simbbm.arm64.machine import Arm64
from simbbm.arm64.state import Machine
from simbbm.check.verdict import Verdict
from simbbm.core.program import routine
from simbbm.explore.search.prove import Prover
from simbbm.linux.memory.memory_hotplug import HotplugKernel
from simbbm.model import Model
from simbbm.scenario import Scenario
from tests.scenarios.everything import (
    expected_failures,
    failures,
    how_it_ends,
    names,
    on_cpus,
    walk,
)

ALL = tuple(discovery.select(["memory_hotplug"]))
GOOD, FATAL, ASKS, SPLITS = ALL
FAULT, LARGE = "VIOLATED:no_fault_on_live_map", "VIOLATED:all_ptes_at_end"

module = import_module("simbbm_scenarios.memory_hotplug")


def ends(scenario: Scenario, **params: Any) -> list[Machine]:
    """The states in which runs end well."""
    system: Arm64 = Model(scenario, params).system
    found: list[Machine] = []

    def visit(machine: Machine) -> None:
        if how_it_ends(system, machine) == "HOLDS":
            found.append(machine)

    walk(system, visit)
    return found


def in_handler(scenario: Scenario, **params: Any) -> set[int]:
    """CPUs that some schedule brings into the exception handler."""
    found: set[int] = set()
    walk(
        Model(scenario, params).system,
        lambda machine: found.update(n for n, cpu in enumerate(machine.cpus) if cpu.saved),
    )
    return found


def new_memory(scenario: Scenario) -> HotplugKernel:
    """What the programs know of it."""
    k = scenario.setup({"cpus": 2}).cpus[0].args[0]
    assert isinstance(k, HotplugKernel)
    return k


def test_the_number_is_there_and_says_where_it_comes_from() -> None:
    assert [s.name[:4] for s in ALL] == ["good", "faul", "m37_", "m37_"]
    for scenario in (FATAL, ASKS, SPLITS):
        assert scenario.story.endswith(").")
        assert 2 == scenario.parameters_from({})["cpus"]


@pytest.mark.parametrize(("scenario", "cpus"), on_cpus(ALL))
def test_it_fails_on_some_schedule_as_declared_and_in_no_other_way(
    scenario: Scenario, cpus: int
) -> None:
    assert expected_failures(scenario) == failures(scenario, cpus=cpus)


@pytest.mark.parametrize("adds", ["boot", "other"])
@pytest.mark.parametrize("later", ["nothing", "set_memory"])
@pytest.mark.parametrize("ets2", ["no", "yes"])
def test_good_holds_whoever_adds_the_memory_and_whatever_comes_later(
    adds: str, later: str, ets2: str
) -> None:
    assert not failures(GOOD, cpus=3, adds=adds, later=later, ets2=ets2)


def test_good_is_proved_on_more_cpus() -> None:
    assert Verdict.PROVED == Prover(Model(GOOD, {"cpus": 4})).prove().verdict


SAYS = {
    "fault_is_fatal": "cpu1 takes a level 3 translation fault on a read of lm.hole+0 in use_memory",
    "m37_asks_this_cpu": "at the end there is still level 2 block lm.hole+0",
    "m37_then_split": "level 2 block lm.hole+0 -> page 0x2 and 2 pages of a contiguous group",
}


@pytest.mark.parametrize("scenario", ALL[1:], ids=names(ALL[1:]))
def test_the_nearest_counterexample_is_about_the_mistake(scenario: Scenario) -> None:
    proof = Prover(Model(scenario)).prove()

    assert proof.certified
    assert SAYS[scenario.name] in proof.message


# 37: what takes away the cause takes away the failure.


def test_a_cpu_without_noabort_asks_for_itself_and_is_right() -> None:
    assert not failures(ASKS, adds="other")
    assert not failures(SPLITS, adds="other")
    assert {LARGE} == failures(ASKS, adds="other", noabort="0,1")


def test_a_block_that_was_added_is_split_only_by_the_same_wrong_test() -> None:
    """The right one leaves it as it is, and the change of permissions fails."""
    assert {LARGE} == failures(ASKS, later="set_memory")
    assert not failures(SPLITS, noabort="all")
    assert not failures(SPLITS, hardware="eager")


def test_memory_that_was_added_right_is_not_split_by_the_wrong_test() -> None:
    rightly_added = GOOD.twin(
        "", expect="HOLDS", replace={module.may_split_live: module.may_split_here}
    )

    assert not failures(rightly_added, cpus=2, later="set_memory")


def test_all_of_the_new_memory_is_mapped_by_one_table_of_pages() -> None:
    k = new_memory(GOOD)
    table = k.free_tables + k.spare * k.entries
    machines = ends(GOOD, cpus=2)

    assert machines
    for machine in machines:
        tables = machine.memory.tables.by_address
        outputs = [d.output for d in tables[table].entries]
        assert [k.new_first - KERNEL_PAGE + i for i in range(k.new_pages)] == outputs
        assert any((TABLE, table) == d[:2] for t in tables.values() for d in t.entries)


def test_that_the_memory_is_there_is_asked_of_the_end() -> None:
    """Who adds nothing has a map like that at the start, which is not what is expected."""
    tasks = (module.add_memory, module.use_memory)
    idle = GOOD.twin("", expect="HOLDS", replace=dict.fromkeys(tasks, do_nothing))

    assert {"VIOLATED:translations_preserved"} == failures(idle, cpus=2)


@routine
async def do_nothing(cpu: Any, k: Any) -> None:
    """No memory is added, and nobody waits for it."""


# A read through an entry that has just become valid.


def test_readers_fault_and_try_again() -> None:
    assert {1} == in_handler(GOOD, cpus=2)
    assert {0} == in_handler(GOOD, cpus=2, adds="other")


def test_with_ets2_nobody_faults() -> None:
    assert not in_handler(GOOD, cpus=2, ets2="yes")
    assert not failures(FATAL, ets2="yes")


def test_with_an_isb_behind_the_acquire_nobody_faults() -> None:
    synchronised = FATAL.twin("", expect="HOLDS", replace={module.use_memory: use_behind_isb})

    assert not failures(synchronised)


@pytest.mark.parametrize("step", ["dsb.ishst", "isb"])
def test_who_adds_the_memory_needs_both_barriers_for_its_own_access(step: str) -> None:
    """All others synchronise, so whoever faults is the CPU that did not."""
    without = FATAL.twin("", expect=FAULT, replace={module.use_memory: use_behind_isb})
    without = without.twin("", expect=FAULT, drop=[f"pte_clear_fixmap.{step}"])

    assert {FAULT} == failures(without)
    assert (
        "cpu0 takes a level 3 translation fault on a write"
        in Prover(Model(without)).prove().message
    )


@routine
async def use_behind_isb(cpu: Any, k: Any) -> None:
    """A synchronisation that is younger than the flag."""
    await cpu.wait(k.onlined, module.is_set, acquire=True)
    await cpu.isb()
    await cpu.ldr(k.new_word)


def test_a_fault_that_stays_ends_nowhere() -> None:
    not_linked = GOOD.twin(
        "", expect="STUCK:terminates", drop=["alloc_init_cont_pte/__pmd_populate/set_pmd.str"]
    )
    found = Prover(Model(not_linked, {"cpus": 2})).prove()

    assert (Verdict.STUCK, "terminates") == (found.verdict, found.property)


def test_other_faults_are_not_tried_again() -> None:
    executes = GOOD.twin(
        "", expect="VIOLATED:no_panic", replace={module.use_memory: execute_memory}
    )

    assert {"VIOLATED:no_panic"} == failures(executes, cpus=2)


@routine
async def execute_memory(cpu: Any, k: Any) -> None:
    """Data is no text."""
    await cpu.wait(k.onlined, module.is_set, acquire=True)
    await cpu.br(k.new_first)
    await cpu.nop()
