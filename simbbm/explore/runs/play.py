"""Playing a schedule on a model: every run is made here.

The choices come from a chooser: a strategy, a recorded schedule, a list of moves. A run that is cut
short may be in a livelock; whether it is, is decided here and nowhere else (`Player.play`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec

from simbbm.check.verdict import Verdict
from simbbm.core.choice import Chooser
from simbbm.core.engine import Engine
from simbbm.core.graph import Node
from simbbm.core.system import Move
from simbbm.explore.runs.schedule import Schedule, Taken
from simbbm.explore.search.livelock import closes, ended_if_lost, ended_if_round
from simbbm.model import Model

MAX_STEPS = 100_000
FURTHER = 40
"""Steps beyond twice as many, after which a livelock is looked for again."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """A run's result without the run: what a worker process sends to its parent.

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

    @property
    def move(self) -> Move:
        """The move that was taken."""
        move: Move = self.before.moves[self.k]
        return move


class Run(NamedTuple):
    """The result of playing a schedule on a model."""

    model: Model
    end: Node[Any]
    """The last node: the run has ended there, or `max_steps` was reached."""
    steps: int
    digest: str
    """Of the whole trace."""
    taken: Taken = ()
    """Each node on the way and the index of the move taken there; empty if it was not recorded."""
    loop: int | None = None
    """Of a livelock that has been round once: the step whose state the last step returns to."""
    doubt: str | None = None
    """Of a twin: an edit that changes nothing in any run, as far as is known."""

    @property
    def verdict(self) -> Verdict:
        """How it ended: HOLDS, VIOLATED, STUCK; INCONCLUSIVE if it was cut short."""
        return Verdict(self.end.ended.value) if self.end.ended else Verdict.INCONCLUSIVE

    @property
    def expected(self) -> bool | None:
        """Whether the scenario expects this; None if one run does not say, or says it in doubt."""
        if self.doubt and self.verdict is Verdict.HOLDS:
            return None
        return self.model.scenario.expect.met_by(self.verdict, self.property)

    @property
    def message(self) -> str:
        """What failed, or why there is no verdict."""
        if self.end.problem:
            return self.end.problem.message
        return "" if self.end.ended else f"max_steps={self.steps} reached"

    @property
    def moves(self) -> tuple[Move, ...]:
        """The moves that were taken."""
        return tuple(node.moves[k] for node, k in self.taken)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of these moves."""
        return tuple(move.label for move in self.moves)

    @property
    def path(self) -> tuple[int, ...]:
        """The indices of these moves, each among the moves of its node."""
        return tuple(k for _, k in self.taken)

    @property
    def schedule(self) -> Schedule:
        """The schedule that was played, in the form in which it is stored."""
        return Schedule.of(self.taken, self.loop)

    @property
    def outcome(self) -> Outcome:
        """The result alone."""
        return Outcome(
            verdict=self.verdict,
            property=self.property,
            message=self.message,
            steps=self.steps,
            digest=self.digest,
        )

    def played(self) -> Iterator[RunStep]:
        """Its steps, one by one; the last leads to the end."""
        nodes = [*(node for node, _ in self.taken), self.end][1:]
        for step, ((before, k), after) in enumerate(zip(self.taken, nodes, strict=True)):
            yield RunStep(step, before, k, after)

    # The last one: it takes the name of the decorator.
    @property
    def property(self) -> str | None:
        """The property that failed."""
        return self.end.problem.property if self.end.problem else None


class Recorder:
    """A chooser that records the choices of another one, and where they were made."""

    def __init__(self, chooser: Chooser) -> None:
        self._chooser = chooser
        self.taken: list[tuple[Node[Any], int]] = []

    def choose(self, node: Node[Any]) -> int:
        """Return the other chooser's choice."""
        k = self._chooser.choose(node)
        self.taken.append((node, k))
        return k


class Player:
    """Plays schedules on one model, whose states are judged once for all of them."""

    def __init__(self, model: Model, max_steps: int = MAX_STEPS) -> None:
        self.model = model
        self.max_steps = max_steps
        self.engine = Engine(model.graph)

    def walk(self, chooser: Chooser, max_steps: int | None = None, *, record: bool = True) -> Run:
        """Take at most `max_steps` steps. A run that is cut short is not looked at any further."""
        recorder = Recorder(chooser) if record else None
        steps = self.max_steps if max_steps is None else max_steps
        end = self.engine.run(recorder or chooser, steps)
        self.model.system.recheck()
        taken = recorder.taken if recorder else ()
        return Run(self.model, end.node, end.steps, end.trace, taken)

    def play(
        self,
        chooser: Chooser,
        max_steps: int | None = None,
        *,
        loop: int | None = None,
        around: int | None = None,
        record: bool = False,
    ) -> Run:
        """Play one schedule. A run that is cut short in a livelock is STUCK.

        That is a state from which no end can be reached. With `loop`, the steps from that one on
        have to be a fair round instead (`closes`). With `around`, a state in which a fair round
        begins counts as well, if so many states are enough to find it (`ended_if_round`).
        """
        run = self.walk(chooser, max_steps, record=record or loop is not None)
        if run.end.ended is not None:
            return run
        if loop is not None:
            end = closes(self.model.graph, run.taken[loop:], run.end)
            return run._replace(end=end, loop=loop)
        if around is not None:
            return run._replace(end=ended_if_round(self.model.graph, run.end, around))
        return run._replace(end=ended_if_lost(self.model.graph, run.end))

    def play_on(self, chooser: Callable[[], Chooser], steps: int) -> Run:
        """Play one schedule to its end; look for a livelock after `steps`, and later again.

        So a run into a livelock ends soon after it has got there, which `max_steps` alone would
        not do. `chooser` makes the chooser, since each time the schedule is played from the start.
        """
        steps = min(steps, self.max_steps)
        while True:
            run = self.play(chooser(), steps, record=True)
            if run.end.ended is not None or steps == self.max_steps:
                return run
            steps = min(2 * steps + FURTHER, self.max_steps)


def play(
    model: Model, chooser: Chooser, max_steps: int = MAX_STEPS, *, loop: int | None = None
) -> Run:
    """Play one schedule, and record it."""
    return Player(model, max_steps).play(chooser, loop=loop, record=True)
