"""Interrupts between CPUs, and what else is beside a core: everything that the scenarios can do."""

from __future__ import annotations

import pytest

from simbbm import discovery
from simbbm.scenario import Scenario
from tests.scenarios.everything import expected_failures, failures, names

ALL = tuple(discovery.select(["ipi", "power_on", "code_patching"]))


@pytest.mark.parametrize("scenario", ALL, ids=names(ALL))
def test_it_fails_as_declared_and_in_no_other_way(scenario: Scenario) -> None:
    assert expected_failures(scenario) == failures(scenario)
