"""Semantic replay: the decisions of a witness, found by label in a program that has changed.

A witness stores the decisions at which its schedule differs from the polite one. In the program
that it was recorded from, each decision is at its own step. In an edited program it is looked for
on the polite path from the decision before it. A place scores by how well it fits: the polite
choice there is of the recorded kind (`instead_of`), the label has been taken as often, as many
steps have passed; the first of these counts most. Steps that the program has gained are taken
politely or, where a decision delays the polite choice, by the CPU of its label alone. A decision
whose label is not found is left out: the program has lost it.

This depends on `instead_of`: without it, as in tokens of version 1, one in fifteen counterexamples
is lost when a few local operations are inserted; with it, none in a few hundred.

The result is a list of moves, which `replay` plays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

from simbbm.core.graph import Graph
from simbbm.explore.runs.marks import is_like
from simbbm.explore.runs.schedule import Decision
from simbbm.explore.runs.walk import Walk, enabled, labels

LOOK_AHEAD = 40
"""Steps in which a decision is looked for, beyond twice as many as were recorded before it."""
OWN_STEPS_MAX = 8
"""Steps that a program may have gained at one place."""
DETOURS_MAX = 8
"""Places tried for one decision at which its label is not enabled yet."""


class Manner(Protocol):
    """How freely decisions are followed."""

    how: str
    """The name of this kind of replay."""

    def find(self, walk: Walk, label: str) -> int | None:
        """Return the move that stands for a recorded label where a walk has come to."""

    def reach(self, walk: Walk, label: str) -> Walk | None:
        """Walk to a node where the label is enabled, without the polite choice; None if none is."""


class Semantic:
    """Labels as they were recorded; only the CPU of a label takes steps to reach it."""

    how = "semantic"

    def find(self, walk: Walk, label: str) -> int | None:
        """Return the move of this label."""
        return enabled(walk, label)

    def reach(self, walk: Walk, label: str) -> Walk | None:
        """Take steps of the label's own program."""
        agent = label.partition(":")[0]
        for _ in range(OWN_STEPS_MAX):
            k = walk.polite_among(lambda move: move.agent == agent)
            if k is None:
                return None
            walk.take(k)
            if self.find(walk, label) is not None:
                return walk
        return None


class Missed(NamedTuple):
    """A decision that could not be placed, and what was enabled there."""

    decision: Decision
    enabled: tuple[str, ...]


class Followed(NamedTuple):
    """The moves through the decisions that were placed, and the decisions that were not."""

    moves: tuple[int, ...]
    missed: tuple[Missed, ...]


def follow(
    decisions: Iterable[Decision],
    graph: Graph[Any],
    manner: Manner,
    named: Callable[[str], str] = str,
) -> Followed:
    """Find a place for each decision; the last move is the last decision that has one.

    `named` gives what the decisions call a label of today.
    """
    walk, missed, last = Walk(graph, named), [], -1
    for decision in decisions:
        if walk.ended:
            break
        after = _placed(walk, decision, decision.step - last - 1, manner)
        last = decision.step
        if after is None:
            missed.append(Missed(decision, labels(walk.node.moves)))
        else:
            walk = after
    return Followed(walk.moves, tuple(missed))


def _placed(walk: Walk, decision: Decision, gap: int, manner: Manner) -> Walk | None:
    """The walk up to and with a decision at its best place; None if there is none.

    `gap` is how many polite steps came before it when it was recorded.
    """
    best: Walk | None = None
    best_score: tuple[int, ...] = ()
    ahead, detours = walk.fork(), 0
    for passed in range(2 * gap + LOOK_AHEAD):
        if ahead.ended:
            break
        polite = ahead.polite()
        same_choice = is_like(ahead.label(polite), decision.instead_of)
        k = manner.find(ahead, decision.label)
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
            break  # the polite schedule takes it here by itself
        ahead.take(polite)
    if best is None:
        reached = manner.reach(walk.fork(), decision.label)
        best = reached and _taking(reached, decision, manner)
    return best


def _taking(walk: Walk, decision: Decision, manner: Manner) -> Walk:
    """Fork the walk and take the decision, which must be enabled there."""
    after = walk.fork()
    k = manner.find(after, decision.label)
    assert k is not None
    after.take(k)
    return after
