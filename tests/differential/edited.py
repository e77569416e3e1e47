"""Shipped scenarios with one or two steps taken away, weakened or put off, as `ablate` does."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from hypothesis import strategies as st

from simbbm import discovery
from simbbm.explore.ablate import Ablator, Change, with_change
from simbbm.scenario import Scenario

SMALL = {"cpus": 2, "layout": "pmd"}
"""Parameters, of those that a scenario has."""
NAMES = (
    "bbm_minimal::good",
    "linear_map_split::good",
    "idmap::good",
    "memory_hotplug::good",
    "erratum_4118414::reused_page_flushed_twice",
    "live_split::good",
    "late_cpu::good",
    "preempt_rt::good",
)


class Edited(NamedTuple):
    """A shipped scenario, and what is changed in it."""

    name: str
    changes: tuple[int, ...]
    """Which of all changes that can be made (`Ablator.singles`)."""

    @property
    def params(self) -> Mapping[str, Any]:
        """The smallest machine of its kind."""
        return _params(discovery.find(self.name))

    def scenario(self) -> Scenario:
        """The scenario with its changes."""
        scenario, singles = discovery.find(self.name), _singles(self.name)
        for number in self.changes:
            scenario = with_change(scenario, singles[number % len(singles)])
        return scenario


def _params(scenario: Scenario) -> dict[str, Any]:
    known = {p.name for p in scenario.parameters}
    return {name: value for name, value in SMALL.items() if name in known}


@cache
def _singles(name: str) -> list[Change]:
    scenario = discovery.find(name)
    return Ablator(scenario, _params(scenario)).singles()


def edited() -> st.SearchStrategy[Edited]:
    """A shipped scenario with one or two changes."""
    changes = st.lists(st.integers(0, 199), min_size=1, max_size=2).map(tuple)
    return st.builds(Edited, st.sampled_from(NAMES), changes)
