"""Deep twins make the same mistakes as the near ones, with more between cause and effect."""

from __future__ import annotations

import pytest

from simbbm import discovery
from simbbm.core.choice import Polite
from simbbm.core.engine import Engine
from simbbm.core.graph import Graph
from simbbm.model import Model
from simbbm.scenario import Scenario
from tests.scenarios.everything import expected_failures, failures, names, twin

GOOD = discovery.find("deep::good")
TWINS = tuple(discovery.twins_of(GOOD))
LIMIT = 200_000


def polite_steps(scenario: Scenario, distance: int) -> int:
    """How long a polite run is."""
    params = scenario.parameters_from({"cpus": 2, "layout": "pmd", "distance": distance})
    return Engine(Graph(Model(scenario, params).system)).run(Polite(), 10_000).steps


def test_good_holds_in_every_state() -> None:
    assert not failures(GOOD, cpus=3, layout="pmd", distance=3)
    assert not failures(GOOD, LIMIT, cpus=2, layout="mixed")


@pytest.mark.parametrize("scenario", TWINS, ids=names(TWINS))
def test_twin_fails_as_the_near_one_does(scenario: Scenario) -> None:
    near = twin(scenario.name)
    expected = failures(near, cpus=2, layout="pmd")
    assert expected_failures(scenario) == expected_failures(near) == expected
    for distance in (0, 20):
        assert failures(scenario, cpus=2, layout="pmd", distance=distance) == expected


@pytest.mark.parametrize("scenario", TWINS, ids=names(TWINS))
def test_twin_makes_the_near_ones_edits_and_no_other(scenario: Scenario) -> None:
    near = twin(scenario.name)
    assert scenario.edits == GOOD.edits.merged(near.edits)
    assert scenario.story.startswith(near.story.partition(" (")[0])
    assert near.origin
    assert scenario.origin == near.origin


def test_there_are_twins_of_barriers_and_of_order() -> None:
    """Delays of hardware, and of a CPU."""
    assert len(TWINS) == 6
    assert {bool(s.edits.drop) for s in TWINS} == {True, False}


def test_distance_is_how_many_instructions_lie_in_each_of_four_places() -> None:
    near = discovery.find("linear_map_split::good")
    plain = (
        Engine(Graph(Model(near, {"cpus": 2, "layout": "pmd"}).system)).run(Polite(), 10_000).steps
    )
    assert polite_steps(GOOD, 0) == plain
    assert polite_steps(GOOD, 7) == plain + 4 * 7


def test_eager_hardware_hides_them() -> None:
    for scenario in TWINS:
        assert not failures(scenario, cpus=2, layout="pmd", distance=5, hardware="eager")
