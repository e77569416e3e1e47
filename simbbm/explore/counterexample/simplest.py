"""The simplest parameters under which a scenario still fails in the same way, no later than before.

Simpler are: a smaller number; of choices the one with the smaller machine (words of translation
tables), then the default, then what the scenario names earlier; for sets of CPUs the default.
Nothing is made simpler at the price of a longer run. From the defaults with the smallest numbers,
or one number more, if these fail, else from where one is, one parameter at a time is made as simple
as it goes, again until nothing gives: so the result does not depend on how often one asks, and
rarely on where one began.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from simbbm.core.errors import SimbbmError
from simbbm.scenario import Parameter, Scenario

Params = dict[str, Any]


def simplest(
    scenario: Scenario, params: Mapping[str, Any], steps_to: Callable[[Params], int | None]
) -> Params:
    """Make parameters simpler. `steps_to` the nearest failure: None if none is found."""

    def first(candidates: Iterator[Params], now: Params) -> Params:
        limit = steps_to(now)
        for candidate in candidates:
            if _size(scenario, candidate) is not None:
                steps = steps_to(candidate)
                if steps is not None and (limit is None or steps <= limit):
                    return candidate
        return now

    now = first(_starts(scenario, params), dict(params))
    while True:
        before = now
        for parameter in scenario.parameters:
            values = _simpler(scenario, parameter, now)
            now = first((now | {parameter.name: value} for value in values), now)
        if now == before:
            return now


def _starts(scenario: Scenario, params: Mapping[str, Any]) -> Iterator[Params]:
    """Most failures need no more than this (the small scope hypothesis)."""
    numbers = {p.name: p.min or 0 for p in scenario.parameters if p.type == "int"}
    least = {p.name: numbers.get(p.name, p.default) for p in scenario.parameters}
    yield least
    yield from (least | {n: few + 1} for n, few in numbers.items() if few < params[n])


def _simpler(scenario: Scenario, parameter: Parameter, params: Params) -> Iterator[Any]:
    """Values that are simpler than the present one, the simplest first."""
    value = params[parameter.name]
    if parameter.type == "int":
        yield from range(parameter.min or 0, value)
    elif parameter.type == "choice":
        ranks = {}
        for place, choice in enumerate(parameter.choices):
            size = _size(scenario, params | {parameter.name: choice})
            if size is not None:
                ranks[choice] = (size, choice != parameter.default, place)
        yield from sorted((c for c in ranks if ranks[c] < ranks[value]), key=lambda c: ranks[c])
    elif value != parameter.default:
        yield parameter.default


def _size(scenario: Scenario, params: Params) -> int | None:
    """Words of translation tables; None if there is no such machine."""
    try:
        return sum(map(len, scenario.setup(params).tables.values()))
    except SimbbmError:
        return None
