"""What may become of work that has been given out, and what planners do about it.

A planner does no I/O: it is told events, and says what to do next. The orchestrator carries them
between planners and workers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from simbbm.core.errors import SimbbmError

W = TypeVar("W")


class Done(NamedTuple, Generic[W]):
    """Its answer is in."""

    work: W
    answer: Any


class Raised(NamedTuple, Generic[W]):
    """It cannot be done: the scenario, or simbbm, is at fault."""

    work: W
    error: SimbbmError


class Lost(NamedTuple, Generic[W]):
    """Its worker ended before there was an answer."""

    work: W
    why: str


class Dropped(NamedTuple, Generic[W]):
    """It was taken back before it had an answer, since time is up."""

    work: W
    begun: bool = False
    """Whether a worker was busy with it for longer than it should take."""


class TimeUp(NamedTuple):
    """Nothing new, please."""


class Interrupted(NamedTuple):
    """Nothing at all, please."""


Event = Done[W] | Raised[W] | Lost[W] | Dropped[W] | TimeUp | Interrupted


class Planner(Protocol[W]):
    """Decides what is given out next, and when there is nothing more to wait for."""

    time_up: bool

    @property
    def finished(self) -> bool:
        """Whether nothing that is under way matters any more."""

    def handle(self, *events: Event[W]) -> Sequence[W]:
        """Take note of events; return what to give out now."""
