"""`simbbm stress TWIN --runs 10000`, with no other option, catches every bad twin on every seed."""

from __future__ import annotations

from statistics import median

import pytest

from simbbm.scenario import Scenario
from tests.quality.campaigns import held, sample, show, was_caught
from tests.scenarios.everything import CAUGHT, SHIPPED

pytestmark = [pytest.mark.quality, pytest.mark.timeout(1_800)]

RUNS = 10_000
SEEDS = range(10)
HARMLESS = tuple(s for s in SHIPPED if s.expect.holds and s.twin_of)


@pytest.mark.parametrize("scenario", CAUGHT, ids=[s.id for s in CAUGHT])
def test_bad_twin_is_caught_on_every_seed(scenario: Scenario) -> None:
    results = [sample(scenario, RUNS, seed=seed) for seed in SEEDS]

    firsts = [RUNS if r.first_failure is None else r.first_failure for r in results]
    show(scenario.name, int(median(firsts)), max(firsts), header=("median run", "worst run"))
    assert all(was_caught(scenario, result) for result in results)


@pytest.mark.parametrize("scenario", HARMLESS, ids=[s.id for s in HARMLESS])
def test_harmless_twin_holds(scenario: Scenario) -> None:
    result = sample(scenario, RUNS)

    show(scenario.name, result.runs, result.seconds, header=("runs", "seconds"))
    assert held(result, RUNS)
