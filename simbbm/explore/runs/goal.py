"""Goal-directed replay: the last resort when a program has more, fewer or other parts than it had.

Each decision's label is a goal. Where it is not enabled, its own CPU goes on; where that has to
wait, CPUs that no decision names go on, since the witness cannot have meant to hold them back; then
all but the one whose step the decision was instead of. What is optional is never done to get
somewhere. A label stands for any of its kind: which entry, table or page it named may have moved.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from simbbm.core.graph import Node
from simbbm.explore.runs.marks import kind
from simbbm.explore.runs.schedule import Decision
from simbbm.explore.runs.walk import Walk

OWN_STEPS_MAX = 32
STEPS_MAX = 400
"""Steps to one goal, by whoever."""


class Goal:
    """The manner in which goals are pursued. CPUs keep their numbers."""

    how = "goal"

    def __init__(self, decisions: Iterable[Decision]) -> None:
        self._mentioned = frozenset(_cpu(decision.label) for decision in decisions)

    def find(self, node: Node[Any], label: str) -> int | None:
        """Return the move of this label, else the first of its kind."""
        first = None
        for k, move in enumerate(node.moves):
            if move.label == label:
                return k
            if first is None and kind(move.label) == kind(label):
                first = k
        return first

    def reach(self, walk: Walk, label: str) -> Walk | None:
        """Advance the label's CPU, else CPUs that are not mentioned, else all but one."""
        agent, own_steps = label.partition(":")[0], 0
        if walk.ended:
            return None
        held_back = walk.node.moves[walk.polite()].cpu
        for _ in range(STEPS_MAX):
            k = walk.polite_among(lambda move: move.agent == agent)
            own_steps += k is not None
            if k is None:
                k = walk.polite_among(lambda move: move.cpu not in self._mentioned)
            if k is None:
                k = walk.polite_among(lambda move: move.cpu != held_back)
            if k is None or own_steps > OWN_STEPS_MAX:
                return None
            walk.take(k)
            if self.find(walk.node, label) is not None:
                return walk
        return None


def _cpu(label: str) -> int:
    """The CPU that a label is of."""
    found = re.search(r"cpu(\d+)", label)
    return int(found[1]) if found else -1
