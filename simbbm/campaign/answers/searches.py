"""Searches of scenarios, as rows: one after another in this process, or side by side in workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec

import simbbm
from simbbm import discovery
from simbbm.check.verdict import Verdict
from simbbm.core.errors import ModelError, ScenarioError, SimbbmError
from simbbm.explore.runs.run import run_one
from simbbm.explore.search.attempt import Interrupted
from simbbm.explore.search.breadth_first import INTERRUPTED, Limits, Progress
from simbbm.explore.search.cross_check import cross_check
from simbbm.explore.search.prove import Prover, counterexample_of
from simbbm.explore.witness.kept import Kept, keep
from simbbm.host.defects import defect, whole_traceback
from simbbm.model import Model
from simbbm.report.rows import VerdictRow
from simbbm.report.verdict_rows import search_row, search_text

if TYPE_CHECKING:
    from simbbm.campaign.tasks import SideBySide

SECONDS_BEFORE_ESTIMATE = 2.0


class Bounds(NamedTuple):
    """What is asked for, whatever the scenario."""

    limits: Limits
    symmetry: bool
    ample: bool
    witness_dir: Path
    explains: bool = False
    """Whether a counterexample is explained, which takes a few more searches."""
    cross_check: bool = False
    """Whether everything is searched once more without reductions."""


class Wanted(NamedTuple):
    """A scenario to be searched, in a form that can be sent to another process."""

    scenario: str
    params: dict[str, Any]
    bounds: Bounds

    def __str__(self) -> str:
        return self.scenario


class Proven(NamedTuple):
    """The answer of a search of one scenario, with its text."""

    row: VerdictRow
    kept: Kept | None
    how: str
    interrupted: bool
    lost: bool = False
    """Whether the process that searched ended before it had an answer."""


Found = Proven | ScenarioError | ModelError
"""The answer of a search, or the error of the scenario's author, or of simbbm, that ended it."""


Tell = Callable[[Callable[[], str]], object]
"""Hears now and then how far a search is; the text is made if it asks for it."""


class SoFar(NamedTuple):
    """How far a search is: what a worker says while it searches."""

    scenario: str
    text: str


class View(Protocol):
    """Where it is shown how far searches are."""

    def searching(self, name: str) -> AbstractContextManager[Tell]:
        """One search, in this process."""

    def waiting(self, names: str) -> AbstractContextManager[object]:
        """Several, elsewhere."""

    def heard(self, so_far: SoFar) -> object:
        """Something of one of several."""


def prove(model: Model, bounds: Bounds, tell: Tell | None = None) -> Proven:
    """Search a model's states, and keep a counterexample as a witness."""
    told = _how_far(model, tell) if tell else None
    prover = Prover(model, bounds.limits, told, symmetry=bounds.symmetry, ample=bounds.ample)
    proof, crossed, interrupted = None, None, False
    try:
        proof = prover.prove()
        if bounds.cross_check:
            crossed = cross_check(model, proof, bounds.limits, told)
    except Interrupted as cut:
        proof, interrupted = proof or prover.proof(cut.attempt), True
    witness = counterexample_of(model, proof)
    kept = keep(witness, bounds.witness_dir) if witness else None
    row, how = search_row(model, proof, kept), search_text(model.params, proof)
    if crossed:
        coverage = {**(row.coverage or {}), "cross_check": msgspec.to_builtins(crossed)}
        row = msgspec.structs.replace(row, coverage=coverage)
        how = f"{how}\n  {crossed.told}"
    if kept and bounds.explains and not interrupted:
        row, how, interrupted = _explained(row, how, kept, model)
    return Proven(row, kept, how, interrupted)


def _how_far(model: Model, tell: Tell) -> Callable[[Progress], object]:
    """Tell how far a search is, of about how far it has to go: as far as a polite run goes."""
    about: list[str] = []

    def text(now: Progress) -> str:
        if not about and now.seconds >= SECONDS_BEFORE_ESTIMATE:
            about.append(f" of about {run_one(model, 'polite', seed=0).steps}")
        rate = now.states / now.seconds if now.seconds else 0.0
        left = f"{now.frontier:,} left at distance {now.depth}{''.join(about)}"
        return f"{now.states:,} states, {left}, {rate:,.0f} states/s"

    return lambda now: tell(partial(text, now))


def _explained(row: VerdictRow, how: str, kept: Kept, model: Model) -> tuple[VerdictRow, str, bool]:
    """Add what the counterexample needs of the hardware, and how likely it is.

    Also say whether Ctrl-C came first: what was found stays found then.
    """
    # Needed if something fails, by those who ask for it.
    from simbbm.report.explanation import sentences, summary  # noqa: PLC0415
    from simbbm.report.told.case import Case  # noqa: PLC0415

    case = Case(kept.witness, lambda: (kept.witness, model), path=kept.path)
    if case.explained is None:
        return row, how, case.interrupted
    row = msgspec.structs.replace(row, **summary(case.explained))
    return row, "\n  ".join((how, *sentences(case.explained))), False


def search(wanted: Wanted, tell: Tell | None = None) -> Found:
    """Make one search."""
    scenario = discovery.find(wanted.scenario)
    try:
        return prove(Model(scenario, wanted.params), wanted.bounds, tell)
    except (ScenarioError, ModelError) as error:
        return error
    except (MemoryError, SimbbmError):
        raise
    except Exception as error:
        if whole_traceback():
            raise
        return defect(error)


class OneByOne:
    """Searches in this process, one after another."""

    def __init__(self, every: Sequence[Wanted], view: View) -> None:
        self._every = every
        self._view = view
        self._stopped = False

    def __iter__(self) -> Iterator[Found]:
        """Yield the answers in order."""
        for wanted in self._every:
            if self._stopped:
                return
            try:
                with self._view.searching(wanted.scenario) as tell:
                    found = search(wanted, tell)
            except KeyboardInterrupt:
                self._stopped = True
                found = unanswered(wanted, INTERRUPTED, interrupted=True)
            yield found

    def stop(self) -> None:
        """Start no further search."""
        self._stopped = True


def searches(
    every: Sequence[Wanted], jobs: int | None, view: View
) -> OneByOne | SideBySide[Wanted, Found]:
    """Make searches: in this process if there is only one to be made at a time."""
    if len(every) < 2 or jobs == 1:
        return OneByOne(every, view)
    # asyncio and multiprocessing take longer to import than many a search.
    from simbbm.campaign.answers.searches_elsewhere import side_by_side  # noqa: PLC0415

    return side_by_side(every, jobs, view)


def unanswered(wanted: Wanted, why: str, *, interrupted: bool) -> Proven:
    """The answer for a scenario whose worker was lost, or interrupted, while it searched."""
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
