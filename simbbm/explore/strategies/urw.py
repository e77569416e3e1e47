"""A random walk that is uniform over interleavings: agents in proportion to what they have left.

H. Zhao, D. Wolff, U. Mathur, A. Roychoudhury: "Selectively Uniform Concurrency Testing", ASPLOS
2025. If every agent's number of moves were known, and all could always move, choosing an agent with
probability proportional to the moves it has yet to make would make every interleaving equally
likely. A plain random walk instead favours those in which all advance at the same pace: an agent
with one move left, among others with hundreds, nearly always moves early.

The numbers are means of calibration runs, so they belong to scenario, parameters and campaign seed;
an agent that has made more moves than that, or was never seen, counts as if it had one left.

Simplified: the paper's SURW does this for a chosen subset of the events; here all count.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simbbm.core.choice import Chooser, Tape
from simbbm.core.graph import Node
from simbbm.explore.strategies.menu import Menu, menu_of
from simbbm.explore.strategies.profile import UNKNOWN, Profile

_UNSEEN = 1
"""The moves that an agent has left which calibration did not see."""


class UrwChooser:
    """One run, and how many moves every agent has left."""

    __slots__ = ("_draw", "_left", "_menu", "_total")

    def __init__(self, seed: bytes, moves: Mapping[str, int]) -> None:
        self._draw = Tape(seed).numbers.__next__
        self._left = dict(moves)
        self._menu: Menu | None = None
        """That of the last step: in most steps it is the same again."""
        self._total = 0
        """The moves that its agents have left."""

    def choose(self, node: Node[Any]) -> int:
        """Return the next move."""
        menu: Any = node.policy or menu_of(node)
        left, names = self._left, menu.names
        if menu is not self._menu:
            self._menu, total = menu, 0
            try:
                for name in names:
                    total += left[name]
            except KeyError:
                total = sum(left.setdefault(name, _UNSEEN) for name in names)
            self._total = total
        if len(names) > 1:
            drawn = self._draw() * self._total >> 16
            for name in names:
                its = left[name]
                drawn -= its
                if drawn < 0:
                    break
        else:
            name = names[0]
            its = left[name]
        if its > 1:
            left[name] = its - 1
            self._total -= 1
        moves = menu.moves_of[name]
        n = len(moves)
        k: int = moves[self._draw() * n >> 16] if n > 1 else moves[0]
        return k


class Urw:
    """The strategy `urw`."""

    name = "urw"
    needs_calibration = True

    def __init__(self, profile: Profile = UNKNOWN) -> None:
        self.moves = dict(profile.moves)

    def calibrated(self, profile: Profile) -> Urw:
        """The same strategy, with each agent's number of moves in this profile."""
        return Urw(profile)

    def chooser(self, seed: bytes, number: int) -> Chooser:  # noqa: ARG002 - the protocol's
        """One walk."""
        return UrwChooser(seed, self.moves)
