"""Shipped scenarios with a step taken away, weakened, put off or added, or another routine.

Steps are changed as on the command line; routines as a twin does, by any other that asks for as
much.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from inspect import signature
from itertools import pairwise, permutations
from typing import Any, NamedTuple

from hypothesis import strategies as st

from simbbm import discovery
from simbbm.changes import Change
from simbbm.core.program import Program
from simbbm.core.programs.automaton import Automaton
from simbbm.core.programs.edits import Edits
from simbbm.core.values import qualified_name
from simbbm.explore.counterexample.ablate import Ablator
from simbbm.model import Model
from simbbm.scenario import Scenario

SMALL = {"cpus": 2, "layout": "pmd"}
"""Parameters, of those that a scenario has."""
NAMES = (
    *("bbm_minimal::good",) * 3,
    *("erratum_4118414::reused_page_flushed_twice",) * 3,
    *("late_cpu::good",) * 3,
    "linear_map_split::good",
    "idmap::good",
    "memory_hotplug::good",
    "live_split::good",
    "preempt_rt::good",
    "hypervisor::split_block",
    "guest_memory::protected",
    "world_switch::rollover",
)
"""The small ones more often: of the others few are small enough."""


class Edited(NamedTuple):
    """A shipped scenario, and what is changed in it."""

    name: str
    changes: tuple[int, ...] = ()
    """Which of all changes that can be made (`_singles`)."""
    swaps: tuple[int, ...] = ()
    """Which of all pairs of routines that can be swapped."""

    @property
    def params(self) -> Mapping[str, Any]:
        """The smallest machine of its kind."""
        return _params(discovery.find(self.name))

    def scenario(self) -> Scenario:
        """The scenario with its changes."""
        scenario, singles = discovery.find(self.name), _singles(self.name)
        for number in self.changes:
            scenario = scenario.changed(singles[number % len(singles)])
        swaps = _swaps(self.name)
        new = Edits(tuple(swaps[number % len(swaps)] for number in self.swaps if swaps))
        return replace(scenario, edits=scenario.edits.merged(new))


def _params(scenario: Scenario) -> dict[str, Any]:
    known = {p.name for p in scenario.parameters}
    return {name: value for name, value in SMALL.items() if name in known}


@cache
def _ablator(name: str) -> Ablator:
    scenario = discovery.find(name)
    return Ablator(Model(scenario, _params(scenario)))


@cache
def _singles(name: str) -> list[Change]:
    """What ablate tries, and an operation more at each step, and steps that change places."""
    singles = _ablator(name).singles()
    steps = [*dict.fromkeys(change.step for change in singles)]
    more = (Change(s, change) for s in steps for change in ("after:dsb.ish", "before:isb"))
    swapped = (Change(one, f"swap:{other}") for one, other in pairwise(steps))
    return [*singles, *more, *swapped]


@cache
def _swaps(name: str) -> list[tuple[str, Program]]:
    """A routine that runs, and another that runs in its place."""
    automaton = _ablator(name).automaton
    assert isinstance(automaton, Automaton)
    points = automaton._points.values()
    ran = {qualified_name(point.function): point.function for point in points}
    asks = {name: len(signature(function).parameters) for name, function in ran.items()}
    pairs = permutations(sorted(ran), 2)
    return [(old, ran[new]) for old, new in pairs if asks[old] == asks[new]]


def edited() -> st.SearchStrategy[Edited]:
    """A shipped scenario with one or two changes."""
    number = st.integers(0, 9_999)
    changes = st.lists(number, min_size=1, max_size=2).map(tuple)
    return st.one_of(
        st.builds(Edited, st.sampled_from(NAMES), changes),
        st.builds(Edited, st.sampled_from(NAMES), st.just(()), st.tuples(number)),
    )
