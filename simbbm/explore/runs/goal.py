"""Goal-directed replay: the last resort when a program has more, fewer or other parts than it had.

Each decision's label is a goal. If it is not enabled, the CPU of the label takes steps; if that CPU
has to wait, so do CPUs that no decision names, since the witness cannot have meant to delay them;
then all CPUs but the one whose step the decision replaced. Optional moves are never taken to reach
a goal. A label matches any label of its kind: its entry, table or page may have another number now.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from simbbm.explore.runs.marks import kind
from simbbm.explore.runs.schedule import Decision
from simbbm.explore.runs.walk import Walk

OWN_STEPS_MAX = 32
STEPS_MAX = 400
"""Steps to one goal, by all CPUs together."""


class Goal:
    """How goals are matched and reached. CPUs keep their numbers."""

    how = "goal"

    def __init__(self, decisions: Iterable[Decision]) -> None:
        self._mentioned = frozenset(_cpu(decision.label) for decision in decisions)

    def find(self, walk: Walk, label: str) -> int | None:
        """Return the move of this label, else the first of its kind."""
        first = None
        for k in range(len(walk.node.moves)):
            if walk.label(k) == label:
                return k
            if first is None and kind(walk.label(k)) == kind(label):
                first = k
        return first

    def reach(self, walk: Walk, label: str) -> Walk | None:
        """Advance the label's CPU, else CPUs that no decision names, else all but one."""
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
            if self.find(walk, label) is not None:
                return walk
        return None


def _cpu(label: str) -> int:
    """The CPU of a label; -1 if it names none."""
    found = re.search(r"cpu(\d+)", label)
    return int(found[1]) if found else -1
