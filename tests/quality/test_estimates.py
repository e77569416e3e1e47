"""What a sample's estimates are worth, where every state is known.

Chao2 is a lower bound in expectation, and behaves like one: these are what it is measured to be, no
promise for other spaces. Good-Turing is compared with the thousand runs that come next.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from simbbm import discovery
from simbbm.explore.runs.run import Runner
from simbbm.explore.strategies.estimate import RUNS, Estimate, Sample, Visitor, estimate
from simbbm.model import Model
from tests.quality.campaigns import show
from tests.scenarios.everything import everything

pytestmark = [pytest.mark.quality, pytest.mark.timeout(1_800)]

LINUX, DEEP, MINIMAL = "linear_map_split::good", "deep::good", "bbm_minimal::good"
SPACES: list[tuple[str, dict[str, Any], float]] = [
    # scenario, parameters, and by how much Chao2 may be too low at most
    (MINIMAL, {}, 0.1),
    (LINUX, {"cpus": 2, "layout": "pmd"}, 0.1),
    (LINUX, {"cpus": 2, "layout": "mixed"}, 0.1),
    (DEEP, {"cpus": 2}, 0.1),
    (LINUX, {"cpus": 3, "layout": "pmd"}, 0.35),
    (LINUX, {"cpus": 3, "layout": "pud"}, 0.35),
    (LINUX, {"cpus": 3, "layout": "mixed"}, 0.45),
    (DEEP, {"cpus": 3}, 0.45),
]
HEADER = ("states", "met", "Chao2", "off by %", "unseen/run", "in truth")
SEEDS = range(3)


class Judged(NamedTuple):
    """An estimate from a campaign's first runs, and how many new states a run met thereafter."""

    estimate: Estimate
    unseen_per_run: float


def sampled(runner: Runner, numbers: range) -> Sample:
    """The states that these runs come to."""
    sample = Sample()
    for number in numbers:
        visitor = Visitor(runner.chooser(number))
        run = runner.play(visitor)
        sample.count(runner.model.graph, visitor, run.end)
    return sample


def judged(name: str, params: dict[str, Any], strategy: str, seed: int) -> Judged:
    """Estimate from the first runs, and count what as many further ones meet."""
    runner = Runner(Model(discovery.find(name), params), strategy, seed)
    first = sampled(runner, range(RUNS))
    found = estimate([first])
    assert found is not None
    further = (sampled(runner, range(n, n + 1)).met for n in range(RUNS, 2 * RUNS))
    unseen = sum(len(met.keys() - first.met.keys()) for met in further)
    return Judged(found, unseen / RUNS)


@pytest.mark.parametrize(("name", "params", "slack"), SPACES, ids=str)
def test_estimates_against_the_truth(name: str, params: dict[str, Any], slack: float) -> None:
    true = everything(discovery.find(name), **params).states
    text = " ".join([name, *map(str, params.values())])
    rows = [judged(name, params, "default", seed) for seed in SEEDS]
    walk = judged(name, params, "random", 0)
    for title, (found, actual) in [*((text, row) for row in rows), (f"{text}, random", walk)]:
        off = 100 * (found.states / true - 1)
        per_run = (f"{found.unseen_per_run:.3f}", f"{actual:.3f}")
        cells = (true, found.states_seen, found.states, off, *per_run)
        show(title, *cells, header=HEADER if found is rows[0].estimate else ())

    assert all(-slack <= found.states / true - 1 <= 0.1 for found, _ in rows)
    # States come in clusters, so that one sample is off by more.
    predicted = sum(found.unseen_per_run for found, _ in rows)
    actual = sum(actual for _, actual in rows)
    assert actual / 2 - 0.01 <= predicted <= 2 * actual + 0.01
