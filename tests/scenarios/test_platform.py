"""Interrupts between CPUs, and what else is beside a core: everything that the scenarios can do."""

from __future__ import annotations

import pytest

from simbbm import discovery, explore
from simbbm.arm64.platform.errata import ERRATA
from simbbm.explore.search.prove import Prover
from simbbm.model import Model
from simbbm.scenario import Scenario
from tests.scenarios.everything import expected_failures, failures, names, on_hardware

ALL = tuple(
    discovery.select(["ipi", "power_on", "code_patching", "erratum_4193714", "erratum_3683289"])
)


ROUNDS = ("live_change", "listed")
"""They go round for ever, which a walk over all states does not see."""
ENDS = tuple(one for one in ALL if one.name not in ROUNDS)


@pytest.mark.parametrize("name", ROUNDS)
def test_an_access_that_stalls_goes_round_for_ever(name: str) -> None:
    found = explore(f"erratum_3683289::{name}")
    assert found.expected
    assert "stall" in found.message


@pytest.mark.parametrize("scenario", ENDS, ids=names(ENDS))
def test_it_fails_as_declared_and_in_no_other_way(scenario: Scenario) -> None:
    assert expected_failures(scenario) == failures(scenario)


ABLATED = {
    # what is switched off (R26, R27, each erratum): who has failed until then, and holds now
    "reset-leaves-entries": ("power_on::no_tlbi_at_reset", "power_on::tlbi_not_completed"),
    "sctlr-takes-effect-late": ("power_on::no_isb_after_mmu",),
    "fetched-stays-until-synchronised": (
        "code_patching::no_isb_on_others",
        "code_patching::no_isb_here",
    ),
    "4118414": ("erratum_4118414::reused_page",),
    "4193714": ("erratum_4193714::reused_page", "erratum_4193714::flushed_twice"),
    "3683289": ("erratum_3683289::live_change",),
}


@pytest.mark.parametrize(
    ("rule", "name"), [(rule, name) for rule, every in ABLATED.items() for name in every]
)
def test_a_rule_that_is_missing_is_noticed(rule: str, name: str) -> None:
    noticed = discovery.find(name)
    without = on_hardware(noticed, lambda h: h._replace(ablations=(rule,)))

    assert Prover(Model(noticed)).prove().property
    assert not Prover(Model(without)).prove().property


def test_each_erratum_can_be_ablated() -> None:
    assert set(ERRATA) <= set(ABLATED)
