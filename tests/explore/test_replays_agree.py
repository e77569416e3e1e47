"""Replays say the same in every process; a hundred thousand of them are in tests/quality."""

from __future__ import annotations

import pytest

from simbbm import discovery
from tests.explore.elsewhere import record, replayed

NAMES = (
    "bbm_minimal::good",
    "bbm_minimal::no_invalidation",
    "linear_map_split::m02_no_cpu0_test",
    "linear_map_split::m09_no_tlbi",
)


@pytest.mark.parametrize(
    ("hash_seed", "workers"),
    [
        ("random", 2),
        pytest.param("1", 1, marks=pytest.mark.quality),
    ],
)
def test_a_few_hundred_replays_agree(hash_seed: str, workers: int) -> None:
    recorded = record(map(discovery.find, NAMES), runs=15, seed=3)
    assert len({one.says for one in recorded}) > len(recorded) // 4
    said = replayed(recorded, hash_seed, workers)

    assert said == [one.says for one in recorded]
