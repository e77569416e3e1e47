"""The SimPy host: every CPU and every hardware agent is a SimPy process.

An agent's process waits for its turn, applies the move it was given, and waits again. It holds no
state of its own, so that a run can be reset instead of rebuilt. One move takes one unit of SimPy
time. Two loops drive the same processes:

* `stock` gives an agent its turn as an ordinary event and lets `Environment.step` resume it;
* `fast` sends the move straight into the process's generator, as `Environment.step` would.

A test runs both over the same tapes and compares every state. Verdicts never travel through SimPy
as exceptions (it rebuilds them from `args` and loses attributes): a run ends by its node's `ended`.
An author's mistake ends the agent that met it: the error is raised as it was, and a new process
takes the agent's place.
This is the only module that knows SimPy; it uses the private names `_generator` and `_now`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Generic, NamedTuple, TypeVar

import simpy

from simbbm.core.choice import Chooser
from simbbm.core.errors import SimbbmError
from simbbm.core.graph import Graph, Node
from simbbm.core.trace import trace_digest

S = TypeVar("S")


class RunEnd(NamedTuple):
    """How a run ended: `node.ended` is None if `max_steps` was hit first."""

    node: Node[Any]
    steps: int
    trace: str
    """Digest of the whole trace: 32 hexadecimal digits."""


class Engine(Generic[S]):
    """Runs schedules of one system, one at a time, over SimPy processes."""

    def __init__(self, graph: Graph[S]) -> None:
        self.graph = graph
        self.environment = simpy.Environment()
        self.node = graph.initial
        self._turns: dict[str, simpy.Event] = {}
        self._senders: dict[str, Callable[[int], object]] = {}

    def _agent(self, name: str) -> Generator[simpy.Event, int, None]:
        """One agent: wait for a turn, apply the move, for ever."""
        while True:
            k = yield self._turns[name]
            following = self.node.following[k]
            self.node = self.graph.follow(self.node, k) if following is None else following

    def _ensure(self, name: str) -> None:
        """Start the process of an agent that is met for the first time."""
        self._turns[name] = self.environment.event()
        process = self.environment.process(self._agent(name))
        while process.target is not self._turns[name]:
            self.environment.step()
        self._senders[name] = process._generator.send  # noqa: SLF001 - see above

    def run(self, chooser: Chooser, max_steps: int) -> RunEnd:
        """Run one schedule with the fast loop."""
        graph, senders, choose = self.graph, self._senders, chooser.choose
        self.node = node = graph.initial
        steps = 0
        labels = []
        while node.ended is None and steps < max_steps:
            k = choose(node)
            move = node.moves[k]
            labels.append(move.label)
            if move.agent not in senders:
                self._ensure(move.agent)
            try:
                senders[move.agent](k)
            except SimbbmError:
                del senders[move.agent]
                raise
            node = self.node
            steps += 1
        return RunEnd(node, steps, trace_digest(labels))

    def run_stock(
        self, chooser: Chooser, max_steps: int, visit: Callable[[Node[S]], object] | None = None
    ) -> RunEnd:
        """Run one schedule through `Environment.step`; call `visit` with every node on the way."""
        environment = self.environment
        self.node = self.graph.initial
        steps = 0
        labels = []
        while self.node.ended is None and steps < max_steps:
            if visit:
                visit(self.node)
            k = chooser.choose(self.node)
            move = self.node.moves[k]
            labels.append(move.label)
            if move.agent not in self._senders:
                self._ensure(move.agent)
            turn = self._turns[move.agent]
            self._turns[move.agent] = environment.event()
            turn._ok, turn._value = True, k  # noqa: SLF001
            environment.schedule(turn, delay=1)
            try:
                environment.step()
            except SimbbmError as error:
                del self._senders[move.agent]
                raise error.__cause__ or error from None
            steps += 1
        if visit:
            visit(self.node)
        return RunEnd(self.node, steps, trace_digest(labels))
