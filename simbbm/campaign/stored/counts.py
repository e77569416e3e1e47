"""The counts of runs as a store keeps them: JSON, read back as counts and nothing else."""

from __future__ import annotations

from typing import Annotated

import msgspec

from simbbm.campaign.tally import Failed, PctKey, Tally
from simbbm.check.verdict import Verdict
from simbbm.explore.runs.play import Outcome
from simbbm.host import reading


class Way(msgspec.Struct, frozen=True):
    """A way to fail: how often, and in which run first."""

    verdict: Verdict
    property: str
    failures: int
    lowest: int


class Bound(msgspec.Struct, frozen=True):
    """Runs of PCT that share a bound."""

    depth: int
    k: int
    agents: int
    counted: int
    too_long: int


class First(msgspec.Struct, frozen=True):
    """The first run that failed."""

    number: int
    outcome: Outcome
    surprises: int | None


class Counts(msgspec.Struct, frozen=True):
    """A `Tally`, but for the states that it has met, which have a table of their own."""

    runs: int
    steps: int
    digest: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
    inconclusive: int
    ways: tuple[Way, ...]
    first: First | None
    bounds: tuple[Bound, ...]
    sampled: int
    """Runs whose states are counted."""


def written(tally: Tally) -> bytes:
    """The counts as JSON."""
    first = tally.first
    counts = Counts(
        tally.runs,
        tally.steps,
        f"{tally.digest:032x}",
        tally.inconclusive,
        tuple(Way(*way, count, tally.lowest[way]) for way, count in sorted(tally.failures.items())),
        First(first.number, first.result, first.surprises) if first else None,
        tuple(
            Bound(key.depth, key.k, agents, tally.counted[key], tally.too_long[key])
            for key, agents in sorted(tally.agents.items())
        ),
        sum(sample.runs for sample in tally.samples),
    )
    return msgspec.json.encode(counts)


def read(text: bytes) -> tuple[Tally, int]:
    """The counts, and how many runs had their states counted; UsageError for anything else."""
    counts = reading.json(text, Counts)
    tally = Tally(counts.runs, counts.steps, int(counts.digest, 16), counts.inconclusive)
    for way in counts.ways:
        key: tuple[Verdict, str] = way.verdict, way.property
        tally.failures[key] = way.failures
        tally.lowest[key] = way.lowest
    if first := counts.first:
        tally.first = Failed(first.number, first.outcome, first.surprises)
    for bound in counts.bounds:
        pct = PctKey(bound.depth, bound.k)
        tally.agents[pct] = bound.agents
        tally.counted[pct] = bound.counted
        tally.too_long[pct] = bound.too_long
    return tally, counts.sampled
