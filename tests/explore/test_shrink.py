"""Shrinking: one normal form for one failure, as short as can be, and the same when done again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from simbbm import discovery
from simbbm.check.verdict import Verdict
from simbbm.core.errors import ReplayDivergence, UsageError
from simbbm.explore.counterexample.ddmin import _followed, _slice, ddmin
from simbbm.explore.counterexample.shrink import STATES, Shrunk, shrink
from simbbm.explore.counterexample.simplest import simplest
from simbbm.explore.runs.exact import followed
from simbbm.explore.runs.play import Player
from simbbm.explore.runs.replay import Result, model_of, replay
from simbbm.explore.runs.run import Runner
from simbbm.explore.search.attempt import Attempt
from simbbm.explore.search.breadth_first import NO_LIMITS
from simbbm.explore.search.prove import Prover, witness_along
from simbbm.explore.witness.recording import Witness, token, witness_from, witness_of
from simbbm.model import Model
from simbbm.scenario import Scenario
from tests.scenarios.everything import twin

DEEP = discovery.find("deep::m08_count_before_tlbi")


def failing(scenario: Scenario, seed: int = 0, **params: Any) -> Iterator[Witness]:
    """Failing runs of a random strategy, as they come."""
    runner = Runner(Model(scenario, params), "default", seed)
    for number in count():
        run = runner.play(runner.chooser(number), record=True)
        if run.verdict in ("VIOLATED", "STUCK"):
            yield witness_from(run)


def first(scenario: Scenario, seed: int = 0, **params: Any) -> Witness:
    return next(failing(scenario, seed, **params))


def nearest(scenario: Scenario, shrunk: Shrunk) -> int:
    """The breadth-first optimum, found without any reduction."""
    proof = Prover(Model(scenario, shrunk.witness.params), symmetry=False, ample=False).prove()
    assert (proof.verdict, proof.property) == (shrunk.before.verdict, shrunk.before.property)
    assert proof.run is not None
    return len(proof.run)


def small_of(witness: Witness, scenario: Scenario, states: int = STATES) -> Shrunk:
    """The witness, shrunk in its own model."""
    return shrink(witness, model_of(witness, scenario), states)


PMD: dict[str, Any] = {"layout": "pmd"}
"""A layout on which failures are found, and searched for, soon."""
MINUTES = pytest.mark.quality
"""Each takes long: `nox -s quality` asks of these too."""
NAMES = [
    pytest.param("m08_count_before_tlbi", marks=MINUTES),
    pytest.param("m10_no_dsb_after_tlbi", marks=MINUTES),
    "m20_no_dsb_before_populate",
]


@pytest.mark.parametrize("name", [*NAMES, pytest.param("m29_plain_load_in_wait", marks=MINUTES)])
def test_failures_of_one_bug_become_one(name: str) -> None:
    scenario = twin(name)
    small = [small_of(first(scenario, seed, **PMD), scenario) for seed in range(3)]
    tokens = {token(shrunk.witness) for shrunk in small}

    assert len({token(shrunk.before) for shrunk in small}) > 1
    assert len(tokens) == 1
    assert all(shrunk.certified for shrunk in small)
    assert nearest(scenario, small[0]) == small[0].witness.steps < small[0].before.steps
    assert (
        replay(small[0].witness, model_of(small[0].witness, scenario)).result is Result.REPRODUCED
    )
    politest = Prover(Model(scenario, small[0].witness.params)).prove().run
    assert politest is not None
    along = witness_along(Model(scenario, small[0].witness.params), politest)
    assert small[0].witness.decisions == along.decisions


@pytest.mark.parametrize("name", NAMES)
def test_what_was_shrunk_stays_as_it_is(name: str) -> None:
    scenario = twin(name)
    once = small_of(first(scenario, **PMD), scenario).witness

    assert small_of(once, scenario).witness == once


def test_parameters_become_as_simple_as_the_failure_allows() -> None:
    """Wherever one begins, be it with parameters that a search cannot cope with."""
    scenario = twin("m08_count_before_tlbi")
    odd: dict[str, Any] = {"noabort": "0,3", "ets2": "yes", "flush": "pages", "image": "high"}
    noisy = small_of(first(scenario, cpus=4, layout="contpte", **odd), scenario).witness
    plain = {"cpus": 2, "noabort": "boot", "ets2": "no", "flush": "all", "image": "low"}

    assert plain.items() <= noisy.params.items()
    quiet = first(scenario)
    assert small_of(quiet, scenario).witness == noisy
    deep = small_of(first(DEEP, cpus=3, distance=6), DEEP).witness
    assert {"cpus": 2, "distance": 0}.items() <= deep.params.items()


@pytest.mark.parametrize(
    "name", ["catalogue::m09_m17_no_tlbi_at_all", "catalogue_walk::m44_region_missed"]
)
def test_nothing_is_made_simpler_at_the_price_of_a_longer_run(name: str) -> None:
    """A 39-bit map has fewer tables, but here it takes longer to fail in one."""
    scenario = discovery.find(name)
    optimum = Prover(Model(scenario)).prove().run

    assert optimum is not None
    assert small_of(first(scenario), scenario).witness.steps <= len(optimum)


ODD = {"cpus": 6, "layout": "contpte", "noabort": "0,4", "ets2": "yes", "geometry": "4k"}


@pytest.mark.parametrize(
    ("fails", "expected"),
    [
        (lambda p: True, {"cpus": 2, "layout": "pud39", "noabort": "boot", "ets2": "no"}),  # noqa: ARG005
        (lambda p: p["cpus"] > 4, {"cpus": 5, "layout": "pud39", "noabort": "boot", "ets2": "no"}),
        (lambda p: p["cpus"] + (p["layout"] == "pud") > 5, {"cpus": 5, "layout": "pud"}),
        (lambda p: p["ets2"] == "yes", {"cpus": 2, "ets2": "yes", "noabort": "boot"}),
        (lambda p: p["noabort"] == "0,4", {"cpus": 5, "noabort": "0,4", "ets2": "no"}),
        (lambda p: p["geometry"] == "4k", {"cpus": 2, "geometry": "4k"}),
    ],
)
def test_each_parameter_becomes_as_simple_as_the_others_allow(
    fails: Callable[[dict[str, Any]], bool], expected: dict[str, Any]
) -> None:
    scenario = twin("m08_count_before_tlbi")
    given = Model(scenario, ODD | {"layout": "pud"})
    found = simplest(given, lambda model: 9 if fails(model.params) else None)

    assert expected.items() <= found.params.items()
    again = simplest(found, lambda model: 9 if fails(model.params) else None)
    assert found.params == again.params


def test_a_failure_that_needs_three_cpus_keeps_them() -> None:
    scenario = twin("m14_plain_increment")

    assert 3 == small_of(first(scenario, cpus=4, layout="pmd"), scenario).witness.params["cpus"]


def test_verdict_and_property_stay() -> None:
    """m03 fails in two ways, and each is shrunk to itself."""
    scenario = twin("m03_waits_for_one_less")
    met: dict[tuple[Verdict, str | None], Shrunk] = {}
    for witness in failing(scenario):
        way = (witness.verdict, witness.property)
        if way not in met:
            met[way] = small_of(witness, scenario)
        if len(met) == 2:
            break

    for way, shrunk in met.items():
        by_hand = shrink(shrunk.before, model_of(shrunk.before, scenario), states=1)
        assert way == (shrunk.witness.verdict, shrunk.witness.property)
        assert way == (by_hand.witness.verdict, by_hand.witness.property)
        assert shrunk.certified


@pytest.mark.parametrize("name", NAMES)
def test_without_a_search_the_run_itself_is_made_shorter(name: str) -> None:
    scenario = twin(name)
    before = first(scenario, **PMD)
    shrunk = small_of(before, scenario, states=1)
    optimum = Prover(Model(scenario, PMD)).prove().run

    assert optimum is not None
    assert not shrunk.certified
    assert shrunk.witness.params == before.params
    assert (shrunk.witness.verdict, shrunk.witness.property) == (before.verdict, before.property)
    assert len(optimum) == shrunk.witness.steps < before.steps
    assert (
        shrink(shrunk.witness, model_of(shrunk.witness, scenario), states=1).witness
        == shrunk.witness
    )


def test_nothing_can_be_left_out_of_what_is_locally_minimal() -> None:
    scenario = twin("m20_no_dsb_before_populate")
    witness = first(scenario)
    assert witness.property is not None
    way = witness.verdict, witness.property
    model = Model(scenario, {})
    labels = followed(witness, model_of(witness, scenario)).labels
    run = ddmin(model, labels, way)

    assert run.steps < len(labels)
    for i in range(run.steps):
        left = (*run.labels[:i], *run.labels[i + 1 :])
        assert _followed(Player(model, run.steps - 1), left, way) is None


def test_what_a_failure_depends_on_fails_alike_alone() -> None:
    scenario = twin("m08_count_before_tlbi")
    witness = first(scenario)
    way = (Verdict.VIOLATED, "no_size_change_seen")
    labels = followed(witness, model_of(witness, scenario)).labels
    player = Player(Model(scenario, witness.params), len(labels))
    run = _followed(player, labels, way)
    assert run is not None
    sliced = _followed(player, _slice(run), way)

    assert sliced is not None
    assert sliced.steps == len(_slice(run)) < len(labels)


def test_of_runs_as_long_the_politer_one_is_kept() -> None:
    """From the nearest failure as a search met it."""
    scenario = twin("m10_no_dsb_after_tlbi")
    params = {"cpus": 2, "layout": "pmd"}
    way = (Verdict.VIOLATED, "no_size_change_seen")
    attempt = Attempt(Model(scenario, params), NO_LIMITS, frozenset({way}))
    failure = attempt.found(way)
    assert failure is not None
    met = witness_along(Model(scenario, params), failure.walk)  # of two CPUs, which are not alike
    labels = followed(met, model_of(met, scenario)).labels
    run = ddmin(Model(scenario, params), labels, way)

    assert run.steps == met.steps
    assert len(run.schedule.decisions) < len(met.decisions)


def test_only_failures_can_be_shrunk() -> None:
    scenario = twin("m16_release_before_flush")
    holds = witness_of(Model(scenario), "polite", 0)
    cut_off = witness_of(Model(scenario), "polite", 0, max_steps=3)

    for witness, verdict in ((holds, "HOLDS"), (cut_off, "INCONCLUSIVE")):
        with pytest.raises(UsageError, match=f"a witness of {verdict}"):
            small_of(witness, scenario)


def test_what_does_not_fail_any_more_is_not_shrunk() -> None:
    bad = twin("m10_no_dsb_after_tlbi")
    mended = bad.parent
    assert mended is not None
    with pytest.raises(ReplayDivergence, match="does not fail like this any more"):
        small_of(first(bad), replace(mended, id=bad.id))
