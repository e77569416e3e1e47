"""Replay: follow a witness through its scenario, and say whether it still shows what it showed.

Tried in this order, until a run ends with the verdict and the property that were recorded:

* exact: every decision is possible at its own step, by its label, and the states that were recorded
  are met; between decisions the polite schedule decides;
* semantic: decisions are found by label in a program that has gained or lost steps;
* goal: decisions are reached in whatever way does not bring in what is optional.

The latter two are for counterexamples: that a run still holds says nothing about another one. Since
they end with a run of the program as it is, a program without the bug cannot seem to have it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from simbbm.check.verdict import Verdict
from simbbm.core.choice import Polite
from simbbm.core.errors import ReplayDivergence, UsageError
from simbbm.core.graph import Graph, Node
from simbbm.core.trace import trace_digest
from simbbm.explore.runs.goal import Goal
from simbbm.explore.runs.renamed import by_new_names
from simbbm.explore.runs.run import MAX_STEPS
from simbbm.explore.runs.semantic import Manner, Missed, Semantic, follow
from simbbm.explore.runs.walk import TooFar, Walk
from simbbm.explore.search.livelock import closes, ended_if_lost, into_round
from simbbm.explore.witness.record import STATE_EVERY, Witness
from simbbm.explore.witness.recording import refreshed
from simbbm.model import Model
from simbbm.scenario import Scenario

EXACT = "exact"
CHANGED = "the scenario, or the witness, has changed since"
ONLY_DIGEST = (
    "all that was recorded fits but the digest: the witness was edited or damaged, or steps have "
    "other names now"
)
TOO_LONG = "it is too long to be looked for by label, and cannot be followed as it is"
COUNTEREXAMPLES = (Verdict.VIOLATED, Verdict.STUCK)


class Result(StrEnum):
    """What became of a witness."""

    REPRODUCED = "REPRODUCED"
    STALE = "STALE"
    DIVERGED = "DIVERGED"


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay showed; `step`, `expected` and `got` say where and how it went astray."""

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
    """Of one that does not replay exactly: what must be the matter."""


class ReplayStep(NamedTuple):
    """One step of a replay: `before.moves[k]` leads to `after`."""

    step: int
    before: Node[Any]
    k: int
    after: Node[Any]


class Diverged(ReplayDivergence):
    """A witness no longer fits: at this step it wants what is not there."""

    def __init__(self, step: int, expected: str, got: tuple[str, ...]) -> None:
        found = ", ".join(got) or "nothing"
        hint = "simbbm replay finds out whether there is another way to what it shows"
        super().__init__(f"step {step}: expected {expected}, got {found}", hint)
        self.step = step
        self.expected = expected
        self.got = got

    def __reduce__(self) -> Any:
        return Diverged, (self.step, self.expected, self.got)


def replay(witness: Witness, model: Model) -> Replay:
    """Follow the decisions: exactly, else by label, else as goals."""
    graph = model.graph
    exact = _exactly(witness, graph)
    if exact.result is Result.REPRODUCED or witness.verdict not in COUNTEREXAMPLES:
        return exact
    for told in (witness, by_new_names(witness)):
        for manner in (Semantic(), Goal(told.decisions)):
            try:
                again, missed = _loosely(told, graph, manner)
            except TooFar:
                return msgspec.structs.replace(exact, why=TOO_LONG)
            if again.result is Result.REPRODUCED:
                return msgspec.structs.replace(again, why=exact.why)
    return _stale(exact, again, missed)


def _loosely(
    witness: Witness, graph: Graph[Any], manner: Manner
) -> tuple[Replay, tuple[Missed, ...]]:
    """Follow the decisions as a manner finds them, and which of them it does not."""
    if witness.loop is not None:
        return _round_again(witness, graph, manner)
    rounds = witness.steps if witness.verdict is Verdict.STUCK else None
    walk, missed = follow(witness.decisions, graph, manner, rounds)
    return _refreshed(witness, graph, walk, manner), missed


def _round_again(
    witness: Witness, graph: Graph[Any], manner: Manner
) -> tuple[Replay, tuple[Missed, ...]]:
    """Follow the decisions on the way into a round; then look for a round that is near."""
    assert witness.loop is not None
    into = [decision for decision in witness.decisions if decision.step < witness.loop]
    walk, missed = follow(into, graph, manner, steps=witness.loop)
    way = into_round(graph, walk.node)
    loop = None
    if way is not None:
        for k in way.stem:
            walk.take(k)
        loop = len(walk.path)
        for k in way.loop:
            walk.take(k)
        walk.node = closes(graph, walk.path[loop:], walk.node)
    return _refreshed(witness, graph, walk, manner, loop), missed


def _refreshed(
    witness: Witness, graph: Graph[Any], walk: Walk, manner: Manner, loop: int | None = None
) -> Replay:
    """What a walk shows, with a witness of it if it is what was recorded."""
    again = _judge(witness, walk.node, [node.moves[k].label for node, k in walk.path], manner.how)
    if again.result is not Result.REPRODUCED:
        return again
    fresh = refreshed(witness, graph, walk.path, walk.node, loop)
    return msgspec.structs.replace(again, refreshed=fresh)


def _stale(exact: Replay, goal: Replay, missed: tuple[Missed, ...]) -> Replay:
    """What to say of a counterexample that no way reproduces: what is gone, else how it ends."""
    if exact.result is Result.STALE:
        return exact
    if not missed:
        return goal
    first = missed[0]
    return msgspec.structs.replace(
        goal, step=first.decision.step, expected=first.decision.label, got=first.enabled
    )


def _exactly(witness: Witness, graph: Graph[Any]) -> Replay:
    """Follow the decisions exactly; compare states on the way and the trace at the end."""
    labels: list[str] = []
    node: Node[Any] | None = None
    try:
        for _, before, k, node in _steps(witness, graph):  # noqa: B007 - the last one counts
            labels.append(before.moves[k].label)
    except Diverged as error:
        return Replay(
            result=Result.DIVERGED,
            step=error.step,
            expected=error.expected,
            got=error.got,
            steps=len(labels),
        )
    return _judge(witness, node or _come_to(witness, graph, [], graph.initial), labels)


def _judge(witness: Witness, node: Node[Any], labels: list[str], how: str = EXACT) -> Replay:
    """Hold what a replay came to against what was recorded; the trace too if it is to be exact."""
    verdict, name = _verdict(node)
    digest = trace_digest(labels)
    result, expected, why = Result.REPRODUCED, None, CHANGED
    got: tuple[str, ...] = ()
    if (verdict, name) != (witness.verdict, witness.property):
        result = Result.STALE
        expected, got = _outcome(witness.verdict, witness.property), (_outcome(verdict, name),)
    elif how == EXACT and not (digest.startswith(witness.digest) and len(labels) == witness.steps):
        result, expected, got = Result.DIVERGED, f"trace {witness.digest}", (f"trace {digest}",)
        why = ONLY_DIGEST if len(labels) == witness.steps else CHANGED
    return Replay(
        result=result,
        how=how,
        step=None if result is Result.REPRODUCED else len(labels),
        expected=expected,
        got=got,
        verdict=verdict,
        property=name,
        message=node.problem.message if node.problem else "",
        steps=len(labels),
        digest=digest,
        why=why,
    )


def _verdict(node: Node[Any]) -> tuple[Verdict, str | None]:
    """How a run ends that comes to this node."""
    verdict = Verdict(node.ended.value) if node.ended else Verdict.INCONCLUSIVE
    return verdict, node.problem.property if node.problem else None


def _outcome(verdict: Verdict, name: str | None) -> str:
    return f"{verdict}:{name}" if name else str(verdict)


def model_of(witness: Witness, scenario: Scenario) -> Model:
    """What a witness is of; UsageError if it is of another scenario."""
    if witness.scenario != scenario.id:
        raise UsageError(f"a witness of {witness.scenario}, not of {scenario.id}")
    return Model(scenario, witness.params)


def steps_of(witness: Witness, model: Model) -> Iterator[ReplayStep]:
    """The steps of a witness, one by one; raise ReplayDivergence where it no longer fits.

    That may be at its end alone, if it ends otherwise than was recorded.
    """
    graph = model.graph
    count, node = 0, _come_to(witness, graph, [], graph.initial)
    for step in _steps(witness, graph):
        count, node = count + 1, step.after
        yield step
    verdict, name = _verdict(node)
    if (verdict, name, count) != (witness.verdict, witness.property, witness.steps):
        wanted = f"{_outcome(witness.verdict, witness.property)} after {witness.steps} steps"
        raise Diverged(count, wanted, (_outcome(verdict, name),))


def _steps(witness: Witness, graph: Graph[Any]) -> Iterator[ReplayStep]:
    decisions = {decision.step: decision for decision in witness.decisions}
    last = max(decisions, default=-1)
    cut_short = witness.verdict is Verdict.INCONCLUSIVE or witness.loop is not None
    limit = witness.steps if cut_short else max(MAX_STEPS, witness.steps)
    path: list[tuple[Node[Any], int]] = []
    node, polite, taken = _come_to(witness, graph, path, graph.initial), Polite(), Counter[str]()
    for step in range(limit):
        if step % STATE_EVERY == 0 and step // STATE_EVERY < len(witness.states):
            _check_state(graph, node, step, witness.states[step // STATE_EVERY])
        if node.ended is not None:
            if step <= last:
                wanted = next(d.label for d in witness.decisions if d.step >= step)
                raise Diverged(step, wanted, (f"the run has ended: {node.ended}",))
            return
        k = polite.default(node)
        if decision := decisions.get(step):
            k = _find(node, step, decision.label)
            if taken[decision.label] + 1 != decision.occurrence:
                wanted = f"{decision.label} for the {decision.occurrence}th time"
                raise Diverged(step, wanted, (f"{taken[decision.label] + 1}th time",))
        polite.observe(node, k)
        taken[node.moves[k].label] += 1
        path.append((node, k))
        following = _come_to(witness, graph, path, graph.follow(node, k))
        yield ReplayStep(step, node, k, following)
        node = following


def _come_to(
    witness: Witness, graph: Graph[Any], path: list[tuple[Node[Any], int]], node: Node[Any]
) -> Node[Any]:
    """What a path leads to: where the run was stopped, it may go round for ever."""
    if len(path) != witness.steps or witness.verdict is not Verdict.STUCK:
        return node
    if witness.loop is not None:
        return closes(graph, path[witness.loop :], node)
    return ended_if_lost(graph, node)


def _find(node: Node[Any], step: int, label: str) -> int:
    labels = tuple(move.label for move in node.moves)
    if label not in labels:
        raise Diverged(step, label, labels)
    return labels.index(label)


def _check_state(graph: Graph[Any], node: Node[Any], step: int, expected: str) -> None:
    digest = graph.system.digest(node.state)
    if digest != expected:
        raise Diverged(step, f"state {expected}", (f"state {digest}",))
