"""Strategies by name: how a campaign's runs choose among what is enabled."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Protocol

from simbbm.core.choice import Chooser
from simbbm.core.errors import UsageError
from simbbm.explore.pct import Pct
from simbbm.explore.polite import PoliteStrategy
from simbbm.explore.portfolio import Portfolio, default_members
from simbbm.explore.random_walk import RandomWalk

STRATEGIES: dict[str, str] = {
    "default": "by run number in turn: random, cpu-first, pct:depth=2, pct:depth=3",
    "random": "an agent uniformly, then one of its moves",
    "cpu-first": "a CPU uniformly, then one of its agents (its hardware too), then a move",
    "pct": "random priorities with depth-1 random change points (pct:depth=3)",
    "polite": "hardware does everything at once and nothing optional happens; always the same run",
}
"""Every strategy's one-line meaning, by name."""

_PCT_DEPTH = 3


class Strategy(Protocol):
    """How the runs of a campaign are scheduled."""

    @property
    def name(self) -> str:
        """The canonical text, which `strategy` reads back."""

    @property
    def needs_calibration(self) -> bool:
        """Whether `calibrated` has something to fit."""

    def calibrated(self, k: int) -> Strategy:
        """This strategy, fitted to a scenario whose runs take k steps."""

    def chooser(self, seed: bytes, number: int) -> Chooser:
        """The chooser of run `number`, whose seed this is."""


def strategy(text: str) -> Strategy:
    """Read a strategy's text; raise UsageError if there is none of that name."""
    name, _, rest = text.partition(":")
    if name == "pct":
        return Pct(_depth(text, rest))
    make = _PLAIN.get(name)
    if make is None:
        listed = ", ".join(STRATEGIES)
        near = get_close_matches(name, STRATEGIES, 1)
        hint = f"did you mean {near[0]}? there are {listed}" if near else f"there are {listed}"
        raise UsageError(f"no strategy {name}", hint)
    if rest:
        raise UsageError(f"strategy {text}: {name} has no options", "only pct has, pct:depth=3")
    return make()


_PLAIN: dict[str, Callable[[], Strategy]] = {
    "default": lambda: Portfolio("default", default_members()),
    "random": RandomWalk,
    "cpu-first": lambda: RandomWalk(cpu_first=True),
    "polite": PoliteStrategy,
}


def _depth(text: str, options: str) -> int:
    if not options:
        return _PCT_DEPTH
    key, _, value = options.partition("=")
    if key != "depth" or not (value.isascii() and value.isdecimal()):
        raise UsageError(f"strategy {text}: not understood", "write pct or pct:depth=3")
    return int(value)
