"""Witnesses: made from runs, kept in files or as tokens, read back. What others import is here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from simbbm import __version__
from simbbm.core.choice import Polite
from simbbm.explore.files import load, read, save
from simbbm.explore.record import SCHEMA, STATE_EVERY, Decision, Found, Witness
from simbbm.explore.run import MAX_STEPS, Recorder, Runner, RunResult
from simbbm.explore.strategies import Strategy
from simbbm.explore.token import from_token, is_token, token
from simbbm.scenario import Scenario


def witness_of(
    scenario: Scenario,
    params: Mapping[str, Any],
    strategy: Strategy | str,
    seed: int,
    number: int = 0,
    max_steps: int = MAX_STEPS,
) -> Witness:
    """Run again, which is cheap, and record what is needed to come back."""
    runner = Runner(scenario, params, strategy, seed, max_steps)
    recorder = Recorder(runner.chooser(number))
    result = runner.result(runner.run(recorder))
    found = Found(runner.strategy.name, seed, number)
    return witness_from(scenario, runner, recorder, result, found)


def witness_from(
    scenario: Scenario,
    runner: Runner,
    recorder: Recorder,
    result: RunResult,
    found: Found | None = None,
) -> Witness:
    """Make a witness of a run that a recorder saw."""
    polite = Polite()
    taken = Counter[str]()
    decisions, states = [], []
    for step, (node, k) in enumerate(recorder.taken):
        if step % STATE_EVERY == 0:
            states.append(runner.engine.graph.system.digest(node.state))
        label, default = node.moves[k].label, polite.default(node)
        polite.observe(node, k)
        taken[label] += 1
        if k != default:
            decisions.append(Decision(step, label, taken[label], node.moves[default].label))
    return Witness(
        scenario=scenario.id,
        params=runner.params,
        decisions=tuple(decisions),
        states=tuple(states),
        verdict=result.verdict,
        property=result.property,
        message=result.message,
        steps=result.steps,
        digest=result.digest,
        found=found,
        version=__version__,
    )


__all__ = [
    "SCHEMA",
    "Decision",
    "Found",
    "Witness",
    "from_token",
    "is_token",
    "load",
    "read",
    "save",
    "token",
    "witness_from",
    "witness_of",
]
