"""Everything that can happen in a scenario, without any reduction: the yardstick of these tests."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import pytest

from simbbm import discovery
from simbbm.arm64.features import Hardware
from simbbm.arm64.machine import Arm64
from simbbm.arm64.rows import Rows
from simbbm.arm64.state import Machine
from simbbm.model import Model
from simbbm.scenario import Scenario, Setup

LIMIT = 200_000
"""States: above the largest space that the fast tests walk."""

SHIPPED = tuple(discovery.shipped())
GOOD = next(s for s in SHIPPED if s.id == "linear_map_split::good")
TWINS = tuple(discovery.twins_of(GOOD))

BIG = ("m20_no_dsb_before_populate", "m21_stores_unpublished")
"""Twins whose stores stay in the buffer: more than 150,000 states each at cpus=3 layout=mixed."""

ROUNDS = frozenset(
    f"{stem}::{name}"
    for stem, twins in {
        "spurious_fault": ("not_flushed", "wrong_asid", "wrong_page"),
        "access_flags": ("gathered", "target_alone", "target_looked_at", "not_flushed"),
        "erratum_3683289": ("listed", "live_change"),
    }.items()
    for name in twins
)
"""STUCK because hardware may go by an old entry, or stall, for ever. A run comes out of such a
round, so that searches alone find them (`simbbm guide model`)."""
CAUGHT = tuple(s for s in SHIPPED if not s.expect.holds and s.id not in ROUNDS)
"""Bad scenarios that runs find as well."""


@dataclass
class Everything:
    """What a walk through all states came to."""

    states: int = 0
    transitions: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    """How runs end, as an expectation says it, and in how many states."""


def twin(name: str) -> Scenario:
    """The twin of the merged protocol with this name."""
    return next(s for s in TWINS if s.name == name)


def one_in(
    share: int, scenarios: Iterable[Scenario], name: Callable[[Scenario], str] = lambda s: s.id
) -> list[Any]:
    """Scenarios as parameters of a test: one in `share` of them, all in `nox -s quality`.

    For tests that search each scenario anew: others of these files come to the others.
    """
    return [
        pytest.param(s, id=name(s), marks=[pytest.mark.quality] if i % share else [])
        for i, s in enumerate(scenarios)
    ]


def on_cpus(scenarios: Iterable[Scenario], share: int = 6) -> list[Any]:
    """Scenarios with numbers of CPUs as parameters of a test: 2, and 3 for one in `share`."""
    listed = [*scenarios]
    rest = pytest.mark.quality
    return [pytest.param(s, 2, id=f"{s.name}-2") for s in listed] + [
        pytest.param(s, 3, id=f"{s.name}-3", marks=[rest] if i % share else [])
        for i, s in enumerate(listed)
    ]


def names(twins: tuple[Scenario, ...]) -> list[str]:
    """What to call tests over them."""
    return [s.name for s in twins]


def walk(
    system: Arm64, visit: Callable[[Machine], object] | None = None, limit: int = LIMIT
) -> Everything:
    """Visit every reachable state, in order of distance; not beyond those that fail.

    States are compared by identity of their parts, so the machine must not have forgotten any.
    """
    initial = system.initial()
    found, met, waiting = Everything(), {initial}, deque([initial])
    while waiting:
        state = waiting.popleft()
        found.states += 1
        if visit:
            visit(state)
        moves = system.moves(state)
        end = how_it_ends(system, state)
        if end is not None:
            found.ends[end] += 1
            if end != "HOLDS":
                continue
        for move in moves:
            found.transitions += 1
            after = system.apply(state, move)
            if after not in met:
                met.add(after)
                waiting.append(after)
        assert len(met) <= limit, f"more than {limit:,} states"
    return found


def how_it_ends(system: Arm64, state: Machine) -> str | None:
    """How a run that has come to this state ends, None if it goes on."""
    if problem := system.problem(state):
        return f"VIOLATED:{problem.property}"
    if any(not move.optional for move in system.moves(state)):
        return None
    if system.unfinished(state):
        return "STUCK:terminates"
    if problem := system.final_problem(state):
        return f"VIOLATED:{problem.property}"
    return "HOLDS"


def everything(scenario: Scenario, limit: int = LIMIT, **params: Any) -> Everything:
    """Walk all states of a scenario; of the same one once for all tests of a process."""
    return _everything(scenario, limit, tuple(sorted(params.items())))


@cache
def _everything(scenario: Scenario, limit: int, params: tuple[tuple[str, Any], ...]) -> Everything:
    return walk_rows(Model(scenario, dict(params)).system, limit)


def walk_rows(system: Arm64, limit: int = LIMIT) -> Everything:
    """The same as `walk` finds, on rows: faster, and held against it in `test_every_schedule`."""
    rows = Rows(system)
    initial = rows.state(system.initial())
    found, met, waiting = Everything(), {initial}, deque([initial])
    while waiting:
        state = waiting.popleft()
        found.states += 1
        able = rows.rows(state)
        if not (rows.fine(state, able) and any(row.due for row in able)):
            end = how_it_ends(system, rows.machine(state))
            if end is not None:
                found.ends[end] += 1
                if end != "HOLDS":
                    continue
        for row in able:
            for step in row.steps:
                found.transitions += 1
                after = rows.after(state, step)
                if after not in met:
                    met.add(after)
                    waiting.append(after)
        assert len(met) <= limit, f"more than {limit:,} states"
    return found


def failures(scenario: Scenario, limit: int = LIMIT, **params: Any) -> set[str]:
    """Every way in which a scenario fails."""
    return everything(scenario, limit, **params).ends.keys() - {"HOLDS"}


def on_hardware(scenario: Scenario, change: Callable[[Hardware], Hardware]) -> Scenario:
    """The scenario on other hardware."""

    def build(**parameters: Any) -> Setup:
        setup = scenario.build(**parameters)
        return replace(setup, hardware=change(setup.hardware))

    return replace(scenario, build=build)


def expected_failures(scenario: Scenario) -> set[str]:
    """The ways in which it is expected to fail."""
    return {f"{verdict}:{name}" for verdict, name in scenario.expect.failures}
