"""What a campaign's workers do: find the scenario once, run chunks, and return counts.

A worker keeps the machine that it built, with all states that it has judged. Traces and witnesses
are made later, in the parent, by running one number again.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from time import perf_counter
from typing import Any, NamedTuple

from simbbm.campaign.planner import Chunk
from simbbm.campaign.tally import Broke, Report, Tally
from simbbm.core.errors import SimbbmError, UsageError
from simbbm.core.graph import Ended
from simbbm.discovery import digest_of
from simbbm.explore.runs.run import Runner
from simbbm.explore.strategies.estimate import RUNS, Sample, Visitor
from simbbm.model import Model
from simbbm.scenario import Scenario


class Job(NamedTuple):
    """What every chunk of a campaign has in common."""

    finder: str
    scenario_id: str
    params: tuple[tuple[str, Any], ...]
    strategy: str
    seed: int
    max_steps: int
    stop_first: bool
    sampled: int = 0
    """The first so many runs, and each whose number is a multiple, count for the estimate.

    0: the first `RUNS`, and no other."""
    source: str = ""
    """The digest of the file that the scenario has to be in; empty: any (`discovery.digest_of`)."""


_kept: dict[Job, Runner] = {}
"""The runner of the last job."""


def run_chunk(job: Job, chunk: Chunk) -> Report:
    """Run the numbers of a chunk, or those up to the first failure if that is wanted."""
    tally, sample = Tally(), Sample()
    number = chunk.start
    began = perf_counter()
    try:
        runner = _runner(job)
        began = perf_counter()
        for number in range(*chunk):
            chooser = runner.chooser(number)
            visitor = Visitor(chooser) if _counts(job, number) else None
            run = runner.play(visitor or chooser)
            tally.count(number, run, chooser)
            if visitor:
                sample.count(runner.model.graph, visitor, run.end)
            if run.end.ended is not None and run.end.ended is not Ended.HOLDS:
                tally.fail(number, run.outcome, chooser)
                if job.stop_first:
                    break
    except SimbbmError as error:
        # The exception has passed through the engine's processes, which cannot be used again.
        _kept.clear()
        tally.broke = Broke(number, error)
    if sample.runs:
        tally.samples.append(sample)
    return Report(tally, perf_counter() - began)


def _counts(job: Job, number: int) -> bool:
    """Whether the states of a run are counted, for an estimate of those that are left."""
    if not job.sampled:
        return number < RUNS
    return number < job.sampled or number % job.sampled == 0


def _runner(job: Job) -> Runner:
    runner = _kept.get(job)
    if runner is None:
        model = Model(find_scenario(job), dict(job.params))
        runner = Runner(model, job.strategy, job.seed, job.max_steps)
        _kept.clear()
        _kept[job] = runner
    return runner


def find_scenario(job: Job) -> Scenario:
    """Find the scenario of a job, by its finder's name, `module:function`.

    UsageError if it stands in another file than it did where the job was made.
    """
    if job.source and digest_of(job.scenario_id) != job.source:
        hint = "take a new store; on several machines: the same file on all"
        raise UsageError(f"{job.scenario_id}: its file is not the one that was begun with", hint)
    module, _, function = job.finder.partition(":")
    find: Callable[[str], Scenario] = getattr(import_module(module), function)
    return find(job.scenario_id)
