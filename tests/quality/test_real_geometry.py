"""On real 4K tables: the merged protocol holds, and what must be caught is caught."""

from __future__ import annotations

import pytest

from tests.quality.campaigns import held, sample, show, was_caught
from tests.scenarios.everything import GOOD, twin

pytestmark = [pytest.mark.quality, pytest.mark.timeout(3_600)]

RUNS = 1_000
LAYOUTS = ("pmd", "contpmd", "pud", "mixed")
WANTED = (
    "m01_only_boot_cpu_runs_fn",
    "m07_count_before_switch",
    "m11_no_isb_before_tlbi",
    "m12_ttbr1_not_switched",
    "m20_populate_before_fill",
    "m20_no_dsb_before_populate",
)
STRATEGY = {"mixed": "random"}
"""Elsewhere the default. Where PCT gives the drains of a contiguous table's 512 cleared entries the
lowest priorities, each of its states has 512 moves, and one such run takes minutes."""


@pytest.mark.parametrize("layout", LAYOUTS)
def test_good_holds_on_real_tables(layout: str) -> None:
    plan = STRATEGY.get(layout, "default")
    result = sample(GOOD, RUNS, cpus=3, layout=layout, geometry="4k", strategy=plan)

    show(f"good 4k {layout} {plan}", result.runs, result.steps, result.seconds, header=HEADER)
    assert held(result, RUNS)


HEADER = ("runs", "steps", "seconds")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", WANTED)
def test_twin_is_caught_on_real_tables(name: str, layout: str) -> None:
    scenario, plan = twin(name), STRATEGY.get(layout, "default")
    result = sample(scenario, RUNS, cpus=3, layout=layout, geometry="4k", strategy=plan)

    first = -1 if result.first_failure is None else result.first_failure
    show(f"{name} 4k {layout}", first, result.seconds, header=("first failure", "seconds"))
    assert was_caught(scenario, result)
