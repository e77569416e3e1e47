"""What the workers of a campaign that is kept do: a batch of runs, or make a failure small."""

from __future__ import annotations

from typing import NamedTuple

from simbbm.campaign.chunks import Job, find_scenario, run_chunk
from simbbm.campaign.planner import Chunk
from simbbm.campaign.tally import Broke, Report, Tally
from simbbm.core.errors import SimbbmError
from simbbm.explore.counterexample.shrink import shrink
from simbbm.explore.runs.live import require_live
from simbbm.explore.witness.record import Witness
from simbbm.explore.witness.recording import witness_of
from simbbm.model import Model

SAMPLED = 100
"""The states of an arm's first runs, so many, and of each whose number is a multiple are counted.

More would tell more, and cost more: what is kept of a campaign costs a twentieth at most."""


def run_batch(job: Job, chunk: Chunk) -> Report:
    """Make the runs of a batch; of the first one also see whether an edit changes anything."""
    report = run_chunk(job, chunk)
    if chunk.start or report.tally.broke:
        return report
    try:
        doubt = require_live(_model(job))
    except SimbbmError as error:
        return Report(Tally(broke=Broke(0, error)), report.seconds)
    return report._replace(doubt=doubt)


class Small(NamedTuple):
    """A failure that was made small."""

    witness: Witness
    certified: bool


def make_small(job: Job, run: int, states: int) -> Small:
    """Record a failing run, and make it small."""
    model = _model(job)
    witness = witness_of(model, job.strategy, job.seed, run, job.max_steps)
    shrunk = shrink(witness, model, states)
    return Small(shrunk.witness, shrunk.certified)


def _model(job: Job) -> Model:
    return Model(find_scenario(job), dict(job.params))
