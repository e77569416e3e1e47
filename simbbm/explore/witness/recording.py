"""Witnesses: made from runs, kept in files or as tokens, read back. What others import is here."""

from __future__ import annotations

import msgspec

from simbbm import __version__
from simbbm.explore.counterexample.confirm import FAILURES, confirm
from simbbm.explore.runs.live import require_live
from simbbm.explore.runs.play import MAX_STEPS, Run
from simbbm.explore.runs.run import Runner
from simbbm.explore.runs.schedule import Decision
from simbbm.explore.strategies.named import Strategy
from simbbm.explore.witness.files import load, read, save, save_as
from simbbm.explore.witness.record import SCHEMA, STATE_EVERY, Found, Witness
from simbbm.explore.witness.token import from_token, is_token, token
from simbbm.model import Model


def witness_of(
    model: Model,
    strategy: Strategy | str,
    seed: int,
    number: int = 0,
    max_steps: int = MAX_STEPS,
) -> Witness:
    """Play a run of a campaign again, which is cheap, and record it."""
    runner = Runner(model, strategy, seed, max_steps)
    run = runner.play(runner.chooser(number), record=True)
    return witness_from(run, Found(runner.strategy.name, seed, number))


def witness_from(run: Run, found: Found | None = None) -> Witness:
    """Make a witness of a recorded run; a failure is confirmed first.

    Raise EditError for a twin that changes nothing.
    """
    failed = run.verdict in FAILURES
    require_live(run.model, run.model.automaton, fails=failed)
    if failed:
        confirm(run.model, run.labels, run.verdict, run.property, run.loop)
    schedule = run.schedule
    return Witness(
        scenario=run.model.scenario.id,
        params=run.model.params,
        decisions=schedule.decisions,
        states=_states(run),
        verdict=run.verdict,
        property=run.property,
        message=run.message,
        steps=schedule.steps,
        loop=schedule.loop,
        digest=schedule.digest,
        found=found,
        version=__version__,
        image=run.model.automaton.identity,
    )


def refreshed(witness: Witness, run: Run) -> Witness:
    """The witness with the schedule of another run that shows the same."""
    schedule = run.schedule
    return msgspec.structs.replace(
        witness,
        schema=SCHEMA,
        decisions=schedule.decisions,
        states=_states(run),
        message=run.message,
        steps=schedule.steps,
        loop=schedule.loop,
        digest=schedule.digest,
        version=__version__,
        image=run.model.automaton.identity,
    )


def _states(run: Run) -> tuple[str, ...]:
    """The digests of every eighth state."""
    digest = run.model.system.digest
    return tuple(digest(node.state) for node, _ in run.taken[::STATE_EVERY])


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
