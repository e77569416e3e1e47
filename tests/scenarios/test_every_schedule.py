"""Every schedule, by visiting every state; what each twin does is in `test_eager`."""

from __future__ import annotations

from typing import Any

import pytest

from simbbm import discovery
from simbbm.model import Model
from simbbm.scenario import Scenario
from tests.scenarios.everything import (
    BIG,
    GOOD,
    ROUNDS,
    SHIPPED,
    TWINS,
    everything,
    expected_failures,
    failures,
    names,
    one_in,
    twin,
    walk,
    walk_rows,
)

LAYOUTS = ("pmd", "contpmd", "pud", "pud39", "contpte", "pages", "mixed")
NEED_A_TABLE_ABOVE = (
    "m08_count_before_tlbi",
    "m09_no_tlbi",
    "m10_no_dsb_after_tlbi",
    "m11_no_isb_before_tlbi",
)
"""A walk has to be resumed from a cached table for these to do harm."""

SIZE = "VIOLATED:no_size_change_seen"
SIZE_TWINS = tuple(s for s in TWINS if SIZE in expected_failures(s))
ALONE = tuple(s for s in SHIPPED if s not in (GOOD, *TWINS) and s.id not in ROUNDS)

# One TLBI a page, each acting on each CPU when it likes: `mixed` has sixteen of them, and 2 to the
# power of that many states. It is sampled below.
FLUSHES = [(layout, "all") for layout in LAYOUTS]
FLUSHES += [(layout, "pages") for layout in LAYOUTS if layout != "mixed"]


@pytest.mark.parametrize(("layout", "flush"), FLUSHES)
def test_good_holds_on_two_cpus(layout: str, flush: str) -> None:
    found = everything(GOOD, cpus=2, layout=layout, flush=flush)

    assert {"HOLDS"} == set(found.ends)
    assert found.states > 300


@pytest.mark.parametrize(
    ("scenario_id", "params"),
    [
        ("linear_map_split::good", {"cpus": 2, "layout": "pages"}),
        ("linear_map_split::m02_first_to_arrive_splits", {"cpus": 2, "layout": "pmd"}),
        ("linear_map_split::m29_plain_load_in_wait", {"cpus": 2, "layout": "pmd"}),
        ("smt::m17_no_final_tlbi", {}),
    ],
    ids=str,
)
def test_rows_find_what_a_plain_walk_finds(scenario_id: str, params: dict[str, Any]) -> None:
    """All else in these files that asks for every state trusts this."""
    scenario = discovery.find(scenario_id)

    assert walk(Model(scenario, params).system) == walk_rows(Model(scenario, params).system)


@pytest.mark.parametrize("layout", ["pmd", "mixed"])
def test_good_holds_on_three_cpus(layout: str) -> None:
    found = everything(GOOD, cpus=3, layout=layout)

    assert {"HOLDS"} == set(found.ends)
    assert found.states > 3_000


@pytest.mark.parametrize("ets2", ["no", "yes"])
@pytest.mark.parametrize("noabort", ["boot", "all"])
def test_good_holds_with_more_features(ets2: str, noabort: str) -> None:
    assert not failures(GOOD, cpus=3, layout="contpmd", ets2=ets2, noabort=noabort)


def test_good_needs_noabort_on_the_boot_cpu() -> None:
    """The one CPU that does see size changes is the one that must tolerate them."""
    assert {SIZE} == failures(GOOD, cpus=2, noabort="none")
    assert {SIZE} == failures(GOOD, cpus=2, noabort="1")


@pytest.mark.parametrize("name", BIG)
@pytest.mark.parametrize("layout", ["pmd", "contpmd", "pud"])
def test_big_twin_fails_as_expected_on_two_cpus(name: str, layout: str) -> None:
    assert expected_failures(twin(name)) == failures(twin(name), cpus=2, layout=layout)


@pytest.mark.parametrize("scenario", SIZE_TWINS, ids=names(SIZE_TWINS))
def test_size_change_is_harmless_where_all_cpus_promise_noabort(scenario: Scenario) -> None:
    """What remains are failures of the rendezvous, which have nothing to do with the TLB."""
    left = expected_failures(scenario) - {SIZE}

    assert left == failures(scenario, cpus=3, layout="pmd", noabort="all")


@pytest.mark.parametrize("name", NEED_A_TABLE_ABOVE)
@pytest.mark.parametrize("cpus", [2, 3])
def test_there_is_nothing_to_resume_a_walk_from_above_a_block_in_the_root(
    name: str, cpus: int
) -> None:
    assert not failures(twin(name), cpus=cpus, layout="pud39")
    assert {SIZE} == failures(twin(name), cpus=2, layout="pud")


def test_early_release_needs_unpublished_stores_to_do_harm() -> None:
    early, unpublished = twin("m16_release_before_flush"), twin("m16_m21_release_unpublished")
    for layout in LAYOUTS:
        assert not failures(early, cpus=2, layout=layout)
    assert {SIZE} == failures(unpublished, cpus=2, layout="pmd")
    assert unpublished.edits.replace == early.edits.replace
    assert unpublished.edits.drop


@pytest.mark.parametrize("scenario", one_in(4, ALONE))
def test_other_scenarios_fail_as_expected_only(scenario: Scenario) -> None:
    """With the default parameters; what has too many states for that, on the smallest machine."""
    if scenario.name in BIG and scenario.parameters_from({}).get("layout") == "mixed":
        found = failures(scenario, cpus=2, layout="pmd")
    else:
        found = failures(scenario)

    assert expected_failures(scenario) == found
