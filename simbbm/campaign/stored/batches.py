"""The planner of a campaign that is kept: which batches, and which failures to be made small, next.

Each arm has a `ChunkPlanner`; here is which arm's turn it is. Like that it does no I/O: it is told
events, and what is settled waits in `settled` and `shrunk` until somebody has kept it. Its rules:

1. Arms are begun in order, one as soon as those before it leave workers idle.
2. What is small comes first: a failure to be shrunk is given out before any batch.
3. Of each arm, and of each way to fail, the first failing run of the first SHRUNK_PER_WAY batches
   that have one is shrunk. So which are does not depend on who was faster.
4. Arms without a number of runs get them in rounds. When all runs of one are made, the next can be
   shared out.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

from simbbm.campaign.events import Done, Dropped, Event, Interrupted, Lost, Raised, TimeUp
from simbbm.campaign.planner import OUTSTANDING_PER_WORKER, Chunk, ChunkPlanner
from simbbm.campaign.stored.plan import Arm
from simbbm.campaign.stored.store import Settled
from simbbm.campaign.tally import Tally
from simbbm.check.verdict import Verdict

SHRUNK_PER_WAY = 3
LOSSES_PER_SHRINKING = 2


class Batch(NamedTuple):
    """Runs of an arm."""

    arm: int
    chunk: Chunk


class Shrinking(NamedTuple):
    """A run of an arm that failed, to be made small."""

    arm: int
    run: int


class Small(NamedTuple):
    """What has become of it: an answer, or why there is none."""

    of: Shrinking
    answer: Any = None
    why: str = ""


Work = Batch | Shrinking


class CampaignPlanner:
    """The state of a campaign of some arms."""

    def __init__(self, arms: Sequence[Arm], jobs: int, batch: int) -> None:
        self.room = OUTSTANDING_PER_WORKER * jobs
        """How much is given out at a time."""
        self.arms = [
            ChunkPlanner(
                arm.runs or 0,
                jobs,
                arm.stop == "first",
                batch=batch,
                on_settled=partial(self._settle, number),
            )
            for number, arm in enumerate(arms)
        ]
        self.settled: list[Settled] = []
        self.shrunk: list[Small] = []
        self.doubts: dict[int, str] = {}
        """Why the runs of some arms may mean nothing."""
        self._due = deque[Shrinking]()
        self._shrinking = set[Shrinking]()
        self._losses = Counter[Shrinking]()
        self._ways = [Counter[tuple[Verdict, str]]() for _ in arms]
        """How many batches had each way to fail."""
        self._sharing = any(arm.runs is None for arm in arms)
        """Whether there may be another round."""
        self.time_up = False
        self.interrupted = False

    # Going on

    def go_on(
        self, arm: int, stop: int, sum_: Tally, failing: Iterable[Tally], shrunk: set[int]
    ) -> None:
        """Take the runs of an arm from 0 to before `stop` as made, and these failures as shrunk."""
        self.arms[arm].go_on_from(stop, sum_)
        for tally in failing:
            self._shrink(arm, tally, but=shrunk)

    def share(self, runs: Iterable[tuple[int, int]]) -> None:
        """Begin a round: as many more runs for these arms; none: there is no further round."""
        self._sharing = False
        for number, more in runs:
            arm = self.arms[number]
            arm.runs = (arm.runs or 0) + more
            self._sharing = True

    # A planner

    def handle(self, *events: Event[Work]) -> list[Work]:
        """Record some events; return what to do next."""
        given: list[Work] = []
        for event in events:
            match event:
                case TimeUp() | Interrupted():
                    self.time_up = self.time_up or isinstance(event, TimeUp)
                    self.interrupted = self.interrupted or isinstance(event, Interrupted)
                    for arm in self.arms:
                        arm.handle(event)
                case Done(Batch(number, chunk), report):
                    if report.doubt:
                        self.doubts[number] = report.doubt
                    given += self._told(number, Done(chunk, report))
                case Raised(Batch(number, chunk), error):
                    given += self._told(number, Raised(chunk, error))
                case Lost(Batch(number, chunk), why):
                    given += self._told(number, Lost(chunk, why))
                case Dropped(Batch(number, chunk), begun):
                    given += self._told(number, Dropped(chunk, begun))
                case Done() | Raised() | Lost() | Dropped():
                    self._shrinking_ended(event)
        return [] if self.finished else [*self._give_shrinkings(), *given, *self._give_batches()]

    def _told(self, number: int, event: Event[Chunk]) -> list[Work]:
        return [Batch(number, chunk) for chunk in self.arms[number].handle(event)]

    @property
    def round_over(self) -> bool:
        """Whether all runs are made that were shared out, and there may be more."""
        going = self.interrupted or self.time_up or not self._sharing
        return not going and all(arm.finished for arm in self.arms)

    @property
    def finished(self) -> bool:
        """Whether there is nothing to wait for."""
        if self.interrupted:
            return True
        if self._shrinking or (self._due and not self.time_up) or self.round_over:
            return False
        return all(arm.finished for arm in self.arms)

    def open_to_runs(self, number: int) -> bool:
        """Whether an arm may be given more runs: it has no answer yet, and was not given up."""
        arm = self.arms[number]
        return arm.cut is None and not arm.given_up

    @property
    def to_be_shrunk(self) -> int:
        """How many failures are still to be made small."""
        return len(self._due) + len(self._shrinking)

    # Batches

    def _give_batches(self) -> list[Work]:
        given: list[Work] = []
        if self.time_up:
            return given
        under_way = sum(len(arm.under_way) for arm in self.arms) + len(self._shrinking)
        for number, arm in enumerate(self.arms):
            if under_way >= self.room:
                break
            if arm.under_way or arm.finished:
                continue
            chunks = arm.handle()
            under_way += len(chunks)
            given += [Batch(number, chunk) for chunk in chunks]
        return given

    def _settle(self, number: int, chunk: Chunk, tally: Tally) -> None:
        if tally.broke:
            return
        self.settled.append(Settled(number, chunk, tally))
        self._shrink(number, tally)

    # Failures

    def _shrink(self, number: int, tally: Tally, but: Collection[int] = ()) -> None:
        """Have the failures of a batch made small that are among the first, but for these."""
        for way, run in sorted(tally.lowest.items()):
            self._ways[number][way] += 1
            shrinking = Shrinking(number, run)
            if self._ways[number][way] <= SHRUNK_PER_WAY and run not in but:
                self._due.append(shrinking)

    def _give_shrinkings(self) -> list[Work]:
        if self.time_up:
            return []
        given: list[Work] = [*self._due]
        self._shrinking.update(self._due)
        self._due.clear()
        return given

    def _shrinking_ended(self, event: Event[Work]) -> None:
        match event:
            case Done(Shrinking() as work, answer):
                self._shrinking.discard(work)
                self.shrunk.append(Small(work, answer))
            case Raised(Shrinking() as work, error):
                self._shrinking.discard(work)
                self.shrunk.append(Small(work, why=error.message))
            case Lost(Shrinking() as work, why):
                self._shrinking.discard(work)
                self._losses[work] += 1
                if self._losses[work] < LOSSES_PER_SHRINKING:
                    self._due.append(work)
                else:
                    self.shrunk.append(Small(work, why=why))
            case Dropped(Shrinking() as work):
                self._shrinking.discard(work)
                self._due.append(work)
