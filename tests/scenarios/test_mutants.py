"""The catalogue of mutants as a whole: every number, its origin, its smallest machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import takewhile
from typing import Any

import pytest

from simbbm.core.errors import SimbbmError
from simbbm.explore.search.prove import Prover
from simbbm.model import Model
from simbbm.scenario import Scenario
from tests.scenarios.everything import SHIPPED, expected_failures, one_in

NUMBERS = {*range(1, 13), *range(14, 18), *range(19, 32), *range(33, 43), 44, 45, 46, 47, 48, 50}
"""Of the ways to get the protocol wrong that are known."""
HARMLESS = {6, 9, 15, 16, 17, 19, 45, 47}
"""Of those, what is harmless by itself, at least on some machine; 9 is so without walk caches."""

SIMPLEST_FIRST = (
    "pages",
    "pmd",
    "contpte",
    "contpmd",
    "pud",
    "pud39",
    "regions",
    "invalid",
    "sides",
    "straddle",
    "mixed",
)
"""Layouts by what there is to split: nothing, one leaf, one group, a level more, several leaves."""


def numbers(name: str) -> set[int]:
    """The numbers of the mistakes that a twin makes."""
    named = takewhile(lambda part: re.fullmatch(r"m\d\d", part), name.split("_"))
    return {int(part[1:]) for part in named}


MUTANTS = {s.id: s for s in SHIPPED if numbers(s.name)}
CAUGHT = {i: s for i, s in MUTANTS.items() if not s.expect.holds and "deep::" not in i}


def fails(scenario: Scenario, params: dict[str, Any]) -> bool:
    """Whether some schedule shows what is declared; there may be no machine like that."""
    try:
        proof = Prover(Model(scenario, params)).prove()
    except SimbbmError:
        return False
    return f"{proof.verdict}:{proof.property}" in expected_failures(scenario)


def machines(scenario: Scenario) -> Iterator[dict[str, Any]]:
    """CPUs and layout, the smallest machines first; three CPUs are enough for every mutant."""
    known = {p.name: p for p in scenario.parameters}
    layouts = known["layout"].choices if "layout" in known else [None]
    for cpus in (2, 3) if "cpus" in known else (None,):
        for layout in sorted(layouts, key=lambda name: SIMPLEST_FIRST.index(name or "pages")):
            given = {"cpus": cpus, "layout": layout}
            yield {name: value for name, value in given.items() if value is not None}


def test_every_number_is_there() -> None:
    assert {n for s in MUTANTS.values() for n in numbers(s.name)} == NUMBERS


def test_every_number_says_where_it_comes_from() -> None:
    for scenario in MUTANTS.values():
        assert scenario.origin or len(numbers(scenario.name)) > 1, scenario.id


def test_what_is_harmless_alone_does_harm_with_something_else() -> None:
    harmless = {n for s in MUTANTS.values() if s.expect.holds for n in numbers(s.name)}
    harmful = {n for s in CAUGHT.values() for n in numbers(s.name)}

    # Tables that were put aside (mutant 40) make mutant 39 harmless.
    assert HARMLESS <= harmless <= HARMLESS | {27, 39}
    assert harmful == NUMBERS


@pytest.mark.parametrize("scenario", one_in(3, CAUGHT.values()))
def test_it_shows_on_the_smallest_machine_and_on_no_smaller_one(scenario: Scenario) -> None:
    told = {
        name: scenario.parameters_from({})[name]
        for name in ("cpus", "layout")
        if any(p.name == name for p in scenario.parameters)
    } | dict(scenario.smallest)

    assert told == next(params for params in machines(scenario) if fails(scenario, params))
