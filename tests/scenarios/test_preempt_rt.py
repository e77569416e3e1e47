"""Mutant 39: who holds the allocator's lock inside stop_machine()."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

import pytest

from simbbm import discovery
from simbbm.arm64.machine import Arm64
from simbbm.arm64.state import Machine
from simbbm.check.verdict import Verdict
from simbbm.core.errors import EditError
from simbbm.explore.search.prove import Prover
from simbbm.linux.mmu import pgd_pgtable_alloc_init_mm_gfp
from simbbm.model import Model
from simbbm.scenario import Scenario
from tests.scenarios.everything import expected_failures, failures, how_it_ends, names, one_in, walk

ALL = tuple(discovery.select(["preempt_rt"]))
GOOD, DEADLOCK, TRYLOCK, PREALLOCATED = ALL
BAD = tuple(s for s in ALL if not s.expect.holds)
LAYOUTS = {"pmd": 1, "contpmd": 2, "pud": 3}
"""How many tables it takes to split them."""

module = import_module("simbbm_scenarios.preempt_rt")


def word(scenario: Scenario, name: str, **params: Any) -> int:
    """Physical address of a word that the allocator's record or the kernel has."""
    k = scenario.setup(params).cpus[0].args[0]
    return int(getattr(k, name) + k.flag_idmap - k.flag)


def seen(scenario: Scenario, **params: Any) -> set[tuple[str, str, object]]:
    """Where the boot CPU and CPU 1 are, together with what the lock's word says."""
    lock = word(scenario, "zone_lock", **params)
    system: Arm64 = Model(scenario, params).system
    found: set[tuple[str, str, object]] = set()

    def visit(machine: Machine) -> None:
        boot, other, *_ = machine.cpus
        held = system.shared.memories.read(machine.memory, lock)
        found.add((boot.point.full_label, other.point.full_label, held))

    walk(system, visit, limit=200_000)
    return found


def at_end(scenario: Scenario, *of: str, **params: Any) -> set[tuple[object, ...]]:
    """What these words say in the states in which all runs end well."""
    words = [word(scenario, name, **params) for name in of]
    system: Arm64 = Model(scenario, params).system
    found: set[tuple[object, ...]] = set()

    def visit(machine: Machine) -> None:
        if how_it_ends(system, machine) == "HOLDS":
            found.add(tuple(system.shared.memories.read(machine.memory, w) for w in words))

    walk(system, visit, limit=200_000)
    return found


def test_the_number_is_there_and_says_where_it_comes_from() -> None:
    assert {39} == {int(s.name[1:3]) for s in ALL if s is not GOOD}
    for scenario in (DEADLOCK, TRYLOCK, PREALLOCATED):
        assert re.search(r"\([^()]*PREEMPT_RT threads[^()]*\)\.$", scenario.story)
        assert 2 == scenario.parameters_from({})["cpus"]
        assert "pmd" == scenario.parameters_from({})["layout"]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("scenario", ALL, ids=names(ALL))
def test_it_fails_on_some_schedule_as_declared_and_in_no_other_way(
    scenario: Scenario, layout: str
) -> None:
    assert expected_failures(scenario) == failures(scenario, cpus=2, layout=layout)


# Those whose tasks are preempted take a quarter of a minute each.
@pytest.mark.parametrize("scenario", one_in(4, ALL))
def test_verdict_on_three_cpus_is_the_declared_one(scenario: Scenario) -> None:
    found = Prover(Model(scenario, {"cpus": 3})).prove()
    got = {f"{found.verdict}:{found.property}"} if found.property else set()

    assert expected_failures(scenario) == got
    assert (Verdict.PROVED == found.verdict) == scenario.expect.holds


@pytest.mark.parametrize("scenario", BAD, ids=names(BAD))
@pytest.mark.parametrize("params", [{"hardware": "eager"}, {"noabort": "all"}], ids=str)
def test_it_is_about_locks_and_not_about_hardware(
    scenario: Scenario, params: dict[str, Any]
) -> None:
    assert expected_failures(scenario) == failures(scenario, **params)


def test_the_boot_cpu_waits_for_a_lock_whose_holder_is_parked() -> None:
    message = Prover(Model(DEADLOCK)).prove().message

    assert "cpu0 waits in rmqueue_buddy_in_fn/try_lock.wait: zone_lock is 1" in message
    assert "cpu1 waits in scondary_cpu_wait/wait_for_zero.wfe" in message


def test_a_lock_that_is_only_tried_is_not_got() -> None:
    assert "cpu0 panics: Failed to split linear map" in Prover(Model(TRYLOCK)).prove().message


# What takes away the cause takes away the failure.


def test_where_nobody_is_preempted_with_the_lock_held_trying_it_is_enough() -> None:
    tried = GOOD.twin(
        "", expect="HOLDS", replace={module.rmqueue_buddy_in_fn: module.alloc_pages_nolock}
    )

    assert not failures(tried, cpus=2)
    assert not failures(tried, cpus=3)


@pytest.mark.parametrize("scenario", BAD, ids=names(BAD))
def test_where_fn_allocates_nothing_it_does_not_matter_who_holds_the_lock(
    scenario: Scenario,
) -> None:
    alloc = pgd_pgtable_alloc_init_mm_gfp
    mine = scenario.twin("", expect="HOLDS", replace={alloc: alloc})
    if scenario.name == "m39_trylock_panics":
        with pytest.raises(EditError, match="nothing calls it"):  # nor matters how it is tried
            failures(mine)
    else:
        assert not failures(mine)


def test_holders_are_the_problem_and_not_who_waits() -> None:
    """A task that is stopped while it waits for the lock is in nobody's way."""
    patient = GOOD.twin("", expect="HOLDS", replace={module.lock_or_stop: preemptible_wait})

    assert not failures(patient, cpus=2)
    assert any(
        "preemptible_wait/preempt_schedule/cpu_stopper_thread" in at
        for _, at, _ in seen(patient, cpus=2)
    )


async def preemptible_wait(cpu: Any, k: Any) -> int:
    """The wait as under PREEMPT_RT; what follows it is as without."""
    if await module.preempt_schedule(cpu, k):
        return int(module.STOPPED)
    return int(module.LOCKED) if await module.spin_trylock(cpu, k.zone_lock) else 0


# The proofs have content.


def test_without_preempt_rt_the_lock_is_free_whenever_the_boot_cpu_wants_it() -> None:
    at_wait = "rmqueue_buddy_in_fn/try_lock.wait#1"
    free = {held for boot, _, held in seen(GOOD, cpus=3) if boot.endswith(at_wait)}
    not_free = {held for boot, _, held in seen(DEADLOCK) if boot.endswith(at_wait)}

    assert {0} == free
    assert {0, 1} == not_free


def test_tasks_do_compete_for_the_lock() -> None:
    spinning = {held for _, other, held in seen(GOOD, cpus=3) if "/spin_trylock.ldaxr" in other}

    assert {0, 1} == spinning


def test_with_tables_put_aside_the_map_is_split_while_a_parked_cpu_holds_the_lock() -> None:
    at_link = "/split_pmd/__pmd_populate/set_pmd.str#1"
    parked = "/scondary_cpu_wait/wait_for_zero"

    assert any(
        boot.endswith(at_link) and parked in other and held
        for boot, other, held in seen(PREALLOCATED)
    )


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("scenario", [GOOD, PREALLOCATED], ids=["good", "preallocated"])
def test_no_page_is_handed_out_twice(scenario: Scenario, layout: str) -> None:
    found = at_end(scenario, "allocated_pages", "zone_lock", cpus=2, layout=layout)

    assert {(LAYOUTS[layout] + 1, 0)} == found


def test_no_page_is_handed_out_twice_where_tasks_compete() -> None:
    assert {(LAYOUTS["pmd"] + 2, 0)} == at_end(GOOD, "allocated_pages", "zone_lock", cpus=3)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_all_tables_that_were_put_aside_are_used(layout: str) -> None:
    assert {(0,)} == at_end(PREALLOCATED, "scratch", cpus=2, layout=layout)


def test_where_too_few_tables_were_put_aside_the_kernel_panics() -> None:
    too_few = PREALLOCATED.twin(
        "", expect="VIOLATED:no_panic", replace={module.tables_for_leaf: one_table_for_leaf}
    )

    assert not failures(too_few, layout="contpmd")
    assert {"VIOLATED:no_panic"} == failures(too_few, layout="pud")


async def one_table_for_leaf(cpu: Any, k: Any, level: int) -> int:
    """Whatever the leaf."""
    return 1
