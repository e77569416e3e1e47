"""What a scenario's runs are like, as far as a strategy has to know before one starts."""

from __future__ import annotations

from typing import NamedTuple


class Profile(NamedTuple):
    """What a few runs showed."""

    steps: int
    """The most steps of a run."""
    arrivals: int = 1
    """How often hardware was given something to do in the polite run."""
    moves: tuple[tuple[str, int], ...] = ()
    """Each agent's mean number of moves in a random run, at least one; by name."""


UNKNOWN = Profile(100, 50)
"""A guess, for a strategy that is used without calibration."""
