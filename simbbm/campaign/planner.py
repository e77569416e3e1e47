"""The planner of a campaign: which runs to make next, and when there is an answer.

Events in, chunks out. It knows no asyncio, no clock and no processes (dask's WorkerState is made
the same way), so that every order in which results can arrive is a unit test. Its rules:

1. Numbers are handed out in order, in chunks that are sized to take TARGET seconds; with `batch`
   all chunks end at its multiples, so that whoever goes on with a campaign makes the same ones.
2. The answer is that of the lowest run that ends the campaign: with `stop_first` the first failure,
   and always the first run that could not be made. Lower chunks are finished first, higher ones
   dropped, so that it does not depend on who was faster.
3. When a worker is lost, the chunk that it was running is given out again, before any new one. A
   chunk that loses LOSSES_PER_CHUNK workers is given up, and the campaign says so. With `batch`
   nothing follows on one that is given up: what is kept is the runs from 0 to a number.
4. A chunk counts once, when its result is in; a lost one counts nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from simbbm.campaign.events import (
    Done,
    Dropped,
    Event,
    Interrupted,
    Lost,
    Raised,
    TimeUp,
)
from simbbm.campaign.tally import Broke, Report, Tally

TARGET_SECONDS = 0.1
CHUNK_FIRST = 8
CHUNK_MAX = 20_000
GROWTH = 4
OUTSTANDING_PER_WORKER = 4
LOSSES_PER_CHUNK = 3
LOSSES_IN_A_ROW = 20


class Chunk(NamedTuple):
    """The runs from `start` to before `stop`."""

    start: int
    stop: int


ChunkEvent = Event[Chunk]


@dataclass
class ChunkPlanner:
    """The state of a campaign."""

    runs: int | None
    """How many are wanted; None: as many as there is time for."""
    jobs: int
    stop_first: bool
    batch: int | None = None
    on_settled: Callable[[Chunk, Tally], object] = lambda *_: None
    """Called for each chunk when it and all lower ones are in, in order, if they count."""
    size: int = CHUNK_FIRST
    next: int = 0
    under_way: set[Chunk] = field(default_factory=set)
    again: list[Chunk] = field(default_factory=list)
    """Chunks that lost their worker."""
    losses: Counter[Chunk] = field(default_factory=Counter)
    given_up: list[Chunk] = field(default_factory=list)
    sum: Tally = field(default_factory=Tally)
    """The counts of all runs before `summed`."""
    summed: int = 0
    ahead: dict[int, tuple[Chunk, Tally]] = field(default_factory=dict)
    """Results that came in before those of lower chunks, by where they start."""
    cut: int | None = None
    """The lowest run so far that ends the campaign."""
    lost_workers: int = 0
    lost_in_a_row: int = 0
    """Since the last result."""
    time_up: bool = False
    interrupted: bool = False

    def handle(self, *events: ChunkEvent) -> list[Chunk]:
        """Record some events; return the chunks to run next."""
        for event in events:
            match event:
                case Done(chunk, report):
                    self._done(chunk, report)
                case Raised(chunk, error):
                    self._done(chunk, Report(Tally(broke=Broke(chunk.start, error)), 0.0))
                case Lost(chunk):
                    self._lost(chunk)
                case Dropped(chunk, begun):
                    self.under_way.discard(chunk)
                    self.given_up += [chunk] if begun else []
                case TimeUp():
                    self.time_up = True
                case Interrupted():
                    self.interrupted = True
        return [] if self.finished else self._submit()

    @property
    def finished(self) -> bool:
        """Whether no outstanding result can change the answer."""
        if self.interrupted or self.lost_in_a_row >= LOSSES_IN_A_ROW:
            return True
        if any(map(self._matters, self.under_way)):
            return False
        if self.time_up:
            return True
        return self._exhausted and not any(map(self._matters, self.again))

    @property
    def complete(self) -> bool:
        """Whether every run that was asked for has been made.

        If no number was, as many as there was time for: at least one, and none left out.
        """
        wanted = self.summed > 0 if self.runs is None else self.summed == self.runs
        return wanted and not (self.ahead or self.given_up or self.interrupted)

    def go_on_from(self, stop: int, sum_: Tally) -> None:
        """Take the runs from 0 to before `stop` as made, with these counts."""
        self.next = self.summed = stop
        self.sum = sum_
        self.cut = sum_.first.number if sum_.first and self.stop_first else None

    def total(self) -> Tally:
        """The sum of all runs that count: those up to the one that ended the campaign."""
        total = Tally()
        total.add(self.sum)
        for chunk, tally in self.ahead.values():
            if self._matters(chunk):
                total.add(tally)
        return total

    @property
    def _exhausted(self) -> bool:
        if self.cut is not None or (self.batch and self.given_up):
            return True
        return self.runs is not None and self.next >= self.runs

    def _matters(self, chunk: Chunk) -> bool:
        return self.cut is None or chunk.start <= self.cut

    def _done(self, chunk: Chunk, report: Report) -> None:
        self.under_way.discard(chunk)
        self.lost_in_a_row = 0
        tally = report.tally
        self.ahead[chunk.start] = chunk, tally
        ends = [tally.broke.number] if tally.broke else []
        if tally.first and self.stop_first:
            ends.append(tally.first.number)
        if ends:
            self.cut = min(ends if self.cut is None else [self.cut, *ends])
        while self.summed in self.ahead and self._matters(self.ahead[self.summed][0]):
            lowest, counts = self.ahead.pop(self.summed)
            self.on_settled(lowest, counts)
            self.sum.add(counts)
            self.summed = lowest.stop
        if tally.runs and report.seconds > 0:
            wanted = int(tally.runs / report.seconds * TARGET_SECONDS)
            self.size = max(1, min(wanted, GROWTH * self.size, CHUNK_MAX))

    def _lost(self, chunk: Chunk) -> None:
        self.lost_workers += 1
        self.lost_in_a_row += 1
        self.under_way.discard(chunk)
        self.losses[chunk] += 1
        if self.time_up or self.losses[chunk] >= LOSSES_PER_CHUNK:
            self.given_up.append(chunk)
        else:
            self.again.append(chunk)

    def _submit(self) -> list[Chunk]:
        if self.time_up:
            return []
        chunks = [chunk for chunk in sorted(self.again) if self._matters(chunk)]
        self.under_way.update(chunks)
        self.again.clear()
        while len(self.under_way) < OUTSTANDING_PER_WORKER * self.jobs and not self._exhausted:
            chunk = self._next_chunk()
            self.under_way.add(chunk)
            chunks.append(chunk)
        return chunks

    def _next_chunk(self) -> Chunk:
        size = self.size
        if self.batch:
            left = self.batch if self.runs is None else self.runs - self.next
            size = min(self.batch - self.next % self.batch, left)
        elif self.runs is not None:
            # Smaller towards the end, so that all workers end together.
            left = self.runs - self.next
            size = min(size, left, max(CHUNK_FIRST, left // (2 * self.jobs)))
        chunk = Chunk(self.next, self.next + size)
        self.next = chunk.stop
        return chunk
