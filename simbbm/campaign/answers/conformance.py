"""Litmus tests judged: one after another in this process, or side by side in workers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from simbbm.campaign.answers.in_order import in_order
from simbbm.core.errors import SimbbmError
from simbbm.host.defects import defect, whole_traceback
from simbbm.litmus.notation.reader import Line
from simbbm.litmus.score import Judged, judge

FEW = 40
"""Tests that are over sooner than workers have started."""


class Wanted(NamedTuple):
    """A test, and how it is run."""

    line: Line
    ets2: bool
    window: int | None
    max_states: int
    max_seconds: float
    programs: bool
    outcomes: bool

    def __str__(self) -> str:
        return self.line.name


class Failed(NamedTuple):
    """A test whose run ended in a defect of simbbm; it costs its own answer alone."""

    line: Line
    error: SimbbmError


def conformance(every: Sequence[Wanted], jobs: int | None) -> Iterator[Judged | Failed]:
    """Yield the answers in order (`in_order`)."""
    return in_order(judged, _unanswered, every, jobs, FEW)


def judged(wanted: Wanted) -> Judged | Failed:
    """Run one test and judge it."""
    try:
        return judge(
            wanted.line,
            ets2=wanted.ets2,
            window=wanted.window,
            max_states=wanted.max_states,
            max_seconds=wanted.max_seconds,
            programs=wanted.programs,
            outcomes=wanted.outcomes,
        )
    except Exception as error:
        if whole_traceback():
            raise
        return Failed(wanted.line, defect(error))


def _unanswered(wanted: Wanted, why: str, *, interrupted: bool) -> Judged:
    """The answer for a test whose worker was lost while it ran."""
    if interrupted:
        raise KeyboardInterrupt
    return Judged(wanted.line, wanted.ets2, None, lost=why)
