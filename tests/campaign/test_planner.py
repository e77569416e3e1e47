"""The planner: whatever order results arrive in, whoever dies, the answer is the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from simbbm.campaign.events import Done, Dropped, Interrupted, Lost, Raised, TimeUp
from simbbm.campaign.planner import (
    LOSSES_IN_A_ROW,
    LOSSES_PER_CHUNK,
    OUTSTANDING_PER_WORKER,
    Chunk,
    ChunkPlanner,
)
from simbbm.campaign.tally import Broke, Failed, Report, Tally
from simbbm.check.verdict import Verdict
from simbbm.core.choice import Polite
from simbbm.core.errors import ScenarioError
from simbbm.explore.runs.play import Outcome


@dataclass
class World:
    """What the runs of a made-up campaign come to, and who kills workers."""

    failing: frozenset[int] = frozenset()
    broken: frozenset[int] = frozenset()
    deadly: frozenset[int] = frozenset()
    stop_first: bool = True
    counted: list[int] = field(default_factory=list)

    def kills(self, chunk: Chunk) -> bool:
        return any(n in self.deadly for n in self.made(chunk))

    def made(self, chunk: Chunk) -> range:
        """The numbers that a worker gets to."""
        ends = set(self.broken) | (set(self.failing) if self.stop_first else set())
        last = min((n for n in ends if chunk.start <= n < chunk.stop), default=chunk.stop - 1)
        return range(chunk.start, last + 1)

    def tally(self, chunk: Chunk) -> Tally:
        tally = Tally()
        for number in self.made(chunk):
            if number in self.broken:
                tally.broke = Broke(number, ScenarioError(str(number)))
                break
            tally.runs += 1
            tally.digest += 3**number % 1009
            tally.steps += number
            if number in self.failing:
                tally.fail(number, failure(number), Polite())
        return tally


def failure(number: int) -> Outcome:
    return Outcome(
        verdict=Verdict.VIOLATED, property="any", message=str(number), steps=1, digest=""
    )


def drive(planner: ChunkPlanner, world: World, draw: Any) -> None:
    """Run a campaign; `draw(n)` says which of n chunks under way ends next, and how fast."""
    under_way = planner.handle()
    while not planner.finished:
        assert len(under_way) == len(planner.under_way) <= OUTSTANDING_PER_WORKER * planner.jobs
        assert under_way, "nothing to wait for, and no answer"
        chunk = under_way.pop(draw(len(under_way)))
        if world.kills(chunk):
            under_way += planner.handle(Lost(chunk, "killed"))
        else:
            seconds = (0.001, 0.1, 3.0)[draw(3)]
            under_way += planner.handle(Done(chunk, Report(world.tally(chunk), seconds)))


def summary(planner: ChunkPlanner) -> tuple[Any, ...]:
    total = planner.total()
    broke = total.broke.number if total.broke else None
    return (total.runs, total.steps, total.digest, total.failures, total.first, broke)


NUMBERS = st.frozensets(st.integers(0, 400), max_size=4)


@settings(max_examples=150)
@given(
    failing=NUMBERS,
    broken=NUMBERS,
    runs=st.integers(1, 400),
    jobs=st.integers(1, 5),
    stop_first=st.booleans(),
    data=st.data(),
)
def test_any_order_of_arrival_gives_the_same_answer(
    failing: frozenset[int],
    broken: frozenset[int],
    runs: int,
    jobs: int,
    stop_first: bool,
    data: st.DataObject,
) -> None:
    world = World(failing, broken, stop_first=stop_first)
    planner = ChunkPlanner(runs, jobs, stop_first)
    drive(planner, world, lambda n: data.draw(st.integers(0, n - 1)))
    alone = ChunkPlanner(runs, 1, stop_first)
    drive(alone, world, lambda _: 0)
    whole = world.tally(Chunk(0, runs))
    broke = whole.broke.number if whole.broke else None
    wanted = (whole.runs, whole.steps, whole.digest, whole.failures, whole.first, broke)
    assert summary(planner) == summary(alone) == wanted
    if not (whole.broke or (whole.first and stop_first)):
        assert planner.complete


@settings(max_examples=100)
@given(
    failing=NUMBERS,
    deadly=st.frozensets(st.integers(0, 400), max_size=2),
    runs=st.integers(1, 400),
    jobs=st.integers(1, 4),
    data=st.data(),
)
def test_a_deadly_run_is_given_up_and_nothing_else_is_lost_or_counted_twice(
    failing: frozenset[int],
    deadly: frozenset[int],
    runs: int,
    jobs: int,
    data: st.DataObject,
) -> None:
    world = World(failing, deadly=deadly, stop_first=False)
    planner = ChunkPlanner(runs, jobs, stop_first=False)
    drive(planner, world, lambda n: data.draw(st.integers(0, n - 1)))
    given_up = {n for chunk in planner.given_up for n in range(*chunk)}
    done = Tally()
    for n in set(range(runs)) - given_up:
        done.add(world.tally(Chunk(n, n + 1)))
    total = planner.total()
    assert (total.runs, total.digest, total.failures) == (done.runs, done.digest, done.failures)
    assert planner.complete == (not given_up)
    assert all(any(n in deadly for n in range(*chunk)) for chunk in planner.given_up)
    assert given_up >= {n for n in deadly if n < runs}


def test_a_chunk_that_was_lost_is_run_again() -> None:
    planner = ChunkPlanner(100, 2, stop_first=True)
    first, second, *_ = planner.handle()
    assert planner.handle(Lost(second, "killed")) == [second]
    for chunk in (first, second):
        planner.handle(Done(chunk, Report(World().tally(chunk), 0.1)))
    assert planner.lost_workers == 1
    assert planner.summed == second.stop


def test_what_is_lost_again_and_again_ends_the_campaign() -> None:
    planner = ChunkPlanner(100_000, 2, stop_first=True)
    under_way = planner.handle()
    for _ in range(LOSSES_IN_A_ROW):
        assert not planner.finished
        under_way += planner.handle(Lost(under_way.pop(0), "killed"))
    assert planner.finished
    assert not planner.complete


def test_a_chunk_needs_several_losses_to_be_given_up() -> None:
    planner = ChunkPlanner(24, 1, stop_first=True)
    deadly, *others = planner.handle()
    for _ in range(LOSSES_PER_CHUNK - 1):
        assert planner.handle(Lost(deadly, "killed")) == [deadly]
    assert planner.handle(Lost(deadly, "killed")) == []
    for chunk in others:
        assert not planner.finished
        planner.handle(Done(chunk, Report(World().tally(chunk), 0.1)))
    assert planner.given_up == [deadly]
    assert planner.finished
    assert not planner.complete
    assert planner.total().runs == 16


def test_what_a_chunk_raises_is_its_first_runs() -> None:
    planner = ChunkPlanner(1000, 2, stop_first=True)
    first, second, *_ = planner.handle()
    planner.handle(Raised(second, ScenarioError("wrong")))
    assert not planner.finished
    planner.handle(Done(first, Report(World().tally(first), 0.1)))
    assert planner.finished
    broke = planner.total().broke
    assert broke
    assert broke.number == second.start


def test_lower_chunks_are_finished_before_a_failure_is_the_answer() -> None:
    planner = ChunkPlanner(1000, 2, stop_first=True)
    world = World(frozenset({3, 20}))
    first, second, third, *others = planner.handle()
    assert planner.handle(Done(third, Report(world.tally(third), 0.1))) == []
    assert not planner.finished
    assert planner.handle(Done(second, Report(world.tally(second), 0.1))) == []
    assert planner.handle(Done(first, Report(world.tally(first), 0.1))) == []
    assert planner.finished
    assert others
    assert planner.total().first == Failed(3, failure(3))
    assert planner.total().runs == 4


def test_a_higher_chunk_is_not_waited_for() -> None:
    planner = ChunkPlanner(1000, 2, stop_first=True)
    first, *_ = planner.handle()
    planner.handle(Done(first, Report(World(frozenset({0})).tally(first), 0.1)))
    assert planner.finished


def test_time_ends_a_campaign_without_new_chunks() -> None:
    planner = ChunkPlanner(None, 1, stop_first=True)
    first, second, third, fourth = planner.handle()
    assert planner.handle(TimeUp(), Dropped(fourth), Dropped(third)) == []
    assert not planner.finished
    for chunk in (second, first):
        assert planner.handle(Done(chunk, Report(World().tally(chunk), 0.1))) == []
    assert planner.finished
    assert planner.complete
    assert planner.total().runs == second.stop


def test_a_chunk_that_time_cut_off_leaves_the_campaign_incomplete() -> None:
    planner = ChunkPlanner(None, 1, stop_first=True)
    first, second, *others = planner.handle()
    planner.handle(TimeUp(), Done(first, Report(World().tally(first), 0.1)), *map(Dropped, others))
    planner.handle(Dropped(second, begun=True))
    assert planner.finished
    assert not planner.complete


def test_time_that_ends_before_all_runs_that_were_asked_for_is_incomplete() -> None:
    planner = ChunkPlanner(1000, 1, stop_first=True)
    first, *others = planner.handle()
    planner.handle(TimeUp(), *map(Dropped, others), Done(first, Report(World().tally(first), 0.1)))
    assert planner.finished
    assert not planner.complete


def test_what_was_under_way_when_time_was_up_and_is_lost_is_not_run_again() -> None:
    planner = ChunkPlanner(None, 1, stop_first=True)
    chunks = planner.handle()
    planner.handle(TimeUp())
    assert planner.handle(*(Lost(chunk, "killed") for chunk in chunks)) == []
    assert planner.finished
    assert not planner.complete


def test_the_last_chunk_lost_when_time_is_up_leaves_the_campaign_incomplete() -> None:
    planner = ChunkPlanner(None, 1, stop_first=True)
    *others, last = planner.handle()
    planner.handle(TimeUp(), Lost(last, "killed"))
    for chunk in others:
        planner.handle(Done(chunk, Report(World().tally(chunk), 0.1)))
    assert planner.finished
    assert planner.given_up == [last]
    assert not planner.complete


def test_an_interrupt_ends_everything_at_once() -> None:
    planner = ChunkPlanner(100, 2, stop_first=True)
    first, *_ = planner.handle()
    planner.handle(Done(first, Report(World().tally(first), 0.1)))
    assert planner.handle(Interrupted()) == []
    assert planner.finished
    assert planner.total().runs == 8


def test_chunks_grow_to_take_a_tenth_of_a_second() -> None:
    planner = ChunkPlanner(None, 1, stop_first=True)
    (chunk, *_) = planner.handle()
    for _ in range(10):
        made = chunk.stop - chunk.start
        (chunk, *_) = planner.handle(Done(chunk, Report(Tally(runs=made), made / 5000)))
    assert planner.size == 500
    planner.handle(Done(chunk, Report(Tally(runs=500), 50.0)))
    assert planner.size == 1
