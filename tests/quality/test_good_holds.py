"""The merged protocol holds in long campaigns."""

from __future__ import annotations

import pytest

from tests.quality.campaigns import held, sample, show
from tests.scenarios.everything import GOOD

pytestmark = [pytest.mark.quality, pytest.mark.timeout(3_600)]

RUNS = 100_000
HEADER = ("runs", "steps", "seconds", "steps/s")


@pytest.mark.parametrize("cpus", [3, 4])
@pytest.mark.parametrize("strategy", ["random", "pct:depth=3"])
def test_good_holds(cpus: int, strategy: str) -> None:
    result = sample(GOOD, RUNS, cpus=cpus, layout="mixed", strategy=strategy)

    speed = int(result.steps / result.seconds)
    show("good, layout=mixed", header=HEADER)
    show(f"cpus={cpus} {strategy}", result.runs, result.steps, result.seconds, speed)
    for bound in result.pct:
        show(bound.text)
    assert held(result, RUNS)


@pytest.mark.parametrize(
    "params", [{"flush": "pages"}, {"ets2": "yes"}, {"tlb": "concrete"}], ids=str
)
def test_good_holds_with_other_parameters(params: dict[str, str]) -> None:
    """Invalidation page by page has too many states at layout=mixed for a walk through them all."""
    runs = 2_000 if "tlb" in params else 10_000
    result = sample(GOOD, runs, cpus=3, layout="mixed", **params)

    show(f"good, {params}", result.runs, result.steps, result.seconds, header=HEADER)
    assert held(result, runs)
