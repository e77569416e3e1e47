"""Shapes of plots: they say what the numbers say."""

from __future__ import annotations

import re

import pytest

from simbbm.explore.counterexample.explanation import Allowances, Curve, Explanation
from simbbm.report.html.page import page
from simbbm.report.html.plots import COLUMNS_MAX, detection, growth, likelihood, percent
from tests.report.told import told

NAME = "bbm_minimal::no_invalidation"


def heights(path: str, columns: int) -> list[float]:
    """The height of a line of stairs in every column."""
    start = re.match(r"M([\d.]+) ([\d.]+)", path)
    assert start is not None
    at, height, found = float(start[1]), float(start[2]), list[float]()
    rest = path[start.end() :]
    for letter, number in re.findall(r"([HV])([\d.]+)", rest):
        if letter == "V":
            height = float(number)
            continue
        found += [height] * round(float(number) - at)
        at = float(number)
    return found[:columns]


def test_likelihood_is_that_of_each_state() -> None:
    chances = (0.2, 0.2, 0.1, 0.104, 0.5, 1.0, 1.0)
    plot = likelihood(chances)

    assert plot is not None
    assert heights(plot.line, len(chances)) == pytest.approx([100 - 100 * c for c in chances])
    assert [rise.step for rise in plot.rises] == [1, 3, 4]
    assert (plot.rises[1].before, plot.rises[1].after) == ("10.4 %", "50 %")
    assert plot.sealed == 4


@pytest.mark.parametrize("chances", [(1.0, 1.0), (0.5, 0.25, 0.0)])
def test_what_is_certain_from_the_start_or_left_in_the_end_has_no_plot(
    chances: tuple[float, ...],
) -> None:
    assert likelihood(chances) is None


def test_what_is_not_certain_does_not_look_so() -> None:
    assert (percent(1), percent(0.99999), percent(0.9994)) == (
        "100 %",
        "more than 99.9 %",
        "99.9 %",
    )


def test_growth_keeps_every_layer_or_the_largest_of_several() -> None:
    few = growth((1, 3, 2))
    assert (few.columns, few.most) == (3, 3)
    assert heights(few.area, 3) == [2, 0, 1]

    many = growth((*[1] * 1_000, 77, *[1] * 1_000))
    assert many.columns <= COLUMNS_MAX
    assert many.most == 77
    assert min(heights(many.area, many.columns)) == 0


def test_detection_counts_the_twins_that_are_found_within_so_many_runs() -> None:
    plot = detection({"one": [1, 10, None], "none": [None, None, None]}, cap=100)

    assert (plot.twins, [curve.found for curve in plot.curves]) == (3, [2, 0])
    assert plot.ticks == ((1, 0), (10, 50), (100, 100))
    found = heights(plot.curves[0].line, 100)
    assert found[0] == pytest.approx(100 - 100 / 3, abs=0.01)
    assert found[49] == pytest.approx(100 - 100 / 3, abs=0.01)
    assert found[50:] == pytest.approx([100 - 200 / 3] * 50, abs=0.01)
    assert heights(plot.curves[1].line, 100) == [100] * 100


def test_a_page_plots_how_likely_its_failure_is() -> None:
    run = told(NAME)
    states = len(run.story.events) + 1
    chances = (*(0.25 for _ in range(states - 2)), 0.5, 1.0)
    explained = Explanation(10, Allowances((), (), ()), Curve(chances), None, 10)
    text = page(run.case(explained))
    unknown = page(run.case(explained._replace(curve=None)))

    assert f'viewBox="0 0 {states} 100"' in text
    assert f"step {states - 2}: 50 % → 100 %" in text
    assert f'<a href="#step-{states - 2}">step {states - 2}</a> it is certain' in text
    assert "<figure" not in unknown
