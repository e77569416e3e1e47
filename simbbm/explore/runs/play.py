"""Playing a schedule on a model: the one way in which runs are made.

Who chooses is somebody else's business: a strategy, a recorded schedule, a list of moves. What a
run that was cut short comes to is decided here: it may be seen to go round for ever, and is STUCK.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from simbbm.check.verdict import Verdict
from simbbm.core.choice import Chooser
from simbbm.core.engine import Engine
from simbbm.core.graph import Node
from simbbm.core.system import Move
from simbbm.explore.runs.schedule import Schedule, Taken
from simbbm.explore.search.livelock import closes, ended_if_lost
from simbbm.model import Model

MAX_STEPS = 100_000


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of a run to other processes.

    `verdict` is HOLDS, VIOLATED, STUCK, or INCONCLUSIVE (`max_steps`).
    """

    verdict: Verdict
    property: str | None
    message: str
    steps: int
    digest: str
    """Of the whole trace: 32 hexadecimal digits, equal on every machine."""


class RunStep(NamedTuple):
    """One step of a run: `before.moves[k]` leads to `after`."""

    step: int
    before: Node[Any]
    k: int
    after: Node[Any]


class Run(NamedTuple):
    """What playing a schedule on a model gave."""

    model: Model
    end: Node[Any]
    """What it came to; nothing follows, or there were enough steps."""
    steps: int
    digest: str
    """Of the whole trace."""
    taken: Taken = ()
    """What was taken and where, if it was asked for."""
    loop: int | None = None
    """The step to which it comes back after its last, if it goes round for ever."""
    doubt: str | None = None
    """Of a twin: which edit changes nothing, in this run or any other, as far as is known."""

    @property
    def verdict(self) -> Verdict:
        """How it ended: HOLDS, VIOLATED, STUCK; INCONCLUSIVE if it was cut short."""
        return Verdict(self.end.ended.value) if self.end.ended else Verdict.INCONCLUSIVE

    @property
    def message(self) -> str:
        """Why, or what kept it from an end."""
        if self.end.problem:
            return self.end.problem.message
        return "" if self.end.ended else f"max_steps={self.steps} reached"

    @property
    def moves(self) -> tuple[Move, ...]:
        """What was taken."""
        return tuple(node.moves[k] for node, k in self.taken)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of what was taken."""
        return tuple(move.label for move in self.moves)

    @property
    def path(self) -> tuple[int, ...]:
        """Likewise the indices."""
        return tuple(k for _, k in self.taken)

    @property
    def schedule(self) -> Schedule:
        """What was played, so that it can be kept."""
        return Schedule.of(self.taken, self.loop)

    @property
    def outcome(self) -> Outcome:
        """What other processes are told."""
        return Outcome(
            verdict=self.verdict,
            property=self.property,
            message=self.message,
            steps=self.steps,
            digest=self.digest,
        )

    def played(self) -> Iterator[RunStep]:
        """Its steps, one by one; the last leads to the end."""
        nodes = [*(node for node, _ in self.taken[1:]), self.end]
        for step, ((before, k), after) in enumerate(zip(self.taken, nodes, strict=True)):
            yield RunStep(step, before, k, after)

    @property
    def property(self) -> str | None:
        """What failed."""
        return self.end.problem.property if self.end.problem else None


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


class Player:
    """Plays schedules on one model: it is built once, and every state judged once."""

    def __init__(self, model: Model, max_steps: int = MAX_STEPS) -> None:
        self.model = model
        self.max_steps = max_steps
        self.engine = Engine(model.graph)
        self._lost: dict[Any, Node[Any]] = {}
        """What came of runs that were cut short, by where they were."""

    def walk(self, chooser: Chooser, *, record: bool = True) -> Run:
        """Take steps as long as there are any, but not too many."""
        recorder = Recorder(chooser) if record else None
        end = self.engine.run(recorder or chooser, self.max_steps)
        self.model.system.recheck()
        taken = recorder.taken if recorder else ()
        return Run(self.model, end.node, end.steps, end.trace, taken)

    def play(self, chooser: Chooser, *, loop: int | None = None, record: bool = False) -> Run:
        """Play one schedule. One that is cut short may be seen to go round for ever: it is STUCK.

        With a `loop` it should have been round once, from that step on.
        """
        run = self.walk(chooser, record=record or loop is not None)
        if run.end.ended is not None:
            return run
        if loop is not None:
            end = closes(self.model.graph, run.taken[loop:], run.end)
            return run._replace(end=end, loop=loop)
        lost = self._lost.get(run.end.state)
        if lost is None:
            lost = self._lost[run.end.state] = ended_if_lost(self.model.graph, run.end)
        return run._replace(end=lost)


def play(
    model: Model, chooser: Chooser, max_steps: int = MAX_STEPS, *, loop: int | None = None
) -> Run:
    """Play one schedule, and keep it."""
    return Player(model, max_steps).play(chooser, loop=loop, record=True)
