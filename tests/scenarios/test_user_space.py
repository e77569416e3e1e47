"""A user's page tables: every verdict, and that what the kernel does there is come to."""

from __future__ import annotations

from typing import Any

import pytest

from simbbm import discovery
from simbbm.explore.search.prove import Prover
from simbbm.model import Model
from simbbm.scenario import Scenario
from tests.scenarios.everything import expected_failures, one_in

STEMS = ("contpte", "spurious_fault", "access_flags", "asid_rollover")
ALL = tuple(discovery.select(STEMS))


@pytest.mark.parametrize("scenario", one_in(5, ALL))
def test_verdict_of_a_search_of_all_states_is_the_declared_one(scenario: Scenario) -> None:
    found = Prover(Model(scenario)).prove()
    got = {f"{found.verdict}:{found.property}"} if found.property else set()

    assert got <= expected_failures(scenario)
    assert bool(got) != scenario.expect.holds


def test_every_mistake_says_where_it_comes_from() -> None:
    assert [s.id for s in ALL if not s.expect.holds and not s.origin] == []


def never(name: str, **params: Any) -> set[str]:
    """The awaits of the modelled kernel that no schedule comes to, without line numbers."""
    listed = Prover(Model(discovery.find(name), params)).prove().never
    return {" ".join(line.split()[1:]) for line in listed if "panic" not in line}


def test_every_step_of_the_model_is_come_to() -> None:
    """Where a function is called: one scenario comes to what another one does not."""
    folds = {"contpte_try_fold: contpte_convert(cpu, mm, page, [...]"}
    assert never("contpte::flushed_between") == folds
    assert not folds & never("contpte::folded_flushed_between")

    unfolds = never("access_flags::good", dirty="read_only")
    again = "handle_pte_fault: flush_tlb_fix_spurious_fault(cpu, mm, page)"
    assert never("access_flags::good") & unfolds == {again}
    assert again not in never("spurious_fault::good")

    fast = {"switch_without_lock: cmpxchg_relaxed(cpu, active, old, context_id)"}
    assert never("asid_rollover::threads") == fast
    assert not fast & never("asid_rollover::good", cpus=1)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("contpte::elided_without_bbml3", {"system": "without"}),
        ("contpte::changed_page_flushed_between", {"noabort": "all"}),
        ("access_flags::gathered", {"cpus": 2, "hardware": "eager"}),
    ],
)
def test_what_a_mistake_needs(name: str, params: dict[str, Any]) -> None:
    """On a system, or by hardware, that does not have it, nothing goes wrong or it still does."""
    found = Prover(Model(discovery.find(name), params)).prove()
    needs_no_hardware = name == "access_flags::gathered"

    assert bool(found.property) == needs_no_hardware
