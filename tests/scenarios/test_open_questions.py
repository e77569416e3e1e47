"""Questions about today's code that have a page each: the answers, and what they rest on."""

from __future__ import annotations

import re
from typing import Any

import pytest

from simbbm import discovery
from simbbm.explore.search.prove import Proof, Prover
from simbbm.model import Model
from simbbm.scenario import Scenario
from tests.scenarios.everything import expected_failures, failures, names

ALL = tuple(discovery.select(["restore", "erratum_4118414", "conflict_aborts"]))
SMALL: dict[str, Any] = {"cpus": 2, "layout": "pmd"}


def proof(name: str, **params: Any) -> Proof:
    """The answer of a search of all states."""
    return Prover(Model(discovery.find(name), params)).prove()


def small(scenario: Scenario) -> dict[str, Any]:
    """Parameters under which all states can be walked without reductions."""
    defaults = scenario.parameters_from({})
    return SMALL if defaults.get("layout") == "mixed" else {}


@pytest.mark.parametrize("scenario", ALL, ids=names(ALL))
def test_it_fails_on_some_schedule_as_declared_and_in_no_other_way(scenario: Scenario) -> None:
    assert expected_failures(scenario) == failures(scenario, **small(scenario))


# The way back.


def test_an_old_block_meets_pages_before_a_tlbi_behind_the_restore() -> None:
    late = proof("restore::tlbi_comes_too_late")
    without = proof("catalogue::m09_m17_no_tlbi_at_all")

    assert late.run is not None
    assert without.run is not None
    assert len(late.run) == len(without.run)


def test_walks_start_from_the_restored_table_as_soon_as_it_is_written() -> None:
    """Were that not so, the late TLBI would be in time: the page says what it rests on."""
    late = discovery.find("restore::tlbi_comes_too_late")

    assert failures(late) == {"VIOLATED:no_size_change_seen"}
    assert not failures(late, hardware="eager")


# The erratum.


@pytest.mark.parametrize("flush", ["all", "pages"])
@pytest.mark.parametrize("layout", ["pmd", "contpmd", "sides"])
def test_no_store_is_under_way_when_the_flush_comes(layout: str, flush: str) -> None:
    """The erratum makes no difference, not even to the number of states."""
    affected, not_affected = (
        proof("erratum_4118414::good", cpus=2, layout=layout, flush=flush, erratum=erratum)
        for erratum in ("yes", "no")
    )

    assert ("PROVED", "PROVED") == (affected.verdict, not_affected.verdict)
    assert affected.states == not_affected.states


def test_the_erratum_is_about_stores_that_are_late() -> None:
    assert not failures(discovery.find("erratum_4118414::reused_page"), hardware="eager")
    found = proof("erratum_4118414::reused_page")
    assert "somebody else has written to the page" in found.message


# Conflict aborts.


@pytest.mark.parametrize("layout", ["pud", "contpmd", "contpte"])
def test_the_boot_cpu_meets_a_conflict_of_its_own_making(layout: str) -> None:
    hurt = discovery.find("conflict_aborts::level_2")

    assert failures(hurt, layout=layout) == {"VIOLATED:no_tlb_conflict"}
    message = proof("conflict_aborts::level_2", layout=layout).message
    assert message.startswith("cpu0 takes a level")
    assert "which nobody handles" in message


@pytest.mark.parametrize("layout", ["pmd", "pages"])
def test_where_it_looks_at_nothing_of_both_sizes_it_is_not_hurt(layout: str) -> None:
    """One block, the last thing that is split: nothing is loaded through it any more."""
    assert not failures(discovery.find("conflict_aborts::level_2"), layout=layout)


def test_a_handler_that_touches_the_map_aborts_within_itself() -> None:
    assert "in do_conflict_looking_first" in proof("conflict_aborts::handler_looks_first").message


@pytest.mark.parametrize("layout", ["pud", "pmd", "sides", "mixed"])
def test_a_handler_that_flushes_gets_through(layout: str) -> None:
    found = proof("conflict_aborts::handler_flushes", layout=layout)

    assert found.verdict == "PROVED"


@pytest.mark.parametrize("layout", ["contpmd", "contpte"])
def test_where_the_tables_have_both_sizes_it_may_come_back_for_ever(layout: str) -> None:
    """While CONT is cleared, in the group that holds the tables: a flush does not last."""
    found = proof("conflict_aborts::handler_flushes", layout=layout)

    assert ("STUCK", "terminates") == (found.verdict, found.property)
    assert re.search(r"split_cont(pmd|pte).ldr#2!conflict", found.message)
    assert "every time, and never cpu0:" in found.message


def test_the_others_are_still_watched() -> None:
    """A mistake by which they see a size change is seen, although the boot CPU is excused."""
    drop = discovery.find("linear_map_split::m09_no_tlbi").edits.drop
    handled = discovery.find("conflict_aborts::handler_flushes")
    hurt = handled.twin("No TLBI.", expect="HOLDS", drop=drop)

    assert failures(hurt) == {"VIOLATED:no_size_change_seen"}
