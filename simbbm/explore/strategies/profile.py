"""The measured properties of a scenario's runs that strategies depend on."""

from __future__ import annotations

from typing import NamedTuple


class Profile(NamedTuple):
    """The results of a few calibration runs."""

    steps: int
    """The most steps of a run."""
    arrivals: int = 1
    """How many times hardware got something to do in the default run."""
    moves: tuple[tuple[str, int], ...] = ()
    """Each agent's mean number of moves in a random run, at least one; by name."""


UNKNOWN = Profile(100, 50)
"""A guess, for a strategy that is used without calibration."""
