"""How the runs of an adaptive campaign are shared out: where runs still come to what is new.

After each round an arm is worth what Good and Turing expect of one more of its runs: the states,
and the labels, that one of its runs came to, and no other run of an arm of the same machine, by the
runs that were looked at (`strategies.estimate` cites them); a run costs its steps. Labels are few
and states are many, so new labels of all arms count as much as new states of all arms. A tenth of
each round is shared equally: an arm whose runs met nothing new may still be the one that fails.

Only whole numbers are used, and rounds have fixed sizes: so the shares depend on what was found,
and not on who was faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from simbbm.campaign.stored.store import Once

BATCHES_PER_ROUND = 8
"""Of each arm, on average."""
EQUALLY = 10
"""One part in so many."""
SCALE = 1_000_000


class Worth(NamedTuple):
    """What is known of an arm that may be given runs."""

    arm: int
    once: Once
    """What one of its runs came to, and no other of its machine."""
    sampled: int
    """Runs whose states were counted."""
    runs: int
    steps: int


def share(arms: Sequence[Worth], batches: int) -> list[tuple[int, int]]:
    """Share some batches out: how many each arm gets, of those that get any."""
    states = [_expected(worth, worth.once.states) for worth in arms]
    labels = [_expected(worth, worth.once.labels) for worth in arms]
    new = [
        s * (sum(labels) or 1) + n * (sum(states) or 1) for s, n in zip(states, labels, strict=True)
    ]
    weights = new if any(new) else [1] * len(arms)
    most = sum(weights)
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


def _expected(worth: Worth, once: int) -> int:
    """How much that is new its steps are expected to come to; of an arm without runs: the most."""
    if not (worth.sampled and worth.steps):
        return SCALE
    return SCALE * once * worth.runs // (worth.sampled * worth.steps)
