"""Witnesses: made from runs, kept in files or as tokens, read back. What others import is here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from simbbm import __version__
from simbbm.core.choice import Polite
from simbbm.core.graph import Graph, Node
from simbbm.core.trace import trace_digest
from simbbm.explore.counterexample.confirm import FAILURES, confirm
from simbbm.explore.runs.run import MAX_STEPS, Recorder, Runner, RunResult
from simbbm.explore.strategies.named import Strategy
from simbbm.explore.witness.files import load, read, save, save_as
from simbbm.explore.witness.record import SCHEMA, STATE_EVERY, Decision, Found, Witness
from simbbm.explore.witness.token import from_token, is_token, token
from simbbm.model import Model

Path = Sequence[tuple[Node[Any], int]]
"""Each node on the way, and which of its moves was taken."""


def witness_of(
    model: Model,
    strategy: Strategy | str,
    seed: int,
    number: int = 0,
    max_steps: int = MAX_STEPS,
) -> Witness:
    """Run again, which is cheap, and record what is needed to come back."""
    runner = Runner(model, strategy, seed, max_steps)
    recorder = Recorder(runner.chooser(number))
    result = runner.result(runner.run(recorder))
    found = Found(runner.strategy.name, seed, number)
    return witness_from(runner, recorder, result, found)


def witness_from(
    runner: Runner,
    recorder: Recorder,
    result: RunResult,
    found: Found | None = None,
    loop: int | None = None,
) -> Witness:
    """Make a witness of a run that a recorder saw; of a failure once it has been confirmed.

    `loop`: the step that it comes back to.
    """
    if result.verdict in FAILURES:
        labels = [node.moves[k].label for node, k in recorder.taken]
        confirm(runner.model, labels, result.verdict, result.property, loop)
    return Witness(
        scenario=runner.model.scenario.id,
        params=runner.model.params,
        decisions=_decisions(recorder.taken),
        states=_states(runner.engine.graph, recorder.taken),
        verdict=result.verdict,
        property=result.property,
        message=result.message,
        steps=result.steps,
        loop=loop,
        digest=result.digest,
        found=found,
        version=__version__,
    )


def refreshed(
    witness: Witness, graph: Graph[Any], taken: Path, end: Node[Any], loop: int | None = None
) -> Witness:
    """Record another way to what a witness shows; `graph` is of its scenario as it is now."""
    return msgspec.structs.replace(
        witness,
        schema=SCHEMA,
        decisions=_decisions(taken),
        states=_states(graph, taken),
        message=end.problem.message if end.problem else "",
        steps=len(taken),
        loop=loop,
        digest=trace_digest(node.moves[k].label for node, k in taken),
        version=__version__,
    )


def _decisions(taken: Path) -> tuple[Decision, ...]:
    """Where a run differs from the polite schedule."""
    polite, seen = Polite(), Counter[str]()
    decisions = []
    for step, (node, k) in enumerate(taken):
        label, default = node.moves[k].label, polite.default(node)
        polite.observe(node, k)
        seen[label] += 1
        if k != default:
            decisions.append(Decision(step, label, seen[label], node.moves[default].label))
    return tuple(decisions)


def _states(graph: Graph[Any], taken: Path) -> tuple[str, ...]:
    """The digests of every eighth state."""
    return tuple(graph.system.digest(node.state) for node, _ in taken[::STATE_EVERY])


__all__ = [
    "SCHEMA",
    "Decision",
    "Found",
    "Witness",
    "from_token",
    "is_token",
    "load",
    "read",
    "refreshed",
    "save",
    "save_as",
    "token",
    "witness_from",
    "witness_of",
]
