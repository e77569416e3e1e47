"""Searches against brute force under stage 2: hypervisors with one step changed each."""

from __future__ import annotations

from collections import Counter

import pytest

from simbbm.core.errors import ScenarioError
from tests.differential.compare import compare
from tests.differential.edited import Edited
from tests.differential.oracle import TooLargeError

NAMES = (
    "hypervisor::split_block",
    "world_switch::vms",
    "world_switch::vcpus",
    "world_switch::rollover",
)
STATES = 700
CHANGES = range(0, 40, 8)
"""Numbers of changes: steps that are left out, weakened, put off, swapped, and more of them."""


def agreed(name: str, changes: range, states: int = STATES) -> Counter[str]:
    """Compare the scenario with each change; how many were, and in how many ways they failed."""
    tally = Counter[str]()
    for number in changes:
        edited = Edited(name, (number,))
        try:
            found = compare(edited.scenario(), edited.params, states)
        except (TooLargeError, ScenarioError):
            continue
        tally["compared"] += 1
        tally["violated"] += bool(found.ways)
    return tally


@pytest.mark.parametrize("name", NAMES)
def test_brute_force_agrees_on_hypervisors_with_a_mistake(name: str) -> None:
    tally = agreed(name, CHANGES)

    assert tally["compared"] >= 3


@pytest.mark.quality
@pytest.mark.parametrize("name", [*NAMES, "hypervisor::copied", "hypervisor::moved"])
def test_brute_force_agrees_on_all_mistakes(name: str) -> None:
    tally = agreed(name, range(120), 4_000)

    assert tally["compared"] >= 30
    assert tally["violated"] >= 3
