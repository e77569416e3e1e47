"""Good-Turing and Chao2, against hand-made counts and against a space of known size."""

from __future__ import annotations

from collections import Counter
from itertools import permutations

from simbbm.core.choice import run_seed
from simbbm.core.engine import Engine
from simbbm.core.graph import Graph
from simbbm.explore.strategies.estimate import Estimate, Sample, Visitor, estimate
from simbbm.explore.strategies.random_walk import AgentWalk
from tests.explore.toys import Toy


def sample(runs: int, **met: int) -> Sample:
    """A sample in which each named state was met by so many runs."""
    made = Sample()
    made.runs = runs
    made.met = Counter({ord(name): count for name, count in met.items()})
    return made


def walked(toy: Toy, numbers: range) -> Sample:
    engine, made = Engine(Graph(toy)), Sample()
    for i in numbers:
        visitor = Visitor(AgentWalk(run_seed(1, i)))
        end = engine.run(visitor, 100)
        made.count(engine.graph, visitor, end.node)
    return made


def every_state(toy: Toy, state: tuple[str, ...]) -> set[tuple[str, ...]]:
    after = (every_state(toy, toy.apply(state, move)) for move in toy.moves(state))
    return {state}.union(*after)


def test_the_formulas_are_the_papers() -> None:
    found = estimate([sample(10, a=10, b=1, c=1, d=1, e=2, f=5)])
    assert found == Estimate(10, 6, 3, 1)
    assert found.unseen_per_run == 3 / 10
    assert found.states == 6 + round(9 / 10 * 3 * 3 / (2 * 1))


def test_without_a_state_that_two_runs_met_the_corrected_form_is_taken() -> None:
    assert Estimate(10, 6, 4, 0).states == 6 + round(9 / 10 * 4 * 3 / 2)
    assert Estimate(10, 6, 1, 0).states == 6


def test_nothing_is_estimated_from_nothing() -> None:
    assert estimate([]) is None
    assert estimate([Sample()]) is None


def test_samples_of_the_same_states_are_one_sample() -> None:
    parts = [sample(2, a=2, b=1), sample(3, a=3, c=1), sample(1, b=1)]
    assert {estimate(order) for order in permutations(parts)} == {Estimate(6, 3, 1, 1)}


def test_a_state_counts_once_a_run_and_the_last_one_too() -> None:
    made = walked(Toy({"cpu0": 2}, optional=("cpu0.spurious",)), range(30))
    assert made.runs == 30
    assert sorted(made.met.values()) == [30, 30, 30]


def test_how_runs_are_shared_out_changes_nothing() -> None:
    toy = Toy({"cpu0": 3, "cpu1": 3, "cpu2": 2})
    whole = estimate([walked(toy, range(200))])
    assert whole == estimate([walked(toy, range(120, 200)), walked(toy, range(120))])


def test_a_small_space_is_estimated_well() -> None:
    """A state is who has moved in which order; a walk meets each with some probability."""
    toy = Toy({"cpu0": 3, "cpu1": 3, "cpu2": 2})
    true = len(every_state(toy, ()))
    found = estimate([walked(toy, range(1000))])
    assert found is not None
    assert found.states_seen < 0.95 * true
    assert 0.9 * true < found.states < 1.1 * true


def test_its_sentences_do_not_overclaim() -> None:
    text = Estimate(1_000, 5_000, 900, 300).text
    for part in ("1,000 runs", "5,000 states", "at least about 6,349", "0.9", "not a proof"):
        assert part in text
    assert "rare is not absent" in text
