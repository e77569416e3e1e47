"""Partial order sampling: random priorities of events, drawn again for those that lose a race.

X. Yuan, J. Yang, R. Gu: "Partial Order Aware Concurrency Sampling", CAV 2018. What each agent does
next is an event with a random priority. The highest runs; then its agent's next event draws anew,
and so does every waiting event that races with what just ran. The second draw is what makes POS
more than a random order: without it an event that has waited long is known to be a low one, and
orders in which it comes soon after a race are hardly ever seen.

Races are judged by footprint, between agents of different CPUs. All agents of one CPU share that
CPU's own cells, so that judged by footprint each step of a program would draw anew for every store
in its buffer: no better than a random walk at delaying one of them. Orders within a CPU come from
the first draw alone.

An agent with several moves has one event, and picks a move uniformly when it runs.
"""

from __future__ import annotations

from typing import Any

from simbbm.core.choice import Chooser, Tape
from simbbm.core.graph import Node
from simbbm.explore.strategies.menu import menu_of
from simbbm.explore.strategies.profile import Profile


class PosChooser:
    """One run's priorities, by agent: the priority of its next event."""

    __slots__ = ("_draw", "_priorities")

    def __init__(self, seed: bytes) -> None:
        self._draw = Tape(seed).numbers.__next__
        self._priorities: dict[str, int] = {}
        """Of 16 bits, drawn when they are first compared."""

    def choose(self, node: Node[Any]) -> int:
        """Return the next move."""
        menu: Any = node.policy or menu_of(node)
        priorities = self._priorities
        if len(menu.items) == 1:  # It runs whatever its priority, which is used up.
            [(name, moves)] = menu.items
            if priorities.pop(name, None) is None:
                self._draw()
        else:
            highest = -1
            for name, moves_of_it in menu.items:
                if name in priorities:
                    priority = priorities[name]
                else:
                    priority = priorities[name] = self._draw()
                # A tie goes to the first in canonical order, and is too rare to matter.
                if priority > highest:
                    highest, moves = priority, moves_of_it
        n = len(moves)
        k: int = moves[self._draw() * n >> 16] if n > 1 else moves[0]
        if len(menu.items) > 1:
            races = node.races or _no_races(node)
            for name in races[k] or _races(node, k):
                priorities.pop(name, None)
        return k


def _no_races(node: Node[Any]) -> list[tuple[str, ...] | None]:
    """The races of a node that was not visited yet."""
    node.races = [None] * len(node.moves)
    return node.races


def _races(node: Node[Any], k: int) -> tuple[str, ...]:
    """The agents that draw anew after move `k`: its own, and those that race with it."""
    ran = node.moves[k]
    names = {ran.agent: None}
    for other in node.moves:
        if other.cpu != ran.cpu and other.footprint.conflicts(ran.footprint):
            names[other.agent] = None
    assert node.races is not None
    racing = tuple(names)
    node.races[k] = racing = _racing.setdefault(racing, racing)
    return racing


_racing: dict[tuple[str, ...], tuple[str, ...]] = {}
"""Sets of agents that race, each once: nodes share them."""


class Pos:
    """The strategy `pos`."""

    name = "pos"
    needs_calibration = False

    def calibrated(self, profile: Profile) -> Pos:  # noqa: ARG002 - the protocol's
        """Return the strategy itself: it has no parameters."""
        return self

    def chooser(self, seed: bytes, number: int) -> Chooser:  # noqa: ARG002 - the protocol's
        """One run's priorities."""
        return PosChooser(seed)
