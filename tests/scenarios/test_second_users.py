"""The catalogue of known mistakes, second part: who else uses the flag and the idmap."""

from __future__ import annotations

import re
from typing import Any

import pytest

from simbbm import discovery
from simbbm.arm64.machine import Arm64
from simbbm.arm64.state import Machine
from simbbm.explore.search.prove import Proof, Prover
from simbbm.model import Model
from simbbm.scenario import Scenario
from tests.scenarios.everything import expected_failures, failures, on_cpus, walk

STEMS = ("kpti", "idmap")
ALL = tuple(discovery.select(STEMS))
MUTANTS = tuple(s for s in ALL if re.match(r"m\d\d_", s.name))
NUMBERS = {5, 6, 27, 28}

SMALLER: dict[str, dict[str, Any]] = {
    # Of a mutant that is caught: something that its smallest machine cannot do without.
    "m27_t0sz_not_widened": {"image": "low"},
    "m27_t0sz_before_reserved": {"image": "low"},
    "temp_map_without_ets2": {"ets2": "yes"},
}


def proof(scenario: Scenario, **params: Any) -> Proof:
    """The answer of a search of all states."""
    return Prover(Model(scenario, params)).prove()


def at_end(scenario: Scenario, **params: Any) -> set[Machine]:
    """The states in which all runs end."""
    system: Arm64 = Model(scenario, params).system
    ends: set[Machine] = set()

    def visit(machine: Machine) -> None:
        if all(cpu.finished for cpu in machine.cpus):
            ends.add(machine)

    walk(system, visit)
    return ends


def test_every_number_is_there_and_says_where_it_comes_from() -> None:
    assert {int(s.name[1:3]) for s in MUTANTS} == NUMBERS
    for scenario in MUTANTS:
        if not scenario.expect.holds:
            assert re.search(r"\([^()]+( \([^()]+\))?[^()]*\)\.$", scenario.story), scenario.id


@pytest.mark.parametrize(("scenario", "cpus"), on_cpus(ALL))
def test_verdict_of_a_search_of_all_states_is_the_declared_one(
    scenario: Scenario, cpus: int
) -> None:
    found = proof(scenario, cpus=cpus)
    got = {f"{found.verdict}:{found.property}"} if found.property else set()

    assert got <= expected_failures(scenario)
    assert bool(got) != scenario.expect.holds


@pytest.mark.parametrize("name", sorted(SMALLER))
def test_what_is_caught_is_not_there_on_a_smaller_machine(name: str) -> None:
    scenario = next(s for s in ALL if s.name == name)

    assert failures(scenario)
    assert not failures(scenario, **SMALLER[name])


# KPTI after the split.

KPTI = discovery.find("kpti::good")


@pytest.mark.parametrize("layout", ["pmd", "contpte", "pages", "mixed"])
def test_kpti_leaves_no_global_entry_in_the_kernel_map(layout: str) -> None:
    [end] = {machine.memory.tables for machine in at_end(KPTI, cpus=2, layout=layout)}
    *_, swapper = KPTI.setup({"cpus": 2, "layout": layout}).cpus[0].regime.ttbr1
    entries, waiting = [], [swapper.baddr]
    while waiting:
        for entry in end.by_address[waiting.pop()].entries:
            if entry.valid:
                entries.append(entry)
            if entry.kind == "table":
                waiting.append(entry.output)

    assert len(entries) > 10
    assert all(entry.not_global for entry in entries)


def test_who_misses_the_release_waits_in_the_first_use_for_ever() -> None:
    found = proof(discovery.find("kpti::m06_no_exit_barrier"))

    assert "cpu0 waits in cpu_stopper_work/multi_cpu_stop_without_exit.wait#2" in found.message
    assert "cpu1 waits in scondary_cpu_wait/wait_for_zero.wfe" in found.message


def test_without_a_new_flag_the_boot_cpu_counts_for_ever() -> None:
    assert (
        "cpu0 waits in idmap_kpti_install_ng_mappings/counted.wfe"
        in proof(discovery.find("kpti::m05_no_second_init")).message
    )


# A user mm.

IDMAP = discovery.find("idmap::good")


def test_every_secondary_reads_from_its_user_mm_in_the_end() -> None:
    for machine in at_end(IDMAP, cpus=3):
        assert {cpu.mmu.regime.newest("ttbr1").asid for cpu in machine.cpus} == {5}  # type: ignore[union-attr]
    assert proof(IDMAP, cpus=3, image="low").property is None


def test_what_is_left_of_the_idmap_needs_speculation_to_do_harm() -> None:
    """Of the idmap's text page nobody reads data, and fetches alone fill no eager TLB."""
    left = discovery.find("idmap::m28_no_flush_in_uninstall")

    assert not failures(left, hardware="eager")
    assert failures(left) == {"VIOLATED:no_tlb_conflict"}
