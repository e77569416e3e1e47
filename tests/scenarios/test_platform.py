"""Interrupts between CPUs, and what else is beside a core: everything that the scenarios can do."""

from __future__ import annotations

import pytest

from simbbm import discovery, explore
from simbbm.scenario import Scenario
from tests.scenarios.everything import expected_failures, failures, names

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
