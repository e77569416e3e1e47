"""Runs to a failure: order statistics that need no guess, and campaigns as `stress` makes them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simbbm import discovery
from simbbm.check.verdict import Expectation, Verdict
from simbbm.explore.runs.run import Runner
from simbbm.explore.strategies.kill import COMPARED, CONTROL, Kills, Trials, interval_rank, kills
from simbbm.explore.strategies.named import strategy
from simbbm.model import Model
from tests.explore.toys import Toy, toy_scenario

M07, M10, M30 = (
    discovery.find(f"linear_map_split::{name}")
    for name in ("m07_count_before_switch", "m10_no_dsb_after_tlbi", "m30_no_sevl")
)


@pytest.mark.parametrize(
    ("trials", "rank"),
    {5: 0, 6: 1, 8: 1, 9: 2, 11: 2, 12: 3, 15: 4, 20: 6, 25: 8, 30: 10, 50: 18, 100: 40}.items(),
)
def test_ranks_are_those_of_the_tables_of_the_sign_test(trials: int, rank: int) -> None:
    assert rank == interval_rank(trials)


@pytest.mark.parametrize(
    ("runs", "trials", "median", "interval"),
    [
        ((1, 2, 3, 4, 5, 6, 70), 7, 4, (1, 70)),
        ((1, 2, 3, 5, 6, 70), 6, 4, (1, 70)),
        (tuple(range(1, 31)), 30, 15.5, (10, 21)),
        (tuple(range(1, 21)), 30, 15.5, (10, None)),
        (tuple(range(1, 17)), 30, 15.5, (10, None)),
        (tuple(range(1, 16)), 30, None, (10, None)),
        (tuple(range(1, 10)), 30, None, (None, None)),
        ((), 30, None, (None, None)),
    ],
)
def test_what_was_not_found_lies_beyond_what_was(
    runs: tuple[int, ...],
    trials: int,
    median: float | None,
    interval: tuple[int | None, int | None],
) -> None:
    found = Kills(runs, trials)

    assert (median, interval) == (found.median, found.interval)


@pytest.mark.parametrize("name", ["default", "urw"])
def test_campaigns_are_those_of_these_seeds(name: str) -> None:
    """State graphs are shared and runs fitted to each seed: neither changes a run."""
    trials = Trials(seed=7, campaigns=3, cap=15)
    expected = []
    for seed in range(7, 10):
        runner = Runner(Model(M07), name, seed)
        ends = (runner.play(runner.chooser(number)).end.ended for number in range(15))
        expected += [n + 1 for n, end in enumerate(ends) if end != "HOLDS"][:1]

    assert Kills(tuple(sorted(expected)), 3) == kills(Model(M07), [name], trials)[name]


def test_only_a_declared_failure_counts() -> None:
    """Others are runs like those that hold: they do not end the campaign."""
    first, second = ("cpu0", "cpu0"), ("cpu1", "cpu1", "cpu1", "cpu1")
    names = {first: "no_tlb_conflict", second: "no_size_change_seen"}
    toy = toy_scenario(Toy({"cpu0": 4, "cpu1": 4}, judge=names.get))
    expect = Expectation(((Verdict.VIOLATED, "no_size_change_seen"),))
    both = Expectation((*expect.failures, (Verdict.VIOLATED, "no_tlb_conflict")))
    trials = Trials(campaigns=30, cap=200)

    one = kills(Model(replace(toy, expect=expect)), ["random"], trials)["random"]
    either = kills(Model(replace(toy, expect=both)), ["random"], trials)["random"]

    assert len(one.runs) == len(either.runs) == 30
    assert 1 <= (either.median or 0) <= 5 < (one.median or 0)


def test_a_strategy_that_finds_nothing_says_so() -> None:
    row = kills(Model(M10), ["polite", "pct:depth=2"], Trials(campaigns=6, cap=60))

    assert Kills((), 6) == row["polite"]
    assert len(row["pct:depth=2"].runs) >= 5


def test_a_run_that_is_given_up_finds_nothing() -> None:
    assert (
        () == kills(Model(M30), ["random"], Trials(campaigns=6, cap=5, max_steps=9))["random"].runs
    )


def test_the_control_finds_mistakes_of_logic_and_none_of_the_hardwares() -> None:
    trials = Trials(campaigns=6, cap=60)

    assert {m: len(kills(Model(m), [], trials)[CONTROL].runs) for m in (M07, M10, M30)} == {
        M07: 0,
        M10: 0,
        M30: 6,
    }


def test_what_has_no_eager_hardware_has_no_control() -> None:
    assert ["pos"] == list(kills(Model(toy_scenario(Toy({"cpu0": 1}))), ["pos"], Trials(cap=1)))


def test_what_is_compared_has_canonical_names() -> None:
    assert list(COMPARED) == [strategy(name).name for name in COMPARED]
