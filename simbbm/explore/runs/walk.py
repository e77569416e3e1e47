"""A walk through the graph of states that can be forked: for finding the moves of a schedule.

It is no run, and nothing is said of where it ends: it looks ahead, tries moves out and may be
dropped. The moves that it found are then played (`play`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

from simbbm.core.choice import Polite, default_move
from simbbm.core.graph import Graph, Node
from simbbm.core.system import Move

EFFORT_MAX = 1_000_000
"""Steps that a walk and its forks may take together, which is seconds; a replay of an edited
program needs less than a hundredth of them. A fork copies its path, which counts too."""
COPIED_PER_STEP = 100


class TooFar(Exception):
    """A walk has used up its effort."""


class Effort:
    """The steps that are left to a walk and its forks."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = EFFORT_MAX


class Walk:
    """A node, and the moves that lead to it from the start."""

    __slots__ = ("default_schedule", "effort", "graph", "named", "node", "path", "taken")

    def __init__(self, graph: Graph[Any], named: Callable[[str], str] = str) -> None:
        self.graph = graph
        self.named = named
        """What whoever follows something calls a label."""
        self.node: Node[Any] = graph.initial
        self.path: list[tuple[Node[Any], int]] = []
        """Each node on the way, and which of its moves was taken."""
        self.taken = Counter[str]()
        """How often each label was taken."""
        self.default_schedule = Polite()
        self.effort = Effort()

    @property
    def moves(self) -> tuple[int, ...]:
        """The indices of the moves that were taken."""
        return tuple(k for _, k in self.path)

    def fork(self) -> Walk:
        """A copy that can be continued in another way."""
        self.effort.left -= len(self.path) // COPIED_PER_STEP
        other = copy(self)
        other.path = self.path.copy()
        other.taken = self.taken.copy()
        other.default_schedule = copy(self.default_schedule)
        return other

    @property
    def ended(self) -> bool:
        """Whether a run ends here."""
        return self.node.ended is not None

    def label(self, k: int) -> str:
        """The name of the k-th move."""
        return self.named(self.node.moves[k].label)

    def take(self, k: int) -> None:
        """Take the k-th move; raise TooFar if no effort is left."""
        self.effort.left -= 1
        if self.effort.left < 0:
            raise TooFar
        self.default_schedule.observe(self.node, k)
        self.taken[self.label(k)] += 1
        self.path.append((self.node, k))
        self.node = self.graph.follow(self.node, k)

    def polite(self) -> int:
        """The move that the polite schedule would take here."""
        return self.default_schedule.default(self.node)

    def polite_among(self, allowed: Callable[[Move], bool]) -> int | None:
        """The polite choice among the obligatory moves that are allowed; None if there is none."""
        moves = self.node.moves
        these = [k for k, move in enumerate(moves) if not move.optional and allowed(move)]
        if not these:
            return None
        return these[default_move((moves[k] for k in these), self.default_schedule.cpu)]


def enabled(walk: Walk, label: str) -> int | None:
    """The move of this label, None if it is not possible here."""
    return next((k for k in range(len(walk.node.moves)) if walk.label(k) == label), None)


def labels(moves: Sequence[Move]) -> tuple[str, ...]:
    """The labels of some moves."""
    return tuple(move.label for move in moves)
