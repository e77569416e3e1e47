"""Replay: the same scenario reproduces, a changed one is told apart, and where is said."""

from __future__ import annotations

import pickle
from itertools import pairwise

import msgspec
import pytest

from simbbm import discovery
from simbbm.check.verdict import Verdict
from simbbm.core.errors import ReplayDivergence, UsageError
from simbbm.core.system import Move
from simbbm.explore.runs.exact import Diverged, followed
from simbbm.explore.runs.play import MAX_STEPS
from simbbm.explore.runs.replay import Result, model_of, replay
from simbbm.explore.runs.run import run_one
from simbbm.explore.witness.recording import Decision, Witness, witness_of
from simbbm.model import Model
from simbbm.scenario import Scenario
from tests.explore.toys import Toy, toy_scenario

GOOD, LIVE, LEFT = (
    discovery.find(f"bbm_minimal::{name}") for name in ("good", "live_change", "no_invalidation")
)


def changed(witness: Witness, **changes: object) -> Witness:
    return msgspec.structs.replace(witness, **changes)


@pytest.mark.parametrize("scenario", [GOOD, LIVE, LEFT], ids=lambda s: s.name)
@pytest.mark.parametrize("strategy", ["default", "random", "cpu-first", "pct", "polite"])
def test_any_run_replays_to_its_digest(scenario: Scenario, strategy: str) -> None:
    for number in range(8):
        result = run_one(Model(scenario), strategy, 1, number)
        again = replay(w := witness_of(Model(scenario), strategy, 1, number), model_of(w, scenario))
        assert again.result is Result.REPRODUCED
        assert (again.digest, again.steps) == (result.digest, result.steps)
        assert (again.verdict, again.property) == (result.verdict, result.property)
        assert again.message == result.message
        assert (again.step, again.expected, again.got) == (None, None, ())


def test_steps_lead_from_one_state_to_the_next() -> None:
    witness = witness_of(Model(LEFT), "random", 4)
    steps = list(followed(witness, model_of(witness, LEFT)).played())
    assert [s.step for s in steps] == list(range(witness.steps))
    assert all(a.after is b.before for a, b in pairwise(steps))
    assert all(s.before.edges[s.k][2] is s.after for s in steps)
    assert steps[-1].after.ended == "VIOLATED"


def test_a_run_that_was_cut_off_replays_as_far() -> None:
    witness = witness_of(Model(GOOD), "random", 4, max_steps=9)
    assert (witness.verdict, witness.steps) == (Verdict.INCONCLUSIVE, 9)
    again = replay(witness, model_of(witness, GOOD))
    assert (again.result, again.verdict, again.steps) == (Result.REPRODUCED, "INCONCLUSIVE", 9)


def test_an_empty_run_replays() -> None:
    witness = witness_of(Model(GOOD), "random", 4, max_steps=0)
    assert replay(witness, model_of(witness, GOOD)).result is Result.REPRODUCED


def test_another_verdict_is_stale() -> None:
    """The twin's polite counterexample on the program without the bug."""
    witness = changed(witness_of(Model(LEFT), "polite", 0), scenario=GOOD.id, states=())
    again = replay(witness, model_of(witness, GOOD))
    assert (again.result, again.how) == (Result.STALE, "exact")
    assert again.expected == "VIOLATED:no_size_change_seen"
    assert again.got == ("HOLDS",)
    assert again.verdict == "HOLDS"


def test_a_state_that_differs_is_found_at_the_next_check() -> None:
    witness = witness_of(Model(GOOD), "random", 1)
    states = (*witness.states[:1], "0" * 32, *witness.states[2:])
    again = replay(w := changed(witness, states=states), model_of(w, GOOD))
    assert (again.result, again.step) == (Result.DIVERGED, 8)
    assert again.expected == f"state {'0' * 32}"
    assert again.got == (f"state {witness.states[1]}",)


def test_a_label_that_is_not_enabled_diverges_at_its_step() -> None:
    witness = witness_of(Model(GOOD), "random", 1)
    step = witness.decisions[0].step
    gone = changed(witness, decisions=(Decision(step, "cpu9:gone.isb#1", 1),))
    before = [s.before for s in followed(witness, model_of(witness, GOOD)).played()][step]
    again = replay(gone, model_of(gone, GOOD))
    assert (again.result, again.step) == (Result.DIVERGED, step)
    assert again.expected == "cpu9:gone.isb#1"
    assert again.got == tuple(move.label for move in before.moves)


def test_another_occurrence_of_a_label_diverges() -> None:
    witness = witness_of(Model(GOOD), "random", 1)
    first = msgspec.structs.replace(witness.decisions[0], occurrence=7)
    again = replay(
        w := changed(witness, decisions=(first, *witness.decisions[1:])), model_of(w, GOOD)
    )
    assert (again.result, again.step) == (Result.DIVERGED, first.step)
    assert "7" in str(again.expected)


def test_a_run_that_ends_before_its_last_decision_diverges() -> None:
    witness = witness_of(Model(GOOD), "polite", 0)
    late = Decision(witness.steps + 3, "cpu1:reader.ldr#1", 1)
    again = replay(w := changed(witness, decisions=(late,)), model_of(w, GOOD))
    assert (again.result, again.step) == (Result.DIVERGED, witness.steps)
    assert "ended" in again.got[0]


def test_another_trace_with_the_same_verdict_is_not_the_same_run() -> None:
    witness = changed(witness_of(Model(GOOD), "random", 1), digest="0" * 32)
    again = replay(witness, model_of(witness, GOOD))
    assert again.result is Result.DIVERGED
    assert again.expected == "trace " + "0" * 32


def test_a_witness_of_another_scenario_is_refused() -> None:
    with pytest.raises(UsageError, match=r"of bbm_minimal::good, not of bbm_minimal::live_change"):
        replay(w := witness_of(Model(GOOD), "polite", 0), model_of(w, LIVE))


def test_parameters_that_the_scenario_no_longer_has_are_refused() -> None:
    witness = witness_of(Model(GOOD), "polite", 0)
    with pytest.raises(UsageError, match="no parameter colour"):
        replay(w := changed(witness, params={"colour": "red"}), model_of(w, GOOD))


def test_steps_of_a_diverging_witness_raise_where_it_does() -> None:
    witness = changed(witness_of(Model(GOOD), "polite", 0), decisions=(Decision(2, "gone", 1),))
    with pytest.raises(ReplayDivergence) as caught:
        list(followed(witness, model_of(witness, GOOD)).played())
    error = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(error, Diverged)
    assert (error.step, error.expected) == (2, "gone")
    assert str(error) == str(caught.value)


def test_a_scenario_that_no_longer_ends_is_cut_off() -> None:
    """An edit may have made an endless loop; a replay ends all the same."""

    class Endless(Toy):
        def apply(self, state: tuple[str, ...], move: Move) -> tuple[str, ...]:  # noqa: ARG002
            return state

    witness = witness_of(Model(toy_scenario(Toy({"cpu0": 3}))), "polite", 0)
    again = replay(
        w := changed(witness, states=()), model_of(w, toy_scenario(Endless({"cpu0": 3})))
    )
    assert (again.result, again.got) == (Result.STALE, ("STUCK:terminates",))
    assert again.steps == MAX_STEPS


def test_a_stuck_run_replays() -> None:
    toy = toy_scenario(Toy({"cpu0": 2, "cpu1": 2}, stuck=True))
    witness = witness_of(Model(toy), "random", 0)
    assert (witness.verdict, witness.property) == (Verdict.STUCK, "terminates")
    assert replay(witness, model_of(witness, toy)).result is Result.REPRODUCED


def test_a_label_that_comes_again_and_again_replays() -> None:
    toy = toy_scenario(Toy({"cpu0": 3, "cpu1": 3}, optional=("cpu0.event",)))
    found = [witness_of(Model(toy), "random", 2, n) for n in range(20)]
    assert max(d.occurrence for witness in found for d in witness.decisions) > 2
    assert all(
        replay(witness, model_of(witness, toy)).result is Result.REPRODUCED for witness in found
    )
