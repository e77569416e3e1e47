"""How long a scenario's runs are and how many agents they have: what PCT has to know first.

A few runs say it: the polite one, and random ones whose seeds come from the campaign's. So k is a
function of scenario, parameters and campaign seed, and the same in every worker. It is an estimate
of a maximum: runs that turn out longer are reported and not counted.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, NamedTuple

from simbbm.core.choice import Chooser, Polite
from simbbm.core.engine import Engine
from simbbm.core.graph import Node
from simbbm.explore.random_walk import AgentWalk

_RANDOM_RUNS = 8
_STEPS_MAX = 10_000


class Calibration(NamedTuple):
    """What a few runs showed: the most steps, and the most agents."""

    steps: int
    agents: int


def calibrate(engine: Engine[Any], campaign_seed: int) -> Calibration:
    """Measure a scenario with runs that belong to no campaign."""
    choosers: list[Chooser] = [Polite()]
    for i in range(_RANDOM_RUNS):
        seed = blake2b(b"calibrate/%d/%d" % (campaign_seed, i), digest_size=16).digest()
        choosers.append(AgentWalk(seed))
    steps = agents = 1
    for chooser in choosers:
        census = _Census(chooser)
        steps = max(steps, engine.run(census, _STEPS_MAX).steps)
        agents = max(agents, len(census.agents))
    return Calibration(steps, agents)


class _Census:
    """Counts the agents that another chooser's run meets."""

    def __init__(self, chooser: Chooser) -> None:
        self._chooser = chooser
        self.agents: set[str] = set()

    def choose(self, node: Node[Any]) -> int:
        self.agents.update(move.agent for move in node.moves)
        return self._chooser.choose(node)
