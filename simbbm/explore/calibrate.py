"""How long a scenario's runs are: the k that PCT has to know before it starts.

A few runs say it: the polite one, and random ones whose seeds come from the campaign's. So k is a
function of scenario, parameters and campaign seed, and the same in every worker. It is an estimate
of a maximum: runs that turn out longer are reported and not counted.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

from simbbm.core.choice import Chooser, Polite
from simbbm.core.engine import Engine
from simbbm.explore.random_walk import AgentWalk

_RANDOM_RUNS = 8
_STEPS_MAX = 10_000


def calibrate(engine: Engine[Any], campaign_seed: int) -> int:
    """Return the most steps of a few runs, which belong to no campaign."""
    choosers: list[Chooser] = [Polite()]
    for i in range(_RANDOM_RUNS):
        seed = blake2b(b"calibrate/%d/%d" % (campaign_seed, i), digest_size=16).digest()
        choosers.append(AgentWalk(seed))
    return max(1, *(engine.run(chooser, _STEPS_MAX).steps for chooser in choosers))
