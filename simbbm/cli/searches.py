"""The searches that a command makes: one after another, or side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import click

import simbbm
from simbbm import discovery
from simbbm.check.verdict import Verdict
from simbbm.cli.options import JOBS_MAX
from simbbm.cli.proving import Bounds, Proven, prove
from simbbm.core.errors import ModelError, ScenarioError, SimbbmError
from simbbm.explore.search.breadth_first import INTERRUPTED
from simbbm.host.defects import defect, whole_traceback
from simbbm.model import Model
from simbbm.report.rows import VerdictRow
from simbbm.scenario import Scenario

if TYPE_CHECKING:
    from simbbm.campaign.side_by_side import SideBySide

jobs_option = click.option(
    "-j",
    "--jobs",
    type=click.IntRange(1, JOBS_MAX),
    help="Worker processes. A search uses one core: several searches, or a sample, use more. "
    "[default: all cores]",
)


Found = Proven | ScenarioError | ModelError
"""The answer of a search, or the error of the scenario's author, or of simbbm, that ended it."""


class Wanted(NamedTuple):
    """A scenario to be searched, in a form that can be sent to another process."""

    scenario: str
    params: dict[str, Any]
    bounds: Bounds

    def __str__(self) -> str:
        return self.scenario


def search(wanted: Wanted) -> Found:
    """Make one search."""
    scenario = discovery.find(wanted.scenario)
    try:
        return prove(Model(scenario, wanted.params), wanted.bounds)
    except (ScenarioError, ModelError) as error:
        return error
    except (MemoryError, SimbbmError):
        raise
    except Exception as error:
        if whole_traceback():
            raise
        return defect(error)


class Searches:
    """Searches in this process, one after another."""

    def __init__(self, every: Sequence[Wanted]) -> None:
        self._every = every
        self._stopped = False

    def __iter__(self) -> Iterator[Found]:
        """Yield the answers in order."""
        for wanted in self._every:
            if self._stopped:
                return
            try:
                found = search(wanted)
            except KeyboardInterrupt:
                self._stopped = True
                found = unanswered(wanted, INTERRUPTED, interrupted=True)
            yield found

    def stop(self) -> None:
        """Start no further search."""
        self._stopped = True


def searches(
    named: Iterable[tuple[Scenario, Mapping[str, Any]]], bounds: Bounds, jobs: int | None
) -> Searches | SideBySide[Wanted, Found]:
    """Search scenarios with their parameters: in this process if there is only one to be made."""
    every = [Wanted(scenario.id, dict(params), bounds) for scenario, params in named]
    if len(every) < 2 or jobs == 1:
        return Searches(every)
    from simbbm.campaign.pool import available_cpus
    from simbbm.campaign.side_by_side import SideBySide
    from simbbm.cli.logs import searching

    every = [wanted._replace(bounds=bounds._replace(alone=False)) for wanted in every]
    jobs = jobs or available_cpus()
    waiting = partial(searching, log_format=bounds.log_format)
    return SideBySide(search, unanswered, every, jobs, waiting)


def unanswered(wanted: Wanted, why: str, *, interrupted: bool) -> Proven:
    """The answer for a scenario whose process ended before its search."""
    scenario = discovery.find(wanted.scenario)
    row = VerdictRow(
        scenario=scenario.id,
        params=wanted.params,
        mode="explore",
        verdict=Verdict.INCONCLUSIVE,
        expect=str(scenario.expect),
        message=why,
        geometry=scenario.setup(wanted.params).geometry.name,
        version=simbbm.__version__,
    )
    return Proven(row, None, "no answer", interrupted, lost=True)
