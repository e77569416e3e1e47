"""The planner of a campaign that is kept: whatever happens in between, what is kept is the same."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simbbm.campaign.events import Done, Interrupted, Lost, Raised
from simbbm.campaign.stored.batches import (
    LOSSES_PER_SHRINKING,
    SHRUNK_PER_WAY,
    Batch,
    CampaignPlanner,
    Shrinking,
    Work,
)
from simbbm.campaign.stored.plan import Arm
from simbbm.campaign.tally import Broke, Report, Tally
from simbbm.check.verdict import Verdict
from simbbm.core.choice import Polite
from simbbm.core.errors import ScenarioError
from simbbm.explore.runs.play import Outcome

BATCH = 10


def arm(runs: int | None, stop: Any = "never") -> Arm:
    return Arm(
        scenario="a::b",
        params={},
        given={},
        strategy="random",
        expect="HOLDS",
        runs=runs,
        stop=stop,
        max_steps=9,
        source="0" * 32,
    )


def report(work: Batch, failing: frozenset[int], *, stop_first: bool) -> Report:
    """The counts of a batch whose runs with these numbers fail."""
    tally = Tally()
    for number in range(*work.chunk):
        tally.runs += 1
        tally.digest += 3**number % 1009
        if number in failing:
            name = "even" if number % 2 == 0 else "odd"
            outcome = Outcome(
                verdict=Verdict.VIOLATED, property=name, message="", steps=1, digest=""
            )
            tally.fail(number, outcome, Polite())
            if stop_first:
                break
    return Report(tally, 0.1)


class Kept:
    """A campaign, gone on with by planner after planner: what a store would have."""

    def __init__(self, arms: list[Arm], failing: frozenset[int]) -> None:
        self.arms = arms
        self.failing = failing
        self.settled: dict[int, list[tuple[Any, Tally]]] = {n: [] for n in range(len(arms))}
        self.shrunk: set[Shrinking] = set()

    def planner(self) -> CampaignPlanner:
        planner = CampaignPlanner(self.arms, 2, BATCH)
        for number, done in self.settled.items():
            total = Tally()
            for _, tally in done:
                total.add(tally)
            stop = done[-1][0].stop if done else 0
            failing = [tally for _, tally in done if tally.failures]
            shrunk = {one.run for one in self.shrunk if one.arm == number}
            planner.go_on(number, stop, total, failing, shrunk)
        return planner

    def keep(self, planner: CampaignPlanner) -> None:
        for number, chunk, tally in planner.settled:
            last = self.settled[number][-1][0].stop if self.settled[number] else 0
            assert chunk.start == last
            self.settled[number].append((chunk, tally))
        self.shrunk |= {small.of for small in planner.shrunk}
        planner.settled.clear()
        planner.shrunk.clear()

    def answer(self, work: Work) -> Any:
        if isinstance(work, Shrinking):
            return Done(work, "small")
        stop_first = self.arms[work.arm].stop == "first"
        return Done(work, report(work, self.failing, stop_first=stop_first))

    def go_on(self, choose: Callable[[int], int], steps: int) -> bool:
        """Make some steps; whether all of it is done."""
        planner = self.planner()
        pending = planner.handle()
        for _ in range(steps):
            if planner.finished:
                break
            work = pending.pop(choose(len(pending)))
            lost = choose(4) == 0
            pending += planner.handle(Lost(work, "killed") if lost else self.answer(work))
            self.keep(planner)
        return planner.finished and not any(each.given_up for each in planner.arms)


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.frozensets(st.integers(0, 99), max_size=12))
def test_however_often_it_is_stopped_what_is_kept_is_the_same(
    seed: int, failing: frozenset[int]
) -> None:
    arms = [arm(45), arm(100, "first"), arm(30)]
    straight = Kept(arms, failing)
    assert straight.go_on(lambda _: 0 if _ != 4 else 1, 10_000)

    random = Random(seed)
    stopped = Kept(arms, failing)
    for _ in range(10_000):
        if stopped.go_on(random.randrange, random.randrange(1, 12)):
            break

    assert straight.settled == stopped.settled
    assert straight.shrunk == stopped.shrunk


def test_of_each_way_to_fail_the_first_batches_are_shrunk() -> None:
    kept = Kept([arm(200)], frozenset(range(5, 200, 10)) | {12})
    assert kept.go_on(lambda n: n - 1, 1_000)

    odd = [Shrinking(0, 5 + 10 * n) for n in range(SHRUNK_PER_WAY)]
    assert {*odd, Shrinking(0, 12)} == kept.shrunk


def test_what_cannot_be_made_small_is_given_up() -> None:
    planner = CampaignPlanner([arm(10)], 1, BATCH)
    (batch,) = planner.handle()
    assert isinstance(batch, Batch)
    given_out = planner.handle(Done(batch, report(batch, frozenset({3}), stop_first=False)))
    for _ in range(LOSSES_PER_SHRINKING):
        assert [Shrinking(0, 3)] == given_out
        assert not planner.finished
        given_out = planner.handle(Lost(Shrinking(0, 3), "killed by signal 9"))

    assert planner.finished
    assert ["killed by signal 9"] == [small.why for small in planner.shrunk]


def test_an_arm_that_breaks_does_not_stop_the_others() -> None:
    planner = CampaignPlanner([arm(20), arm(20)], 1, BATCH)
    pending = planner.handle()
    while not planner.finished:
        work = pending.pop(0)
        assert isinstance(work, Batch)
        if work.arm == 0:
            pending += planner.handle(Raised(work, ScenarioError("its author's")))
        else:
            pending += planner.handle(Done(work, report(work, frozenset(), stop_first=False)))

    assert {1} == {settled.arm for settled in planner.settled}
    assert isinstance(planner.arms[0].sum.broke, Broke)


def test_interrupted_it_is_finished_at_once() -> None:
    planner = CampaignPlanner([arm(None)], 2, BATCH)
    planner.share([(0, 1_000)])
    planner.handle()
    assert not planner.finished
    assert not planner.handle(Interrupted())
    assert planner.finished


@pytest.mark.parametrize("rounds", [0, 1, 3])
def test_there_are_rounds_until_nothing_is_shared_out(rounds: int) -> None:
    planner = CampaignPlanner([arm(None), arm(None)], 1, BATCH)
    for _ in range(rounds):
        assert planner.round_over
        planner.share([(1, 20)])
        pending = planner.handle()
        while pending:
            work = pending.pop()
            assert isinstance(work, Batch)
            pending += planner.handle(Done(work, report(work, frozenset(), stop_first=False)))
    assert planner.round_over
    assert not planner.finished
    planner.share([])

    assert planner.finished
    assert [0, 20 * rounds] == [each.summed for each in planner.arms]
