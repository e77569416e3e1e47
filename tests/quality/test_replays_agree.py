"""100,000 replays, and none diverges: over hash seeds, numbers of workers, and Pythons.

What one process records (every shipped scenario, runs of all verdicts), others replay from tokens.
"""

from __future__ import annotations

import pytest

from tests.explore.elsewhere import HASH_SEEDS, PYTHONS, missing, record, replayed
from tests.quality.campaigns import show
from tests.scenarios.everything import SHIPPED

pytestmark = [pytest.mark.quality, pytest.mark.timeout(7_200)]

REPLAYS_MIN = 100_000
WORKERS = (1, 2, 3)


def test_replays_agree_everywhere() -> None:
    here = []
    for python in (f"python{version}" for version in PYTHONS):
        if why := missing(python):
            show(f"left out: {why}")
        else:
            here.append(python)
    assert here, "no Python on the PATH can run replays"
    places = [(p, seed, n) for p in here for seed in HASH_SEEDS for n in WORKERS]
    runs = -(-REPLAYS_MIN // (len(places) * len(SHIPPED)))
    recorded = record(SHIPPED, runs, seed=11)
    total = diverged = 0
    for python, hash_seed, workers in places:
        said = replayed(recorded, hash_seed, workers, python)
        wrong = sum(a != one.says for a, one in zip(said, recorded, strict=True))
        total, diverged = total + len(said), diverged + wrong
        show(f"{python}, hash seed {hash_seed}, {workers} workers", len(said), wrong)
    show("replays, and those that diverged", total, diverged)

    assert total >= REPLAYS_MIN
    assert diverged == 0
