"""Strategies by name: how a campaign's runs choose among what is enabled."""

from __future__ import annotations

from typing import Protocol

from simbbm.core.choice import Chooser
from simbbm.explore.calibration import Calibration

STRATEGIES: dict[str, str] = {
    "default": "by run number in turn: random, cpu-first, pct:depth=2, pct:depth=3",
    "random": "an agent uniformly, then one of its moves",
    "cpu-first": "a CPU uniformly, then one of its agents (its hardware too), then a move",
    "pct": "random priorities with depth-1 random change points (pct:depth=3)",
    "polite": "hardware does everything at once and nothing optional happens; always the same run",
}
"""Every strategy's one-line meaning, by name."""


class Strategy(Protocol):
    """How the runs of a campaign are scheduled."""

    @property
    def name(self) -> str:
        """The canonical text, which `strategy` reads back."""

    def calibrated(self, calibration: Calibration) -> Strategy:
        """This strategy, fitted to a scenario; itself if it needs no fitting."""

    def chooser(self, seed: bytes, number: int) -> Chooser:
        """The chooser of run `number`, whose seed this is."""


def strategy(text: str) -> Strategy:
    """Read a strategy's text; raise UsageError if there is none of that name."""
    raise NotImplementedError(text)
