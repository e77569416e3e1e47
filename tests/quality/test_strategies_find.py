"""How many runs each strategy needs to find each bad twin: the table that the default rests on.

A cell is the median, over thirty campaign seeds, of the number of runs up to the first failure. A
campaign is given up after CAP runs, so that a median of CAP means "as many or more".
"""

from __future__ import annotations

from functools import cache
from math import exp, log
from statistics import median
from typing import Any

import pytest

from simbbm.core.choice import run_seed
from simbbm.core.engine import Engine
from simbbm.core.graph import Ended, Graph
from simbbm.explore.calibrate import calibrate
from simbbm.explore.run import MAX_STEPS
from simbbm.explore.strategies import Strategy, strategy
from simbbm.scenario import Scenario
from tests.quality.campaigns import show
from tests.scenarios.everything import SHIPPED

pytestmark = [pytest.mark.quality, pytest.mark.timeout(1_800)]

CAP = 1_000
TRIALS = range(30)
WALKS = ("random", "cpu-first")
ORDERED = ("pct:depth=2", "pct:depth=3", "pos")
STRATEGIES = (*WALKS, *ORDERED, "surprise:budget=1", "surprise:budget=2", "urw", "default")
BAD = tuple(s for s in SHIPPED if not s.expect.holds)


def runs_to_failure(engine: Engine[Any], plan: Strategy, seed: int) -> int:
    """How many runs a campaign takes to fail, CAP if it does not."""
    for number in range(CAP):
        end = engine.run(plan.chooser(run_seed(seed, number), number), MAX_STEPS)
        if end.node.ended is not Ended.HOLDS:
            return number + 1
    return CAP


def medians(scenario: Scenario) -> dict[str, float]:
    """One row of the table."""
    engine = Engine(Graph(scenario.system(scenario.parameters_from({}))))
    profiles = [calibrate(engine, seed) for seed in TRIALS]
    plans = {name: strategy(name) for name in STRATEGIES}
    return {
        name: float(
            median(
                runs_to_failure(engine, plan.calibrated(profile), seed)
                for seed, profile in zip(TRIALS, profiles, strict=True)
            )
        )
        for name, plan in plans.items()
    }


@cache
def table() -> dict[str, dict[str, float]]:
    """The whole table, printed row by row."""
    rows = {}
    for scenario in BAD:
        rows[scenario.id] = row = medians(scenario)
        header = [name.replace("depth", "d").replace("budget", "b") for name in row]
        show(scenario.id, *row.values(), header=header if len(rows) == 1 else ())
    return rows


def test_default_finds_nearly_every_twin_within_50_runs() -> None:
    late = {twin: row["default"] for twin, row in table().items() if row["default"] > 50}

    assert len(late) <= 0.05 * len(BAD), late


def test_orders_find_deep_twins_in_a_hundredth_of_a_random_walks_runs() -> None:
    """By geometric mean; walks that were given up count with CAP, so the truth is more."""
    deep = [row for twin, row in table().items() if twin.startswith("deep::")]
    factors = {
        name: exp(sum(log(row["random"] / row[name]) for row in deep) / len(deep))
        for name in STRATEGIES
    }

    show("deep twins: random / strategy", *factors.values(), header=list(factors))
    assert len(deep) >= 6
    assert max(factors[name] for name in ORDERED) >= 100
