"""Calibration: measures the length of a scenario's runs and its agents, for PCT, URW and surprise.

It takes a few runs: the default schedule, and random ones with seeds from the campaign's. So a
profile is a function of scenario, parameters and campaign seed, and the same in every worker. It is
an estimate: runs that turn out longer are reported and not counted.
"""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from typing import Any

from simbbm.core.choice import Chooser, Polite
from simbbm.core.engine import Engine
from simbbm.core.graph import Node
from simbbm.explore.strategies.menu import menu_of
from simbbm.explore.strategies.profile import Profile
from simbbm.explore.strategies.random_walk import AgentWalk

_RANDOM_RUNS = 8
_STEPS_MAX = 10_000


class Census:
    """A chooser that counts agents and moves, and leaves the choices to another one."""

    def __init__(self, chooser: Chooser) -> None:
        self._chooser = chooser
        self._waiting: set[str] = set()
        self.moves: Counter[str] = Counter()
        self.arrivals = 0

    def choose(self, node: Node[Any]) -> int:
        """Return the choice of the other chooser."""
        menu: Any = node.policy or menu_of(node)
        self.arrivals += len(set(menu.hardware) - self._waiting)
        k = self._chooser.choose(node)
        agent = node.edges[k][0]
        self._waiting = set(menu.hardware) - {agent}
        self.moves[agent] += 1
        return k


def calibrate(engine: Engine[Any], campaign_seed: int) -> Profile:
    """Return the profile of a few runs, which are not part of the campaign."""
    polite = Census(Polite())
    steps = [engine.run(polite, _STEPS_MAX).steps]
    moves: Counter[str] = Counter()
    for i in range(_RANDOM_RUNS):
        seed = blake2b(b"calibrate/%d/%d" % (campaign_seed, i), digest_size=16).digest()
        census = Census(AgentWalk(seed))
        steps.append(engine.run(census, _STEPS_MAX).steps)
        moves += census.moves
    means = tuple((name, -(-count // _RANDOM_RUNS)) for name, count in sorted(moves.items()))
    return Profile(max(1, *steps), max(1, polite.arrivals), means)
