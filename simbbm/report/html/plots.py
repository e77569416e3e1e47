"""Plots as shapes: what the templates draw as SVG.

A shape is stretched to the width that there is, so its coordinates are what they mean (steps,
layers, percent); what is written beside it is no part of it, and keeps its size.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from math import log10
from typing import NamedTuple

COLUMNS_MAX = 300
"""Columns of a plot of growth. More could not be told apart."""
RISE_MIN = 0.005
"""Of a probability: a step that changes it by less is not pointed at."""


class Rise(NamedTuple):
    """A step with which the failure becomes more likely, or less."""

    step: int
    before: str
    after: str


class Likelihood(NamedTuple):
    """The probability of a failure in each state of its run; a state is one unit wide."""

    states: int
    line: str
    """Its height is 100, and 0 the certain end."""
    rises: tuple[Rise, ...]
    sealed: int | None
    """The step after which it is certain; None if it is so from the start on."""


class Growth(NamedTuple):
    """How many states are first met at each distance."""

    columns: int
    most: int
    area: str


class Curve(NamedTuple):
    """How many bad twins a strategy finds, by the runs that it takes."""

    name: str
    line: str
    found: int


class Detection(NamedTuple):
    """The curves of several strategies, runs on a logarithmic scale."""

    twins: int
    curves: tuple[Curve, ...]
    ticks: tuple[tuple[int, float], ...]
    """Runs, and where they are in percent."""


def likelihood(chances: Sequence[float]) -> Likelihood | None:
    """The plot of a curve of probabilities; None if it does not change, or ends with none."""
    if chances[0] == 1 or chances[-1] == 0:
        return None
    sealed = next(i for i, chance in enumerate(chances) if chance == 1) - 1
    rises = (
        Rise(step, percent(before), percent(after))
        for step, (before, after) in enumerate(pairwise(chances))
        if abs(after - before) >= RISE_MIN or step == sealed
    )
    heights = [100 - 100 * chance for chance in chances]
    return Likelihood(len(chances), _stairs(enumerate(heights), len(chances)), (*rises,), sealed)


def percent(chance: float) -> str:
    """A probability in percent; what is not certain does not look as if it were."""
    if 0.9995 <= chance < 1:
        return "more than 99.9 %"
    return f"{100 * chance:.3g} %"


def growth(layers: Sequence[int]) -> Growth:
    """The plot of the states of each layer; of several that share a column the largest."""
    width = -(-len(layers) // COLUMNS_MAX)
    heights = [max(layers[i : i + width]) for i in range(0, len(layers), width)]
    most = max(heights)
    stairs = _stairs(((i, most - height) for i, height in enumerate(heights)), len(heights))
    return Growth(len(heights), most, f"{stairs}V{most}H0Z")


def detection(medians: Mapping[str, Sequence[float | None]], cap: int) -> Detection:
    """The plot of a kill table: by strategy, the median of each twin, None if beyond the cap."""
    twins = max(len(each) for each in medians.values())
    curves = (_curve(name, each, cap, twins) for name, each in medians.items())
    decades = [10**power for power in range(len(str(cap))) if 10**power <= cap]
    ticks = tuple((runs, round(_place(runs, cap), 2)) for runs in dict.fromkeys((*decades, cap)))
    return Detection(twins, (*curves,), ticks)


def _curve(name: str, medians: Sequence[float | None], cap: int, twins: int) -> Curve:
    known = sorted(median for median in medians if median is not None)
    places = [(0.0, 100.0)] + [
        (_place(median, cap), 100 - 100 * count / twins) for count, median in enumerate(known, 1)
    ]
    return Curve(name, _stairs(places, 100), len(known))


def _place(runs: float, cap: int) -> float:
    return 100 * log10(max(runs, 1)) / log10(cap) if cap > 1 else 100.0


def _stairs(places: Iterable[tuple[float, float]], end: float) -> str:
    """A line that keeps each height until the next place; straight pieces are one."""
    path, height = "", None
    for x, y in places:
        if height is None:
            path = f"M{_number(x)} {_number(y)}"
        elif y != height:
            path += f"H{_number(x)}V{_number(y)}"
        height = y
    return f"{path}H{_number(end)}"


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
