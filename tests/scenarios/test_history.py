"""The protocol's own history: every version with the problem that it had, found by search."""

from __future__ import annotations

import re

import pytest

from simbbm import discovery
from simbbm.explore.prove import Prover
from simbbm.scenario import Scenario
from tests.scenarios.everything import GOOD, expected_failures, failures, names

ALL = tuple(discovery.select(["history"]))
MERGED = discovery.find("history::v6_18")
MENDED = tuple(s for s in ALL if not s.expect.holds)
ELSEWHERE = {
    # The same mistake under its number in the catalogue.
    "v3_only_boot_cpu": "linear_map_split::m01_only_boot_cpu_runs_fn",
    "v3_gfp_kernel": "linear_map_split::m38_sleeping_allocation",
    "v4_read_once": "catalogue::m15_read_once_spin",
    "v5_memblock": "catalogue_walk::m44_region_missed",
    "v6_18_invalid_block": "catalogue_walk::m46_invalid_block_resurrected",
}


@pytest.mark.parametrize("cpus", [2, 3])
@pytest.mark.parametrize("scenario", ALL, ids=names(ALL))
def test_verdict_of_a_search_of_all_states_is_the_declared_one(
    scenario: Scenario, cpus: int
) -> None:
    found = Prover(scenario, {"cpus": cpus}).prove()
    got = {f"{found.verdict}:{found.property}"} if found.property else set()

    assert got <= expected_failures(scenario)
    assert bool(got) != scenario.expect.holds


def test_versions_come_in_order_and_each_has_a_story() -> None:
    told = [s.story for s in ALL if s is not ALL[0]]
    firsts = [re.match(r"v(\d)(?:\.(\d+))?", story) for story in told]

    assert ALL[0].id == MERGED.id
    assert all(firsts)
    assert {m[1] for m in firsts if m} == set("34567")
    assert all("mended" in s.story or "not settled" in s.story for s in MENDED)


@pytest.mark.parametrize("scenario", MENDED, ids=names(MENDED))
def test_what_was_mended_is_not_in_what_was_merged(scenario: Scenario) -> None:
    """On the same machine; but for what was merged and mended later."""
    params = {p.name: p.default for p in scenario.parameters}

    assert not failures(GOOD, **params)


@pytest.mark.parametrize("name", sorted(ELSEWHERE))
def test_it_fails_as_the_same_mistake_does_in_the_catalogue(name: str) -> None:
    here, there = discovery.find(f"history::{name}"), discovery.find(ELSEWHERE[name])

    assert expected_failures(here) == expected_failures(there)
