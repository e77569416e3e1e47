"""One run: a model, a strategy, a seed and a number give one result."""

from __future__ import annotations

from typing import Any

import msgspec

from simbbm.check.verdict import Verdict
from simbbm.core.choice import Chooser, run_seed
from simbbm.core.engine import Engine, RunEnd
from simbbm.core.graph import Node
from simbbm.explore.runs.live import require_live
from simbbm.explore.search.livelock import ended_if_lost
from simbbm.explore.strategies.calibrate import calibrate
from simbbm.explore.strategies.named import Strategy, strategy
from simbbm.model import Model

MAX_STEPS = 100_000


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """What one run showed. `verdict` is HOLDS, VIOLATED, STUCK, or INCONCLUSIVE (`max_steps`)."""

    verdict: Verdict
    property: str | None
    message: str
    steps: int
    digest: str
    """Of the whole trace: 32 hexadecimal digits, equal on every machine."""
    path: tuple[int, ...] | None = None
    """The index of each move taken, if it was asked for."""
    labels: tuple[str, ...] | None = None
    """Likewise the labels."""
    doubt: str | None = None
    """Of a twin: which edit changes nothing, in this run or any other, as far as is known."""


class Recorder:
    """A chooser that remembers what another one chose, and where."""

    def __init__(self, chooser: Chooser) -> None:
        self._chooser = chooser
        self.taken: list[tuple[Node[Any], int]] = []

    def choose(self, node: Node[Any]) -> int:
        """Return the other's choice."""
        k = self._chooser.choose(node)
        self.taken.append((node, k))
        return k


class Runner:
    """The runs of one campaign: the machine is built once and every state judged once.

    Which run comes when changes nothing: a run depends on its number and the campaign's seed.
    """

    def __init__(
        self,
        model: Model,
        plan: Strategy | str,
        seed: int,
        max_steps: int = MAX_STEPS,
    ) -> None:
        self.model = model
        self.engine = Engine(model.graph)
        self._lost: dict[Any, Node[Any]] = {}
        """What came of runs that were cut short, by where they were."""
        self.seed = seed
        self.max_steps = max_steps
        self.strategy = strategy(plan) if isinstance(plan, str) else plan
        if self.strategy.needs_calibration:
            self.strategy = self.strategy.calibrated(calibrate(self.engine, seed))

    def chooser(self, number: int) -> Chooser:
        """The chooser of run `number`."""
        return self.strategy.chooser(run_seed(self.seed, number), number)

    def run(self, chooser: Chooser) -> RunEnd:
        """Run one schedule. One that is cut short may be seen to go round for ever: it is STUCK."""
        end = self.engine.run(chooser, self.max_steps)
        self.engine.graph.system.recheck()
        if end.node.ended is not None:
            return end
        lost = self._lost.get(end.node.state)
        if lost is None:
            lost = self._lost[end.node.state] = ended_if_lost(self.engine.graph, end.node)
        return end._replace(node=lost)

    def result(self, end: RunEnd, recorder: Recorder | None = None) -> RunResult:
        """What a run showed, as a record."""
        node = end.node
        verdict = Verdict.INCONCLUSIVE if node.ended is None else Verdict(node.ended.value)
        taken = recorder.taken if recorder else []
        message = f"max_steps={self.max_steps} reached" if node.ended is None else ""
        return RunResult(
            verdict=verdict,
            property=node.problem.property if node.problem else None,
            message=node.problem.message if node.problem else message,
            steps=end.steps,
            digest=end.trace,
            path=tuple(k for _, k in taken) if recorder else None,
            labels=tuple(node.moves[k].label for node, k in taken) if recorder else None,
        )


def run_one(
    model: Model,
    strategy: Strategy | str,
    seed: int,
    number: int = 0,
    max_steps: int = MAX_STEPS,
    *,
    record: bool = False,
) -> RunResult:
    """Run number `number` of the campaign with this seed; with its path and labels if `record`."""
    runner = Runner(model, strategy, seed, max_steps)
    chooser = runner.chooser(number)
    recorder = Recorder(chooser) if record else None
    result = runner.result(runner.run(recorder or chooser), recorder)
    doubt = require_live(model)
    return msgspec.structs.replace(result, doubt=doubt)
