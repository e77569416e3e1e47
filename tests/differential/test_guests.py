"""Searches against brute force under stage 2: hypervisors with one step changed each."""

from __future__ import annotations

from collections import Counter

import pytest

from simbbm import discovery
from simbbm.arm64.translation.guest_mmu import GuestMmu
from simbbm.arm64.translation.mmu import Mmu
from simbbm.arm64.translation.stage2 import TwoStageView
from simbbm.arm64.translation.view import View
from simbbm.core.errors import ScenarioError
from tests.differential.compare import DisagreementError, compare
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
    tally = agreed(name, range(60), 4_000)

    assert tally["compared"] >= 20
    assert tally["violated"] >= 3


PLANTED = {
    # what is left out, and who notices
    "tables of stage 2 in footprints": (
        (TwoStageView, "table_addresses", View.table_addresses),
        "guest_memory::mapped",
    ),
    "what is parked, where a TLBI acts alone": (
        (GuestMmu, "holds_nothing", Mmu.holds_nothing),
        "guest_memory::flushed_too_late",
    ),
}


@pytest.mark.parametrize("mistake", PLANTED)
def test_a_mistake_about_guests_shows(mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (kind, name, instead), noticed = PLANTED[mistake]
    scenario = discovery.find(noticed)
    params = {p.name: 2 for p in scenario.parameters if p.name == "cpus"}
    assert compare(scenario, params, STATES).states

    monkeypatch.setattr(kind, name, instead)
    with pytest.raises(DisagreementError):
        compare(scenario, params, STATES)
