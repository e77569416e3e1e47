"""A schedule: which of the possible moves is taken at each step.

It is kept as the steps at which it differs from the polite one, by label and not by index: so it
stays short and readable, and can outlive small edits of the program.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from simbbm.core.choice import Polite
from simbbm.core.graph import Node
from simbbm.core.trace import trace_digest

Taken = Sequence[tuple[Node[Any], int]]
"""Each node on the way, and which of its moves was taken."""


class Decision(msgspec.Struct, frozen=True):
    """One step at which the schedule differs from `core.choice.Polite`."""

    step: int
    label: str
    occurrence: int
    """How often the run has taken this label, this time included."""
    instead_of: str = ""
    """What the polite schedule would have done: its label or, in a token, a mark of it (`~kD`);
    empty in tokens of version 1."""


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """The moves of a run. Of a schedule that was read from a witness, `labels` is empty."""

    decisions: tuple[Decision, ...]
    steps: int
    loop: int | None = None
    """Of a livelock: the step whose state the last step returns to; None: the run has no loop."""
    digest: str
    """Of all labels; a token keeps its beginning only."""
    labels: tuple[str, ...] = ()

    @classmethod
    def of(cls, taken: Taken, loop: int | None = None) -> Schedule:
        """Make the schedule of a run that took these moves."""
        polite, seen, labels = Polite(), Counter[str](), list[str]()
        decisions = []
        for step, (node, k) in enumerate(taken):
            label, default = node.moves[k].label, polite.default(node)
            polite.observe(node, k)
            labels.append(label)
            seen[label] += 1
            if k != default:
                decisions.append(Decision(step, label, seen[label], node.moves[default].label))
        return cls(
            decisions=tuple(decisions),
            steps=len(labels),
            loop=loop,
            digest=trace_digest(labels),
            labels=tuple(labels),
        )


class Along:
    """A chooser that takes the given moves, and after the last one the polite moves."""

    def __init__(self, moves: Sequence[int]) -> None:
        self._left = iter(moves)
        self._polite = Polite()

    def choose(self, node: Node[Any]) -> int:
        """Return the next move."""
        k = next(self._left, None)
        return self._polite.observe(node, self._polite.default(node) if k is None else k)
