"""Semantic replay: the decisions of a witness, found by label in a program that has changed.

A witness keeps where its schedule differs from the polite one. In the program that it was recorded
from a decision is at its own step. In an edited one it is looked for on the polite path that goes
on from the decision before it: where the polite choice is of the kind that it was (`instead_of`),
where the label has been taken as often as it had been, where as many steps have gone by; the first
of these counts most. Steps that the program has gained are walked through: politely or, where a
decision holds the polite choice back, by the CPU that it names and nobody else. A decision whose
label does not come up is left out, for the program has lost it.

What a decision was instead of is what makes this work: without it, as in tokens of version 1, one
in fifteen counterexamples is lost when a few local operations are inserted; with it, none in a few
hundred.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol

from simbbm.core.graph import Graph, Node
from simbbm.explore.runs.marks import is_like
from simbbm.explore.runs.play import MAX_STEPS
from simbbm.explore.runs.schedule import Decision
from simbbm.explore.runs.walk import Walk, enabled, labels
from simbbm.explore.search.livelock import ended_if_lost

LOOK_AHEAD = 40
"""Steps beyond twice as many as there were."""
OWN_STEPS_MAX = 8
"""Steps that a program may have gained at one place."""
DETOURS_MAX = 8
"""Places that are tried for one decision from which its label has to be reached first."""


class Manner(Protocol):
    """How freely decisions are followed."""

    how: str
    """The name of this kind of replay."""

    def find(self, node: Node[Any], label: str) -> int | None:
        """Return the move of `node` that stands for a recorded label."""

    def reach(self, walk: Walk, label: str) -> Walk | None:
        """Walk on to where the label is enabled, without the polite choice; None if in vain."""


class Semantic:
    """Labels as they were recorded; only the CPU that a label names goes on to reach it."""

    how = "semantic"

    def find(self, node: Node[Any], label: str) -> int | None:
        """Return the move of this label."""
        return enabled(node, label)

    def reach(self, walk: Walk, label: str) -> Walk | None:
        """Take steps of the program that the label is of."""
        agent = label.partition(":")[0]
        for _ in range(OWN_STEPS_MAX):
            k = walk.polite_among(lambda move: move.agent == agent)
            if k is None:
                return None
            walk.take(k)
            if self.find(walk.node, label) is not None:
                return walk
        return None


class Missed(NamedTuple):
    """A decision that could not be placed, and what was enabled there."""

    decision: Decision
    enabled: tuple[str, ...]


class Followed(NamedTuple):
    """Where the decisions led, and which of them found no place."""

    walk: Walk
    missed: tuple[Missed, ...]


def follow(
    decisions: Iterable[Decision],
    graph: Graph[Any],
    manner: Manner,
    rounds: int | None = None,
    steps: int = MAX_STEPS,
) -> Followed:
    """Walk from the start through the decisions that can be placed, then politely to the end.

    Politely not beyond so many `steps`.

    After so many steps as `rounds` says the run may go round for ever: it is looked whether it
    does, and later again.
    """
    walk, missed, last = Walk(graph), [], -1
    for decision in decisions:
        if walk.ended:
            break
        after = _placed(walk, decision, decision.step - last - 1, manner)
        last = decision.step
        if after is None:
            missed.append(Missed(decision, labels(walk.node.moves)))
        else:
            walk = after
    while not walk.ended and len(walk.path) < steps:
        if rounds is not None and len(walk.path) >= rounds:
            walk.node = ended_if_lost(graph, walk.node)
            rounds = 2 * len(walk.path) + LOOK_AHEAD
        else:
            walk.take(walk.polite())
    return Followed(walk, tuple(missed))


def _placed(walk: Walk, decision: Decision, gap: int, manner: Manner) -> Walk | None:
    """The walk after a decision, at the best place for it; `gap` polite steps lay before it."""
    best: Walk | None = None
    best_score: tuple[int, ...] = ()
    ahead, detours = walk.fork(), 0
    for passed in range(2 * gap + LOOK_AHEAD):
        if ahead.ended:
            break
        polite = ahead.polite()
        same_choice = is_like(ahead.node.moves[polite].label, decision.instead_of)
        k = manner.find(ahead.node, decision.label)
        as_often = ahead.taken[decision.label] + 1 == decision.occurrence
        candidate = None
        if k is not None:
            candidate, score = (
                ahead,
                (int(not same_choice), int(not as_often), 0, abs(passed - gap)),
            )
        elif same_choice and detours < DETOURS_MAX:
            detours += 1
            candidate = manner.reach(ahead.fork(), decision.label)
            score = (0, 0, 1, abs(passed - gap))
        if candidate and (best is None or score < best_score):
            best, best_score = _taking(candidate, decision, manner), score
        if k == polite and as_often:
            break  # from here on it has been done, by itself
        ahead.take(polite)
    if best is None:
        reached = manner.reach(walk.fork(), decision.label)
        best = reached and _taking(reached, decision, manner)
    return best


def _taking(walk: Walk, decision: Decision, manner: Manner) -> Walk:
    """A walk that goes on from this one by the decision, which is possible there."""
    after = walk.fork()
    k = manner.find(after.node, decision.label)
    assert k is not None
    after.take(k)
    return after
