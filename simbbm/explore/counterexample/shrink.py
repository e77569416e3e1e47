"""Shrinking: fewer CPUs, simpler parameters, fewer steps, fewer decisions; the same failure.

The parameters come first: smaller machines are searched for the same failure (verdict and
property), which is cheap. With the parameters found, the nearest failure is searched for, which is
certified to be minimal; of all nearest ones the one closest to the polite schedule is taken
(`canonical_counterexample`). So every failure of one kind shrinks to the same run, and shrinking
again changes nothing. Where a search hits its limit, the given run itself is made shorter
(`ddmin`), and nothing is certified.
"""

from __future__ import annotations

from typing import NamedTuple

from simbbm.core.errors import ReplayDivergence, UsageError
from simbbm.explore.counterexample.concrete import Counterexample, counterexample
from simbbm.explore.counterexample.ddmin import AROUND, ddmin
from simbbm.explore.counterexample.simplest import simplest
from simbbm.explore.runs.exact import followed
from simbbm.explore.runs.replay import COUNTEREXAMPLES, Result, replay
from simbbm.explore.search.attempt import Attempt, FailureKind
from simbbm.explore.search.breadth_first import Limits
from simbbm.explore.search.livelock import into_round
from simbbm.explore.search.prove import witness_along
from simbbm.explore.witness.record import Witness
from simbbm.model import Model

STATES = 20_000
"""States after which each search gives up, by default."""


class Shrunk(NamedTuple):
    """A counterexample before and after shrinking."""

    before: Witness
    witness: Witness
    model: Model
    """The model of the small one."""
    certified: bool
    """No shorter run fails alike with these parameters; no shorter way leads into a round."""
    interrupted: bool = False
    """Ctrl-C came before all simpler parameters had been tried."""


def shrink(witness: Witness, model: Model, states: int = STATES) -> Shrunk:
    """Make a counterexample small; raise ReplayDivergence if it does not reproduce.

    On Ctrl-C the shortest run so far is returned; if there is none, KeyboardInterrupt is raised.
    """
    before = _reproduced(witness, model)
    assert before.property is not None
    way = before.verdict, before.property
    nearest: dict[str, Counterexample | None] = {}
    met: list[Model] = []
    """Models with the same failure, in the order in which they were tried."""

    def run_for(model: Model) -> Counterexample | None:
        key = repr(model.params)
        if key not in nearest:
            nearest[key] = _nearest(model, way, states)
            if nearest[key]:
                met.append(model)
        return nearest[key]

    def steps_to(model: Model) -> int | None:
        run = run_for(model)
        return None if run is None else len(run.moves)

    interrupted = False
    try:
        simple = simplest(model, steps_to)
    except KeyboardInterrupt:
        if not met:
            raise
        simple = min(reversed(met), key=lambda one: steps_to(one) or 0)
        interrupted = True
    run = run_for(simple)
    certified = run is not None
    if run is None:
        run = _shorter(before, model, way)
    small = witness_along(simple, run.moves, "shrink", loop=run.loop, way=way)
    return Shrunk(before, small, simple, certified, interrupted)


def _reproduced(witness: Witness, model: Model) -> Witness:
    """The witness, or a refreshed one, that replays exactly."""
    if witness.verdict not in COUNTEREXAMPLES:
        raise UsageError(f"a witness of {witness.verdict}: only a failure can be shrunk")
    result = replay(witness, model)
    if result.result is not Result.REPRODUCED:
        hint = "simbbm replay says where it goes astray"
        raise ReplayDivergence(f"{witness.scenario} does not fail like this any more", hint)
    return result.refreshed or witness


def _nearest(model: Model, way: FailureKind, states: int) -> Counterexample | None:
    """The politest of the nearest failures of this kind; None if the search finds none."""
    attempt = Attempt(model, Limits(states=states), frozenset({way}))
    failure = attempt.found(way)
    return counterexample(attempt.search, failure) if failure else None


def _shorter(witness: Witness, model: Model, way: FailureKind) -> Counterexample:
    """The run of a witness, made shorter by leaving steps out."""
    labels = followed(witness, model).labels
    around = witness.loop is not None
    stem = ddmin(model, labels[: witness.loop], way, around=around)
    end = model.graph.node(stem.end.state)  # as it is on the way: `stem` ends there, as STUCK
    found = into_round(model.graph, end, AROUND) if around else None
    if found is None:
        return Counterexample(stem.path, "")
    into = (*stem.path, *found.stem)
    return Counterexample((*into, *found.loop), "", len(into))
