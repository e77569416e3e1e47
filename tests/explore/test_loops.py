"""One model, three ways: turns alone, turns in SimPy's queue, and moves applied to values."""

from __future__ import annotations

from typing import Any

import pytest

from simbbm import discovery
from simbbm.core.choice import run_seed
from simbbm.core.engine import Engine
from simbbm.core.graph import Graph
from simbbm.core.trace import trace_digest
from simbbm.explore.runs.play import Recorder
from simbbm.explore.runs.run import Runner
from simbbm.explore.strategies.named import strategy
from simbbm.explore.strategies.profile import Profile
from simbbm.model import Model
from simbbm.scenario import Scenario

MAX_STEPS = 500
SCENARIOS = ("good", "live_change", "no_invalidation")


@pytest.fixture(params=SCENARIOS)
def scenario(request: pytest.FixtureRequest) -> Scenario:
    return discovery.find(f"bbm_minimal::{request.param}")


def test_runs_meet_the_same_states_watched_or_not(scenario: Scenario) -> None:
    """Same tape, same trace, and every state equal, over a thousand schedules each."""
    alone, watched = Engine(Graph(Model(scenario).system)), Engine(Graph(Model(scenario).system))
    visited: list[Any] = []
    environment: Any = watched.environment
    step = environment.step

    def watch() -> None:
        if environment.node is not (visited[-1] if visited else None):
            visited.append(environment.node)
        step()

    environment.step = watch
    plan = strategy("default").calibrated(Profile(22))
    for number in range(1000):
        seed = run_seed(17, number)
        recorder = Recorder(plan.chooser(seed, number))
        ended = alone.run(recorder, MAX_STEPS)
        states = [node.state for node, _ in recorder.taken] + [ended.node.state]
        visited.clear()
        again = watched.run(plan.chooser(seed, number), MAX_STEPS)
        met = [node.state for node in (*visited, again.node)]
        check_same(alone, without_repeats(states), watched, without_repeats(met))
        assert (ended.steps, ended.trace) == (again.steps, again.trace)
        assert ended.node.problem == again.node.problem


def without_repeats(states: list[Any]) -> list[Any]:
    """Leave out what is as it was just before: a move may change nothing."""
    return [s for before, s in zip([None, *states], states, strict=False) if s is not before]


def check_same(one: Engine[Any], ones: list[Any], other: Engine[Any], others: list[Any]) -> None:
    """States of different systems are equal if their contents are."""
    assert [digest_of(one, s) for s in ones] == [digest_of(other, s) for s in others]


_digests: dict[tuple[int, Any], str] = {}


def digest_of(engine: Engine[Any], state: Any) -> str:
    key = (id(engine), state)
    if key not in _digests:
        _digests[key] = engine.graph.system.digest(state)
    return _digests[key]


def test_moves_applied_to_values_give_the_same_states(scenario: Scenario) -> None:
    """No graph, no engine, no cache of ours: a fresh system, its moves and their application."""
    runner = Runner(Model(scenario), "default", seed=23, max_steps=MAX_STEPS)
    for number in range(60):
        run = runner.play(runner.chooser(number), record=True)
        system = Model(scenario).system
        state = system.initial()
        labels = []
        for node, k in run.taken:
            assert runner.model.graph.system.digest(node.state) == system.digest(state)
            moves = system.moves(state)
            assert [move.label for move in moves] == [move.label for move in node.moves]
            labels.append(moves[k].label)
            state = system.apply(state, moves[k])
        assert run.digest == trace_digest(labels)
        assert runner.model.graph.system.digest(run.end.state) == system.digest(state)
        assert run.end.problem in (system.problem(state), system.final_problem(state))


def test_labels_name_one_move_of_a_state(scenario: Scenario) -> None:
    """A witness would be ambiguous otherwise."""
    runner = Runner(Model(scenario), "default", seed=31, max_steps=MAX_STEPS)
    for number in range(200):
        run = runner.play(runner.chooser(number), record=True)
        for node, _ in run.taken:
            assert len({move.label for move in node.moves}) == len(node.moves)


def test_a_graph_that_forgets_its_nodes_gives_the_same_runs(scenario: Scenario) -> None:
    plan = strategy("default").calibrated(Profile(22))
    whole = Engine(Graph(Model(scenario).system))
    forgetful = Engine(Graph(Model(scenario).system, max_nodes=7))
    for number in range(200):
        seed = run_seed(29, number)
        ends = [e.run(plan.chooser(seed, number), MAX_STEPS) for e in (whole, forgetful)]
        assert ends[0][1:] == ends[1][1:]
