"""Runs to detection: how many runs each strategy needs to find a bad twin, over many campaigns.

A campaign counts its runs up to the first failure that its scenario declares; one that finds none
within the cap is censored: it would have taken longer, by an unknown amount. Medians and their
intervals are order statistics, so that censored campaigns need no guess.

A campaign is the one that `stress` would make with the same seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from typing import NamedTuple

from simbbm.check.verdict import Expectation
from simbbm.core.choice import run_seed
from simbbm.explore.runs.live import require_live
from simbbm.explore.runs.play import MAX_STEPS, Player
from simbbm.explore.search.attempt import failure_kind
from simbbm.explore.strategies.calibrate import calibrate
from simbbm.explore.strategies.named import Strategy, strategy
from simbbm.model import Model

COMPARED = (
    "default",
    "random",
    "cpu-first",
    "pct:depth=2",
    "pct:depth=3",
    "pos",
    "surprise:budget=2",
    "urw",
)
"""The strategies that a table compares."""
CONTROL = "hardware=eager"
"""The column of the control experiment: `default`, on hardware that delays nothing."""
FEWEST_TRIALS = 6
"""Fewer trials give no 95 % interval: all may lie on one side of the median too often."""


class Trials(NamedTuple):
    """A number of campaigns that differ in their seeds only."""

    seed: int = 0
    """The first seed; the campaigns have consecutive ones."""
    campaigns: int = 30
    cap: int = 1_000
    """Runs after which a campaign is given up."""
    max_steps: int = MAX_STEPS

    @property
    def seeds(self) -> range:
        """Every campaign's seed."""
        return range(self.seed, self.seed + self.campaigns)


class Kills(NamedTuple):
    """The results of the campaigns of one strategy."""

    runs: tuple[int, ...]
    """Runs up to the failure, of those that found one; fewest first."""
    trials: int

    @property
    def median(self) -> float | None:
        """Runs to the failure; None if it lies beyond the cap."""
        low, high = self._rank((self.trials + 1) // 2), self._rank(self.trials // 2 + 1)
        return None if low is None or high is None else (low + high) / 2

    @property
    def interval(self) -> tuple[int | None, int | None]:
        """An interval that contains the true median in at least 19 of 20 cases.

        None: beyond the cap.
        """
        rank = interval_rank(self.trials)
        return self._rank(rank), self._rank(self.trials + 1 - rank)

    def _rank(self, rank: int) -> int | None:
        return self.runs[rank - 1] if rank <= len(self.runs) else None


def interval_rank(trials: int) -> int:
    """Return which of the values, from either end, bounds a 95 % interval of the median.

    How many of n values lie below the median is binomial(n, 1/2). So the interval from the r-th to
    the r-th from the end misses it with probability 2 P(X < r), which is to be at most 1/20. That
    is exact for continuous values; equal ones make the interval safer.
    """
    rank = below = 0
    while 40 * (below := below + comb(trials, rank)) <= 2**trials:
        rank += 1
    return rank


def kills(model: Model, names: Sequence[str], trials: Trials) -> dict[str, Kills]:
    """Return what each of these strategies needs to find a twin, and the control if there is one.

    A twin that changes nothing is refused. All campaigns share one graph of states: their order
    changes the time taken and nothing else.
    """
    require_live(model)
    row = _kills(model, names, trials)
    if any(p.name == "hardware" and "eager" in p.choices for p in model.scenario.parameters):
        eager = model.with_(hardware="eager")
        row[CONTROL] = _kills(eager, ["default"], trials)["default"]
    return row


def _kills(model: Model, names: Sequence[str], trials: Trials) -> dict[str, Kills]:
    player, expect = Player(model, trials.max_steps), model.scenario.expect
    profiles = [calibrate(player.engine, seed) for seed in trials.seeds]
    row = {}
    for name in names:
        plans = [strategy(name).calibrated(profile) for profile in profiles]
        each = zip(plans, trials.seeds, strict=True)
        found = (_campaign(player, expect, plan, seed, trials) for plan, seed in each)
        row[name] = Kills(tuple(sorted(n for n in found if n is not None)), trials.campaigns)
    return row


def _campaign(
    player: Player, expect: Expectation, plan: Strategy, seed: int, trials: Trials
) -> int | None:
    """Return how many runs a campaign takes to find what is declared, None if it does not."""
    for number in range(trials.cap):
        chooser = plan.chooser(run_seed(seed, number), number)
        if failure_kind(player.play(chooser).end) in expect.failures:
            return number + 1
    return None
