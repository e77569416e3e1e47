"""The protocol's own history: every version with the problem that it had, found by search."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from simbbm import discovery
from simbbm.arm64.machine import Arm64
from simbbm.explore.search.prove import Prover
from simbbm.model import Model
from simbbm.scenario import Scenario
from tests.scenarios.everything import GOOD, expected_failures, failures, names, on_cpus

ALL = tuple(discovery.select(["history"]))
MERGED = discovery.find("history::v6_18")
MUTEX = "split_kernel_leaf_mapping.might_sleep"
MENDED = tuple(s for s in ALL if not s.expect.holds)
ELSEWHERE = {
    # The same mistake under its number in the catalogue.
    "v3_only_boot_cpu": "linear_map_split::m01_only_boot_cpu_runs_fn",
    "v3_gfp_kernel": "linear_map_split::m38_sleeping_allocation",
    "v4_read_once": "catalogue::m15_read_once_spin",
    "v5_memblock": "catalogue_walk::m44_region_missed",
    "v6_18_realm": "realm::refused_until_final",
    "v6_18_realm_block": "realm::invalid_block_ignored",
    "v6_18_invalid_block": "catalogue_walk::m46_invalid_block_resurrected",
}
MENDED_LATER = {
    # Not about the repaint, and how it is today.
    "v6_18_rc_mutex_in_softirq": "history::v6_18_kfence",
    "v6_18_realm": "realm::good",
    "v6_18_realm_block": "realm::good",
}


def steps(scenario: Scenario, **params: Any) -> list[str]:
    """What is done in the run that always goes on with the first move that there is."""
    system: Arm64 = Model(scenario, params).system
    state, done = system.initial(), []
    while moves := [move for move in system.moves(state) if not move.optional]:
        done.append(moves[0].label)
        state = system.apply(state, moves[0])
    assert all(cpu.finished for cpu in state.cpus)
    return done


@pytest.mark.parametrize(("scenario", "cpus"), on_cpus(ALL))
def test_verdict_of_a_search_of_all_states_is_the_declared_one(
    scenario: Scenario, cpus: int
) -> None:
    found = Prover(Model(scenario, {"cpus": cpus})).prove()
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
    """On the same machine; what was merged and mended later is not in what it is today."""
    params = {p.name: p.default for p in scenario.parameters}
    later = MENDED_LATER.get(scenario.name)

    assert not failures(discovery.find(later) if later else GOOD, **params)


@pytest.mark.parametrize("name", sorted(ELSEWHERE))
def test_it_fails_as_the_same_mistake_does_in_the_catalogue(name: str) -> None:
    here, there = discovery.find(f"history::{name}"), discovery.find(ELSEWHERE[name])

    assert expected_failures(here) == expected_failures(there)


# Later.


@pytest.mark.parametrize("name", ["v6_18_realm", "v6_18_realm_block"])
def test_what_is_told_of_realms_is_what_is_searched_there(name: str) -> None:
    here, there = discovery.find(f"history::{name}"), discovery.find(ELSEWHERE[name])

    assert (here.edits, here.parameters) == (there.edits, there.parameters)


IN_SOFTIRQ = discovery.find("history::v6_18_rc_mutex_in_softirq")


def test_without_lazy_mmu_mode_there_are_more_barriers_and_nothing_else() -> None:
    at_once = discovery.find("history::v6_18_rc_barriers_at_once")
    params = {p.name: p.default for p in at_once.parameters}
    before, after = steps(at_once, **params), steps(MERGED, **params)

    assert len(before) - len(after) == 2 * (3 - 1)
    assert Counter(map(kind, before)) - Counter(map(kind, after)) == {"dsb.ishst": 2, "isb": 2}


def kind(label: str) -> str:
    """The operation of a step."""
    return label.rpartition(":")[2].partition(".")[2].partition("#")[0]


@pytest.mark.parametrize("cause", ["kfence_protect_page.daifset", MUTEX])
def test_the_mutex_is_harmless_where_one_may_sleep_and_so_is_a_softirq_without_it(
    cause: str,
) -> None:
    assert failures(IN_SOFTIRQ) == {"VIOLATED:no_sleep_in_atomic"}
    assert not failures(IN_SOFTIRQ.twin("Without its cause.", expect="HOLDS", drop=[cause]))


def test_what_may_sleep_is_named() -> None:
    message = Prover(Model(IN_SOFTIRQ)).prove().message

    assert message == "cpu0 may sleep in split_kernel_leaf_mapping with interrupts masked"


@pytest.mark.parametrize("layout", ["pmd", "contpmd", "pud"])
def test_kfence_splits_its_pool_before_and_takes_no_mutex_in_a_softirq(layout: str) -> None:
    kfence = discovery.find("history::v6_18_kfence")
    done = [label for label in steps(kfence, cpus=2, layout=layout) if label.startswith("cpu0")]
    masked = done.index("cpu0:set_memory/kfence_protect_page.daifset")

    assert not failures(kfence, cpus=2, layout=layout)
    assert "cpu0.drain[pmd@0[0]]" in done[:masked] or layout == "pud"
    assert any("split_pmd.dsb" in label for label in done[:masked])
    assert "daifclr" in done[masked + 1]
    assert not any(MUTEX in label or "tlbi" in label for label in done)
