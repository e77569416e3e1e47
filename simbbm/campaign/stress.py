"""Stress: many runs of one scenario, and one answer that depends on nothing but the request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from simbbm.check.verdict import Verdict
from simbbm.explore.bound import PctBound
from simbbm.explore.run import MAX_STEPS, RunResult

FINDER = "simbbm.discovery:find"


class StressRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for; `runs` or `time` (seconds) or both."""

    scenario_id: str
    params: dict[str, Any] = {}
    runs: int | None = None
    time: float | None = None
    seed: int = 0
    strategy: str = "default"
    max_steps: int = MAX_STEPS
    jobs: int | None = None
    """Worker processes; all cores if None."""
    stop: Literal["first", "never"] = "first"
    finder: str = FINDER
    """`module:function` by which a worker finds the scenario of an id."""


class Progress(msgspec.Struct, frozen=True):
    """How far a campaign is."""

    runs: int
    runs_requested: int | None
    failures: int
    first_failure: int | None
    seconds: float


class StressResult(msgspec.Struct, frozen=True, kw_only=True):
    """The answer. With `stop="first"` the counts are of runs 0 to `first_failure`."""

    verdict: Verdict
    """VIOLATED or STUCK: the first failure's. SAMPLED: every run asked for completed. Otherwise
    INCONCLUSIVE."""
    property: str | None
    message: str
    runs: int
    runs_requested: int | None
    failures: dict[tuple[Verdict, str], int]
    first_failure: int | None
    """The lowest failing run number."""
    failure: RunResult | None
    """What that run showed."""
    steps: int
    digest: str
    """Of all runs, whatever the order in which they came."""
    inconclusive: int
    """Runs that hit `max_steps`."""
    lost_workers: int
    interrupted: bool
    seconds: float
    strategy: str
    pct: tuple[PctBound, ...]


def stress(
    request: StressRequest, on_progress: Callable[[Progress], object] | None = None
) -> StressResult:
    """Run a campaign to its end, or to Ctrl-C."""
    raise NotImplementedError((request, on_progress))
