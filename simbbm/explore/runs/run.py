"""One run of a campaign: a model, a strategy, a seed and a number give one result."""

from __future__ import annotations

from simbbm.core.choice import Chooser, run_seed
from simbbm.explore.runs.live import require_live
from simbbm.explore.runs.play import MAX_STEPS, Player, Run
from simbbm.explore.strategies.calibrate import calibrate
from simbbm.explore.strategies.named import Strategy, strategy
from simbbm.model import Model


class Runner(Player):
    """The runs of one campaign.

    Which run comes when changes nothing: a run depends on its number and the campaign's seed.
    """

    def __init__(
        self, model: Model, plan: Strategy | str, seed: int, max_steps: int = MAX_STEPS
    ) -> None:
        super().__init__(model, max_steps)
        self.seed = seed
        self.strategy = strategy(plan) if isinstance(plan, str) else plan
        if self.strategy.needs_calibration:
            self.strategy = self.strategy.calibrated(calibrate(self.engine, seed))

    def chooser(self, number: int) -> Chooser:
        """The chooser of run `number`."""
        return self.strategy.chooser(run_seed(self.seed, number), number)


def run_one(
    model: Model,
    strategy: Strategy | str,
    seed: int,
    number: int = 0,
    max_steps: int = MAX_STEPS,
) -> Run:
    """Make run number `number` of the campaign with this seed, and keep what it took."""
    runner = Runner(model, strategy, seed, max_steps)
    run = runner.play(runner.chooser(number), record=True)
    return run._replace(doubt=require_live(model))
