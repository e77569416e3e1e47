"""Shrinking every twin: to the breadth-first optimum, from 20 failures to one, and once for all."""

from __future__ import annotations

from time import perf_counter

import pytest

from simbbm.explore.counterexample.shrink import Shrunk, shrink
from simbbm.explore.runs.replay import model_of
from simbbm.explore.search.attempt import Attempt
from simbbm.explore.search.breadth_first import Limits
from simbbm.explore.witness.recording import Witness, token
from simbbm.model import Model
from simbbm.scenario import Scenario
from tests.explore.test_shrink import failing
from tests.quality.campaigns import show
from tests.scenarios.everything import CAUGHT

pytestmark = [pytest.mark.quality, pytest.mark.timeout(1_800)]

FAILURES = 20
OPTIMUM = Limits(states=200_000)
HEADER = ("before", "shrunk", "optimum", "normal forms", "by ddmin", "optimum", "seconds")


def optimum(scenario: Scenario, witness: Witness) -> int | None:
    """Steps to the nearest failure of this kind, if that is known."""
    assert witness.property is not None
    way = witness.verdict, witness.property
    attempt = Attempt(Model(scenario, witness.params), OPTIMUM, frozenset({way}), symmetry=False)
    failure = attempt.found(way)
    return len(failure.walk) if failure else None


@pytest.mark.parametrize("scenario", CAUGHT, ids=[s.id for s in CAUGHT])
def test_twin_shrinks_to_its_optimum(scenario: Scenario) -> None:
    """Failures come from one campaign a seed; `m03` fails in two ways, and has a form for each."""
    witnesses = [next(failing(scenario, seed)) for seed in range(FAILURES)]
    began = perf_counter()
    every = [shrink(witness, model_of(witness, scenario)) for witness in witnesses]
    seconds = (perf_counter() - began) / FAILURES
    by_way: dict[str, list[Shrunk]] = {}
    for shrunk in every:
        by_way.setdefault(str(shrunk.witness.property), []).append(shrunk)
    for name, alike in sorted(by_way.items()):
        forms = {token(shrunk.witness) for shrunk in alike}
        small = alike[0].witness
        least = optimum(scenario, small)
        by_hand = shrink(alike[0].before, model_of(alike[0].before, scenario), states=1).witness
        show(
            f"{scenario.id.rpartition('::')[2]} {name}",
            max(shrunk.before.steps for shrunk in alike),
            small.steps,
            str(least),
            len(forms),
            by_hand.steps,
            str(optimum(scenario, by_hand)),
            seconds,
            header=HEADER,
        )
        assert len(forms) == 1
        assert all(shrunk.certified for shrunk in alike)
        assert least in (None, small.steps)
        assert shrink(small, model_of(small, scenario)).witness == small
        assert shrink(by_hand, model_of(by_hand, scenario), states=1).witness == by_hand
