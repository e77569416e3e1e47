"""Stress: many runs of one scenario, and one answer that depends on the request alone."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from time import monotonic
from typing import Any, Literal

import msgspec

from simbbm.campaign.chunks import Job, find_scenario, run_chunk
from simbbm.campaign.judging import Asked, Doubts, judged
from simbbm.campaign.orchestrator import Orchestrator
from simbbm.campaign.planner import Chunk, ChunkPlanner
from simbbm.campaign.pool import Pool
from simbbm.campaign.processes import available_cpus
from simbbm.check.verdict import Verdict
from simbbm.core.errors import UsageError
from simbbm.explore.runs.live import require_live
from simbbm.explore.runs.play import MAX_STEPS, Outcome
from simbbm.explore.strategies.estimate import Estimate, estimate
from simbbm.explore.strategies.named import strategy
from simbbm.explore.strategies.pct_bound import PctBound
from simbbm.model import Model

FINDER = "simbbm.discovery:find"


class StressRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to run; `runs` or `time` (seconds) or both."""

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
    """The progress of a campaign."""

    runs: int
    runs_requested: int | None
    failures: int
    first_failure: int | None
    seconds: float

    @property
    def told(self) -> str:
        """What was found, in words."""
        return f"{self.failures} failed" if self.failures else ""


class StressResult(msgspec.Struct, frozen=True, kw_only=True):
    """The answer. With `stop="first"` the counts are of runs 0 to `first_failure`."""

    verdict: Verdict
    """VIOLATED or STUCK: the first failure's. SAMPLED: every run asked for completed. Otherwise
    INCONCLUSIVE."""
    property: str | None
    message: str
    """What failed; of SAMPLED what the runs say about what they have not met; else why there is no
    answer. May be empty."""
    runs: int
    runs_requested: int | None
    failures: dict[tuple[Verdict, str], int]
    first_failure: int | None
    """The lowest failing run number."""
    failure: Outcome | None
    """That run's result."""
    surprises: int | None
    """How many surprises its hardware had, if its strategy counts them."""
    steps: int
    digest: str
    """Of all runs, in whatever order they were made."""
    inconclusive: int
    """Runs that hit `max_steps`."""
    lost_workers: int
    interrupted: bool
    seconds: float
    strategy: str
    pct: tuple[PctBound, ...]
    estimate: Estimate | None
    """What its first runs say about the states that they have not met."""


def stress(
    request: StressRequest, on_progress: Callable[[Progress], object] | None = None
) -> StressResult:
    """Run a campaign to its end, or to Ctrl-C."""
    if request.runs is None and request.time is None:
        raise UsageError("stress without an end", "give runs, or time, or both")
    name = strategy(request.strategy).name
    job = Job(
        request.finder,
        request.scenario_id,
        tuple(request.params.items()),
        name,
        request.seed,
        request.max_steps,
        request.stop == "first",
    )
    scenario = find_scenario(job)
    doubt = require_live(Model(scenario, request.params))
    jobs = request.jobs or available_cpus()
    planner = ChunkPlanner(request.runs, jobs, job.stop_first)
    logged = Counter[Chunk]()
    began = monotonic()

    def tell() -> None:
        _log_losses(planner, logged)
        if on_progress:
            on_progress(_progress(planner, monotonic() - began))

    asyncio.run(_conduct(planner, job, request.time, tell))
    return _result(planner, name, monotonic() - began, doubt, job.max_steps)


async def _conduct(
    planner: ChunkPlanner, job: Job, seconds: float | None, tell: Callable[[], object]
) -> None:
    def call(chunk: Chunk) -> tuple[Any, ...]:
        return run_chunk, job, chunk

    pool = Pool(planner.jobs)
    await Orchestrator(planner, pool, call, seconds=seconds, on_event=tell).finish()


def _log_losses(planner: ChunkPlanner, logged: Counter[Chunk]) -> None:
    """Say which chunks have lost a worker since that was last said."""
    if lost := planner.losses - logged:
        import structlog  # noqa: PLC0415 - takes longer than a short campaign, and is seldom needed

        logged += lost
        structlog.get_logger().warning("worker lost", runs_again=sorted(map(list, lost)))


def _progress(planner: ChunkPlanner, seconds: float) -> Progress:
    total = planner.total()
    return Progress(
        runs=total.runs,
        runs_requested=planner.runs,
        failures=total.failures.total(),
        first_failure=total.first.number if total.first else None,
        seconds=seconds,
    )


def _result(
    planner: ChunkPlanner, name: str, seconds: float, doubt: str | None, max_steps: int
) -> StressResult:
    total = planner.total()
    if total.broke:
        raise total.broke.error
    failure = total.first.result if total.first else None
    estimated = estimate(total.samples)
    doubts = Doubts(doubt or "", _stopped(planner))
    verdict, message = judged(total, Asked(planner.runs, max_steps), estimated, doubts)
    return StressResult(
        verdict=verdict,
        property=failure.property if failure else None,
        message=message,
        runs=total.runs,
        runs_requested=planner.runs,
        failures=dict(sorted(total.failures.items())),
        first_failure=total.first.number if total.first else None,
        failure=failure,
        surprises=total.first.surprises if total.first else None,
        steps=total.steps,
        digest=f"{total.digest:032x}",
        inconclusive=total.inconclusive,
        lost_workers=planner.lost_workers,
        interrupted=planner.interrupted,
        seconds=seconds,
        strategy=name,
        pct=total.pct,
        estimate=estimated,
    )


def _stopped(planner: ChunkPlanner) -> str:
    """Why there are fewer runs than there might be, if it is not seen from their number."""
    if planner.interrupted:
        return "interrupted"
    if planner.runs is None and planner.summed and not planner.complete:
        return "runs were lost with a worker"
    return ""
