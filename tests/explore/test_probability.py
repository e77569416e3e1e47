"""How likely a counterexample becomes along its way, and from when on it is certain."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Any

import pytest

from simbbm import discovery
from simbbm.arm64.machine import Arm64
from simbbm.arm64.state import Machine
from simbbm.explore.counterexample.explain import explain
from simbbm.explore.counterexample.explanation import Curve
from simbbm.explore.counterexample.probability import _chances
from simbbm.explore.runs.replay import model_of
from simbbm.explore.search.digraph import Following, following
from simbbm.explore.search.prove import Prover, witness_along
from simbbm.model import Model
from simbbm.report.explanation import no_return, sentences
from simbbm.scenario import Scenario
from tests.scenarios.everything import how_it_ends, twin

TWO = {"cpus": 2, "layout": "pmd"}


def curve(scenario: Scenario, params: dict[str, Any], states: int = 20_000) -> Curve | None:
    proof = Prover(Model(scenario, params)).prove()
    assert proof.run is not None
    explained = explain(
        w := witness_along(Model(scenario, params), proof.run), model_of(w, scenario), states
    )
    assert explained is not None
    return explained.curve


def exactly(system: Arm64, state: Machine, way: str) -> Fraction:
    """The probability in a graph without cycles, told by every path."""

    @cache
    def chance(state: Machine) -> Fraction:
        if (end := how_it_ends(system, state)) is not None:
            return Fraction(end == way)
        moves = system.moves(state)
        after = (chance(system.apply(state, move)) for move in moves)
        return sum(after, Fraction(0)) / len(moves)

    return chance(state)


@pytest.mark.parametrize(
    "name", ["m07_count_before_switch", "m08_count_before_tlbi", "m10_no_dsb_after_tlbi"]
)
def test_chances_are_those_of_every_path(name: str) -> None:
    scenario = twin(name)
    found = curve(scenario, TWO)
    system = Model(scenario, TWO).system
    wanted = exactly(system, system.initial(), "VIOLATED:no_size_change_seen")

    assert found is not None
    assert 0 < wanted < 1
    assert found.chances[0] == pytest.approx(float(wanted), rel=1e-9)


@pytest.mark.quality
def test_like_cpus_are_not_told_apart_by_chance() -> None:
    """With three CPUs the graph is folded by symmetry, and the probability is the same."""
    scenario = twin("m12_ttbr1_not_switched")
    three = {"cpus": 3, "layout": "pmd"}
    scenario_random = twin("m02_first_to_arrive_splits")
    system = Model(scenario_random, three).system
    wanted = exactly(system, system.initial(), "VIOLATED:no_size_change_seen")
    found = curve(scenario_random, three)

    assert found is not None
    assert found.chances[0] == pytest.approx(float(wanted), rel=1e-9)
    assert 0.5 < wanted < 1
    certain = curve(scenario, three)
    assert certain is not None
    assert certain.no_return == -1


def graph_of(*targets: list[int]) -> Following:
    """The graph in which the moves of each node lead to these."""
    return following(len(targets), ((i, t) for i, to in enumerate(targets) for t in to))


def test_cycles_are_solved() -> None:
    """From 0 to 1; from 1 back to 0, round in place, to the goal 2 or to the end 3."""
    graph = graph_of([1, 1], [0, 1, 2, 2, 3], [], [])

    chances = _chances(graph, {2})

    assert pytest.approx([2 / 3, 2 / 3, 1, 0], rel=1e-8) == chances


def test_certainty_is_exact_though_it_takes_for_ever() -> None:
    """A round that is left with probability one is no way out."""
    assert [1.0, 1.0, 1.0] == _chances(graph_of([0] * 9 + [1], [0] * 99 + [2], []), {2})
    assert [0.0, 0.0, 1.0] == _chances(graph_of([1], [0], []), {2})


def test_nothing_can_prevent_what_no_schedule_avoids() -> None:
    found = curve(twin("m14_plain_increment"), {"layout": "pmd"})

    assert found is not None
    step = found.no_return
    assert 0 < step < len(found.chances) - 1
    assert {1.0} == set(found.chances[step + 1 :])
    assert max(found.chances[: step + 1]) < 1
    assert f"after step {step} nothing can prevent it" == no_return(found)


def test_what_is_certain_or_open_to_the_end_is_said() -> None:
    assert "every schedule fails like this" == no_return(Curve((1.0, 1.0)))
    assert "until the last step it can be prevented" == no_return(Curve((0.1, 0.5, 1.0)))


def test_marks_are_passed_for_good() -> None:
    scenario = discovery.find("linear_map_split::m10_no_dsb_after_tlbi")
    proof = Prover(Model(scenario, TWO)).prove()
    assert proof.run is not None
    explained = explain(w := witness_along(Model(scenario, TWO), proof.run), model_of(w, scenario))
    assert explained is not None
    assert explained.curve is not None
    chances = explained.curve.chances
    told = next(s for s in sentences(explained) if "uniform" in s)
    _, *marks = told.split(", ")

    assert [0.01, 0.1, 0.5] == [float(mark.split()[0]) for mark in marks]
    for mark in marks:
        value, _, _, step = mark.split()
        assert chances[int(step)] < float(value)
        assert min(chances[int(step) + 1 :]) >= float(value)


def test_too_many_states_are_no_answer() -> None:
    scenario = twin("m10_no_dsb_after_tlbi")
    proof = Prover(Model(scenario, TWO)).prove()
    assert proof.run is not None
    explained = explain(
        w := witness_along(Model(scenario, TWO), proof.run), model_of(w, scenario), 50
    )

    assert explained is not None
    assert explained.curve is None
    assert any("more than 50 states" in sentence for sentence in sentences(explained))


def test_the_curve_may_have_a_limit_of_its_own() -> None:
    """It is one search, and the others are many."""
    scenario = twin("m10_no_dsb_after_tlbi")
    proof = Prover(Model(scenario, TWO)).prove()
    assert proof.run is not None
    w = witness_along(Model(scenario, TWO), proof.run)
    far = explain(w, model_of(w, scenario), 50, 20_000)
    near = explain(w, model_of(w, scenario), 50, 60)

    assert far is not None
    assert far.curve is not None
    assert near is not None
    assert near.curve is None
    assert any("more than 60 states" in sentence for sentence in sentences(near))
