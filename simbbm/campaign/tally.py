"""The results of a number of runs, as counts that can be added in any order."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

from simbbm.check.verdict import Verdict
from simbbm.core.choice import Chooser
from simbbm.core.errors import SimbbmError
from simbbm.explore.runs.play import Outcome, Run
from simbbm.explore.strategies.estimate import Sample
from simbbm.explore.strategies.pct import PctChooser
from simbbm.explore.strategies.pct_bound import PctBound, pct_bound
from simbbm.explore.strategies.surprise import SurpriseChooser

_DIGEST_MODULUS = 1 << 128


class Failed(NamedTuple):
    """A run that failed."""

    number: int
    result: Outcome
    surprises: int | None = None
    """How many its hardware had, if the run's strategy counts them."""


class Broke(NamedTuple):
    """A run that could not be made: the scenario, or simbbm, is at fault."""

    number: int
    error: SimbbmError


class PctKey(NamedTuple):
    """Runs that share a bound."""

    depth: int
    k: int


@dataclass
class Tally:
    """Counts of runs. The digest is a sum, so that order and chunking do not change it."""

    runs: int = 0
    steps: int = 0
    digest: int = 0
    inconclusive: int = 0
    failures: Counter[tuple[Verdict, str]] = field(default_factory=Counter)
    lowest: dict[tuple[Verdict, str], int] = field(default_factory=dict)
    """The first run that fails in each way."""
    first: Failed | None = None
    broke: Broke | None = None
    agents: dict[PctKey, int] = field(default_factory=dict)
    counted: Counter[PctKey] = field(default_factory=Counter)
    too_long: Counter[PctKey] = field(default_factory=Counter)
    samples: list[Sample] = field(default_factory=list)
    """Of the campaign's first runs, chunk by chunk."""

    def count(self, number: int, run: Run, chooser: Chooser) -> None:
        """Count one run, but not its failure."""
        self.runs += 1
        self.steps += run.steps
        if run.end.ended is None:
            self.inconclusive += 1
        line = f"{number} {run.digest}".encode()
        run_digest = int.from_bytes(blake2b(line, digest_size=16).digest(), "big")
        self.digest = (self.digest + run_digest) % _DIGEST_MODULUS
        if isinstance(chooser, PctChooser):
            key = PctKey(chooser.depth, chooser.k)
            self.agents[key] = max(self.agents.get(key, 0), chooser.agents)
            fits = run.steps <= chooser.k
            (self.counted if fits else self.too_long)[key] += 1

    def fail(self, number: int, result: Outcome, chooser: Chooser) -> None:
        """Count a failure of a run that was counted."""
        way = result.verdict, result.property or ""
        self.failures[way] += 1
        self.lowest[way] = min(number, self.lowest.get(way, number))
        if self.first is None or number < self.first.number:
            surprises = chooser.surprises if isinstance(chooser, SurpriseChooser) else None
            self.first = Failed(number, result, surprises)

    def add(self, other: Tally) -> None:
        """Add the counts of other runs."""
        self.runs += other.runs
        self.steps += other.steps
        self.digest = (self.digest + other.digest) % _DIGEST_MODULUS
        self.inconclusive += other.inconclusive
        self.failures.update(other.failures)
        for way, number in other.lowest.items():
            self.lowest[way] = min(number, self.lowest.get(way, number))
        self.first = min(filter(None, (self.first, other.first)), default=None, key=_number)
        self.broke = min(filter(None, (self.broke, other.broke)), default=None, key=_number)
        for key, agents in other.agents.items():
            self.agents[key] = max(self.agents.get(key, 0), agents)
        self.counted.update(other.counted)
        self.too_long.update(other.too_long)
        self.samples += other.samples

    @property
    def pct(self) -> tuple[PctBound, ...]:
        """What the PCT runs among them say."""
        return tuple(
            pct_bound(key.depth, n, key.k, self.counted[key], self.too_long[key])
            for key, n in sorted(self.agents.items())
        )


class Report(NamedTuple):
    """The counts of some runs, and how long they took."""

    tally: Tally
    seconds: float
    doubt: str | None = None
    """Why they may mean nothing, if that was asked."""


def _number(event: Failed | Broke) -> int:
    return event.number
