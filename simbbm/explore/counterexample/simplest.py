"""The simplest parameters under which a scenario still fails in the same way, no later than before.

Simpler are: a smaller number; of choices the one with the smaller machine (words of translation
tables), then the default, then what the scenario names earlier; for sets of CPUs the default.
Nothing is made simpler at the price of a longer run. From the defaults with the smallest numbers,
or one number more, if these fail, else from where one is, one parameter at a time is made as simple
as it goes, again until nothing gives: so the result does not depend on how often one asks, and
rarely on where one began.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from simbbm.core.errors import SimbbmError
from simbbm.model import Model
from simbbm.scenario import Parameter

Params = dict[str, Any]


def simplest(model: Model, steps_to: Callable[[Model], int | None]) -> Model:
    """Make parameters simpler. `steps_to` the nearest failure: None if none is found."""

    def first(candidates: Iterator[Params], now: Model) -> Model:
        limit = steps_to(now)
        for params in candidates:
            candidate = _changed(now, params)
            if candidate is not None:
                steps = steps_to(candidate)
                if steps is not None and (limit is None or steps <= limit):
                    return candidate
        return now

    now = first(_starts(model), model)
    while True:
        before = now
        for parameter in model.scenario.parameters_for(model.params):
            values = _simpler(parameter, now)
            now = first(({parameter.name: value} for value in values), now)
        if now.params == before.params:
            return now


def _starts(model: Model) -> Iterator[Params]:
    """Most failures need no more than this (the small scope hypothesis)."""
    numbers = {p.name: p.min or 0 for p in model.scenario.parameters if p.type == "int"}
    least = {p.name: numbers.get(p.name, p.default) for p in model.scenario.parameters}
    yield least
    yield from (least | {n: few + 1} for n, few in numbers.items() if few < model.params[n])


def _simpler(parameter: Parameter, model: Model) -> Iterator[Any]:
    """Values that are simpler than the present one, the simplest first."""
    value = model.params.get(parameter.name, parameter.default)
    if parameter.type == "int":
        yield from range(parameter.min or 0, value)
    elif parameter.type == "choice":
        ranks = {}
        for place, choice in enumerate(parameter.choices):
            other = _changed(model, {parameter.name: choice})
            if other is not None:
                ranks[choice] = (_size(other), choice != parameter.default, place)
        own = ranks.get(value, (_size(model), True, len(parameter.choices)))
        yield from sorted((c for c in ranks if ranks[c] < own), key=lambda c: ranks[c])
    elif value != parameter.default:
        yield parameter.default


def _changed(model: Model, params: Params) -> Model | None:
    """The model with other parameters; None if there is no such machine."""
    try:
        return model.with_(**params)
    except SimbbmError:
        return None


def _size(model: Model) -> int:
    """Words of translation tables."""
    return sum(map(len, model.setup.tables.values()))
