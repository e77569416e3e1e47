"""Old mistakes, made again: random systems alone have to find each of them, and soon."""

from __future__ import annotations

from collections import Counter
from time import monotonic, process_time

import pytest

from tests.differential.planted import PLANTED
from tests.differential.run import round_of
from tests.quality.campaigns import show

pytestmark = [pytest.mark.quality, pytest.mark.timeout(3_600)]

ROUNDS_MAX = 150
"""Of eleven systems each: some five minutes on one core."""


@pytest.mark.parametrize("name", PLANTED)
def test_random_systems_find_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    PLANTED[name].plant(monkeypatch)
    tally, began, used = Counter[str](), monotonic(), process_time()
    rounds = (round_of(seed, tally, shrink=False) for seed in range(ROUNDS_MAX))
    found = next(filter(None, rounds), None)

    seconds, cpu = monotonic() - began, process_time() - used
    show(name, tally["compared"], seconds, cpu, header=("compared", "seconds", "CPU seconds"))
    assert found is not None, f"not found among {tally['compared']} systems"
