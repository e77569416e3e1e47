"""What can be found out about a counterexample by searching, as data that is kept in files."""

from __future__ import annotations

from typing import NamedTuple

STATES = 20_000
"""States after which each search gives up, by default."""


class Allowances(NamedTuple):
    """Names of freedoms, in the order of `FREEDOMS`."""

    used: tuple[str, ...]
    needed: tuple[str, ...]
    undecided: tuple[str, ...]
    """Used, and perhaps needed: the search hit its limit."""


class Curve(NamedTuple):
    """Probabilities before each step of a run, and 1 after the last."""

    chances: tuple[float, ...]

    @property
    def no_return(self) -> int:
        """The step that seals it: after it every schedule fails like this; -1: so it is anyway."""
        return next(i for i, chance in enumerate((*self.chances, 1)) if chance == 1) - 1


class Explanation(NamedTuple):
    """What a counterexample needs of the hardware, and how likely it is."""

    states: int
    """The limit of each search."""
    allowances: Allowances
    curve: Curve | None
    surprises: int | None
    """The fewest with which it fails like this (`fewest`); None: a limit was hit, or a livelock."""
    curve_states: int
    """The limit of the search for the curve, which is one and needs all states."""
