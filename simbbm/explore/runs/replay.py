"""Replay: play a witness's schedule again, and say whether the run still ends as recorded.

Tried in this order, until a run ends with the recorded verdict and property:

* exact: every decision is enabled at its own step, by its label, and the recorded states are met;
  between decisions the schedule is polite;
* semantic: decisions are found by label in a program that has gained or lost steps (`semantic`);
* goal: each decision's label is a goal, reached in any way without optional moves (`goal`).

The latter two are for counterexamples: one run that holds says nothing about another. Each plays a
run of the program as it is now, so a program without the bug cannot seem to have it.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from itertools import product

import msgspec

from simbbm.check.verdict import Verdict
from simbbm.core.errors import UsageError
from simbbm.explore.runs.exact import Diverged, played, told
from simbbm.explore.runs.goal import Goal
from simbbm.explore.runs.live import require_live
from simbbm.explore.runs.play import MAX_STEPS, Player, Run
from simbbm.explore.runs.renamed import as_before, by_new_names
from simbbm.explore.runs.schedule import Along
from simbbm.explore.runs.semantic import Manner, Missed, Semantic, follow
from simbbm.explore.runs.walk import TooFar
from simbbm.explore.search.livelock import into_round
from simbbm.explore.witness.record import Witness
from simbbm.explore.witness.recording import refreshed
from simbbm.model import Model
from simbbm.scenario import Scenario

EXACT = "exact"
CHANGED = "the scenario, or the witness, has changed since"
ONLY_DIGEST = (
    "all that was recorded fits but the digest: the witness was edited or damaged, or steps have "
    "other names now"
)
OTHER_IMAGE = "it was recorded on another kernel image: "
TOO_LONG = "it is too long to be looked for by label, and cannot be followed as it is"
NAMES: tuple[Callable[[str], str], ...] = (str, as_before)
"""What witnesses may call today's steps: as they are called, or as they were.

Of the names under which a run is reproduced those count that lose the fewest decisions.
"""
COUNTEREXAMPLES = (Verdict.VIOLATED, Verdict.STUCK)


class Result(StrEnum):
    """The result of a replay."""

    REPRODUCED = "REPRODUCED"
    STALE = "STALE"
    DIVERGED = "DIVERGED"


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay showed; `step`, `expected` and `got` say where and how it diverged."""

    result: Result
    how: str = EXACT
    """Which replay this is about: exact, semantic or goal."""
    step: int | None = None
    expected: str | None = None
    got: tuple[str, ...] = ()
    """The labels that were enabled instead, or the digest or verdict that was found."""
    verdict: Verdict | None = None
    property: str | None = None
    message: str = ""
    steps: int = 0
    digest: str | None = None
    refreshed: Witness | None = None
    """A witness that replays exactly, if it took another way to reproduce this one."""
    why: str = CHANGED
    """If it does not replay exactly: the reason."""


def replay(witness: Witness, model: Model) -> Replay:
    """Play the decisions again: exactly, else by label, else as goals.

    Raise EditError for a twin that changes nothing: what reproduces there says nothing about it.
    """
    found = _replay(witness, model)
    if found.result is Result.REPRODUCED:
        require_live(model, model.automaton, fails=witness.verdict in COUNTEREXAMPLES)
    return found


def _replay(witness: Witness, model: Model) -> Replay:
    exact = _exactly(witness, model)
    if exact.result is Result.REPRODUCED or witness.verdict not in COUNTEREXAMPLES:
        return exact
    manners: tuple[Callable[[Witness], Manner], ...] = (
        lambda _: Semantic(),
        lambda renamed: Goal(renamed.decisions),
    )
    for manner in manners:
        best: Replay | None = None
        fewest = 0
        for renamed, named in product((witness, by_new_names(witness)), NAMES):
            try:
                again, missed = _loosely(renamed, model, manner(renamed), named)
            except TooFar:
                return msgspec.structs.replace(exact, why=TOO_LONG)
            reproduced = again.result is Result.REPRODUCED
            if reproduced and (best is None or len(missed) < fewest):
                best, fewest = again, len(missed)
        if best is not None:
            return msgspec.structs.replace(best, why=exact.why)
    return _stale(exact, again, missed)


def _loosely(
    witness: Witness, model: Model, manner: Manner, named: Callable[[str], str]
) -> tuple[Replay, tuple[Missed, ...]]:
    """Play the decisions where a manner finds them; also those that it does not find."""
    if witness.loop is not None:
        return _round_again(witness, model, manner, named)
    moves, missed = follow(witness.decisions, model.graph, manner, named)
    livelock = witness.verdict is Verdict.STUCK  # or a deadlock: a witness does not say which
    steps = max(witness.steps, len(moves)) if livelock else MAX_STEPS
    run = Player(model).play_on(lambda: Along(moves), steps)
    return _refreshed(witness, run, manner), missed


def _round_again(
    witness: Witness, model: Model, manner: Manner, named: Callable[[str], str]
) -> tuple[Replay, tuple[Missed, ...]]:
    """Play the decisions on the way into a livelock's loop; then look for the nearest loop."""
    assert witness.loop is not None
    into = [decision for decision in witness.decisions if decision.step < witness.loop]
    moves, missed = follow(into, model.graph, manner, named)
    player = Player(model)
    run = player.walk(Along(moves), max(witness.loop, len(moves)))
    way = into_round(model.graph, run.end)
    if way is not None:
        stem = (*run.path, *way.stem)
        around = (*stem, *way.loop)
        run = player.play(Along(around), len(around), loop=len(stem))
    return _refreshed(witness, run, manner), missed


def _refreshed(witness: Witness, run: Run, manner: Manner) -> Replay:
    """Compare a run with what was recorded; with a refreshed witness if it reproduces."""
    again = _judge(witness, run, manner.how)
    if again.result is not Result.REPRODUCED:
        return again
    return msgspec.structs.replace(again, refreshed=refreshed(witness, run))


def _stale(exact: Replay, goal: Replay, missed: tuple[Missed, ...]) -> Replay:
    """The answer if nothing reproduces: the first decision that is gone, else how the run ends."""
    if exact.result is Result.STALE:
        return exact
    if not missed:
        return goal
    first = missed[0]
    return msgspec.structs.replace(
        goal, step=first.decision.step, expected=first.decision.label, got=first.enabled
    )


def _exactly(witness: Witness, model: Model) -> Replay:
    """Follow the decisions exactly; compare states on the way and the trace at the end."""
    try:
        run = played(witness, model)
    except Diverged as error:
        here = model.automaton.identity
        return Replay(
            why=CHANGED if witness.image == here else OTHER_IMAGE + (witness.image or "none"),
            result=Result.DIVERGED,
            step=error.step,
            expected=error.expected,
            got=error.got,
            steps=error.step,
        )
    return _judge(witness, run)


def _judge(witness: Witness, run: Run, how: str = EXACT) -> Replay:
    """Compare a run with what was recorded; in an exact replay the trace as well."""
    result, expected, why = Result.REPRODUCED, None, CHANGED
    got: tuple[str, ...] = ()
    if (run.verdict, run.property) != (witness.verdict, witness.property):
        result = Result.STALE
        expected = told(witness.verdict, witness.property)
        got = (told(run.verdict, run.property),)
    elif how == EXACT and not (
        run.digest.startswith(witness.digest) and run.steps == witness.steps
    ):
        result = Result.DIVERGED
        expected, got = f"trace {witness.digest}", (f"trace {run.digest}",)
        why = ONLY_DIGEST if run.steps == witness.steps else CHANGED
    return Replay(
        result=result,
        how=how,
        step=None if result is Result.REPRODUCED else run.steps,
        expected=expected,
        got=got,
        verdict=run.verdict,
        property=run.property,
        message=run.end.problem.message if run.end.problem else "",
        steps=run.steps,
        digest=run.digest,
        why=why,
    )


def model_of(witness: Witness, scenario: Scenario) -> Model:
    """The model of a witness; raise UsageError if it is of another scenario."""
    if witness.scenario != scenario.id:
        raise UsageError(f"a witness of {witness.scenario}, not of {scenario.id}")
    return Model(scenario, witness.params)
