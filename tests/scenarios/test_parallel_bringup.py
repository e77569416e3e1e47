"""CPUs that come online at once, or before their stoppers, and CPUs that never do."""

from __future__ import annotations

import pytest

from simbbm import discovery
from simbbm.explore.search.prove import Prover
from simbbm.model import Model
from simbbm.scenario import Scenario
from tests.scenarios.everything import expected_failures, failures, one_in

ALL = tuple(discovery.select(["parallel_bringup", "stopper_enabled", "stuck_cpu"]))


@pytest.mark.parametrize("scenario", one_in(3, ALL))
def test_verdict_of_a_search_of_all_states_is_the_declared_one(scenario: Scenario) -> None:
    found = Prover(Model(scenario)).prove()
    got = {f"{found.verdict}:{found.property}"} if found.property else set()

    assert got <= expected_failures(scenario)
    assert bool(got) != scenario.expect.holds


def test_nothing_happens_between_the_steps_on_a_system_that_tolerates_it() -> None:
    refused = discovery.find("parallel_bringup::refused")

    assert failures(refused) == {"VIOLATED:no_size_change_seen"}
    assert failures(refused, late_noabort="yes") == set()


def test_work_for_a_stopper_that_is_not_enabled_is_lost_and_waited_for() -> None:
    bad = discovery.find("stopper_enabled::unlocked_when_online")
    found = Prover(Model(bad, {"cpus": 3})).prove()

    assert found.property == "terminates"
    assert found.message.count("in cpu_stopper_work/multi_cpu_stop.wait#2: state is 1") == 2
    assert "late_work is 0" in found.message


def test_the_more_are_stuck_the_fewer_are_online() -> None:
    setup = discovery.find("stuck_cpu::stuck_cpu").setup({"cpus": 4, "stuck": 2})
    programs = [cpu.program.__name__ for cpu in setup.cpus]

    assert setup.cpus[0].args[0].num_online_cpus == 2
    assert programs == ["boot", "stopper", "secondary", "secondary"]
