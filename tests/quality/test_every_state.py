"""Every state of spaces that are too large for the fast tests."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import pytest

from simbbm.model import Model
from tests.quality.campaigns import show
from tests.scenarios.everything import GOOD, expected_failures, twin, walk

pytestmark = [pytest.mark.quality, pytest.mark.timeout(3_600)]

LIMIT = 250_000
HEADER = ("states", "transitions", "seconds")
SPACES: list[dict[str, Any]] = [
    *({"cpus": 3, "layout": la} for la in ("contpmd", "pud", "pud39", "contpte", "pages")),
    *({"cpus": 3, "layout": la, "flush": "pages"} for la in ("pmd", "contpmd", "contpte")),
    *({"cpus": 2, "layout": la, "geometry": "scaled4"} for la in ("contpmd", "pud", "mixed")),
    {"cpus": 3, "layout": "pmd", "geometry": "scaled4"},
    {"cpus": 3, "layout": "mixed", "ets2": "yes"},
    {"cpus": 3, "layout": "mixed", "noabort": "all"},
    {"cpus": 4, "layout": "pmd"},
    {"cpus": 4, "layout": "mixed"},
]


@pytest.mark.parametrize("params", SPACES, ids=str)
def test_good_holds_in_every_state(params: dict[str, Any]) -> None:
    began = perf_counter()
    found = walk(Model(GOOD, params).system, limit=LIMIT)

    text = " ".join(f"{name}={value}" for name, value in params.items())
    took = perf_counter() - began
    show(text, found.states, found.transitions, took, header=HEADER)
    assert {"HOLDS"} == set(found.ends)


def test_unpublished_stores_fail_as_expected_only() -> None:
    """The largest twin that can be walked; `m20_no_dsb_before_populate` has millions of states."""
    scenario = twin("m21_stores_unpublished")
    began = perf_counter()
    found = walk(Model(scenario, {"cpus": 3, "layout": "mixed"}).system, limit=LIMIT)

    took = perf_counter() - began
    show(scenario.name, found.states, found.transitions, took, header=HEADER)
    assert expected_failures(scenario) == set(found.ends) - {"HOLDS"}
