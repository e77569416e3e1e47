"""How the runs of an adaptive campaign are shared out: where runs still come to new states.

After each round an arm is worth what Good and Turing expect of one more of its runs: the states
that one of its runs met, and no other run of an arm of the same machine, by the runs that were
looked at (`strategies.estimate` cites them); a run costs its steps. A tenth of each round is shared
equally, since an arm whose runs met nothing new may still be the one that fails.

Only whole numbers are used, and rounds have fixed sizes: so the shares depend on what was found,
and not on who was faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

BATCHES_PER_ROUND = 8
"""Of each arm, on average."""
EQUALLY = 10
"""One part in so many."""
SCALE = 1_000_000


class Worth(NamedTuple):
    """What is known of an arm that may be given runs."""

    arm: int
    met_once: int
    """States that one of its runs met, and no other of its machine."""
    sampled: int
    """Runs whose states were counted."""
    runs: int
    steps: int


def share(arms: Sequence[Worth], batches: int) -> list[tuple[int, int]]:
    """Share some batches out: how many each arm gets, of those that get any."""
    weights = [_weight(worth) for worth in arms]
    most = sum(weights)
    if most == 0:
        weights, most = [1] * len(arms), len(arms)
    # In units of 1 / (EQUALLY * most * len(arms)) of a batch.
    floor, rest = most, (EQUALLY - 1) * len(arms)
    parts = [batches * (floor + rest * weight) for weight in weights]
    unit = EQUALLY * most * len(arms)
    whole = [part // unit for part in parts]
    left = batches - sum(whole)
    largest = sorted(range(len(arms)), key=lambda n: (-(parts[n] % unit), n))
    for number in largest[:left]:
        whole[number] += 1
    return [(worth.arm, count) for worth, count in zip(arms, whole, strict=True) if count]


def _weight(worth: Worth) -> int:
    """New states that its steps are expected to come to; of an arm without runs: the most."""
    if not (worth.sampled and worth.steps):
        return SCALE
    return SCALE * worth.met_once * worth.runs // (worth.sampled * worth.steps)
