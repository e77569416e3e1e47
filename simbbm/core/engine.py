"""The SimPy host: every CPU and every hardware agent is a SimPy process, and SimPy resumes it.

An agent's process waits for its turn, applies the move that was chosen, and waits again. It holds
no state of its own, so that a run can be reset instead of rebuilt. A chooser, and not time, decides
whose turn is next, so the `Environment` is one of our own, as SimPy's `RealtimeEnvironment` is: its
`schedule` leaves turns to the chooser, and its `step` asks it.

A lone turn needs no queue. If the environment is traced, or a user has scheduled events, turns
stand in SimPy's queue among them, each a `Timeout` of one unit of time whose value is the move. So
tracing works as SimPy's guide describes it, by a function in the place of `step` or `schedule`, and
a run is the same with it.

Verdicts never travel through SimPy as exceptions: a run ends by its node's `ended`. An author's
mistake is raised as it was (SimPy's own step copies it by its `args`, and would lose the hint), and
every agent then gets a new process. This is the only module that knows SimPy.

A timed run (`TimedEnvironment`) has no chooser: every move takes as long as somebody says, and
SimPy's clock decides which is next.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from types import MethodType
from typing import Any, Generic, NamedTuple, TypeVar

import simpy
from simpy.core import Infinity, SimTime
from simpy.events import NORMAL, EventPriority

from simbbm.core.choice import Chooser
from simbbm.core.graph import Graph, Node
from simbbm.core.system import Move
from simbbm.core.trace import trace_digest

S = TypeVar("S")


class RunEnd(NamedTuple):
    """How a run ended: `node.ended` is None if `max_steps` was hit first."""

    node: Node[Any]
    steps: int
    trace: str
    """Digest of the whole trace: 32 hexadecimal digits."""


class Turn(simpy.Event):
    """The event that an agent waits for. It is triggered from the start."""


class HostEnvironment(simpy.Environment):
    """An environment in which the exception of a process is raised as it was."""

    def schedule(
        self, event: simpy.Event, priority: EventPriority = NORMAL, delay: SimTime = 0
    ) -> None:
        """Schedule an event; a failed process raises its exception."""
        if isinstance(event, simpy.Process) and not event.ok:
            assert isinstance(event.value, BaseException)
            raise event.value
        super().schedule(event, priority, delay)


class TurnEnvironment(HostEnvironment, Generic[S]):
    """An environment in which agents take turns, in the order that a chooser gives."""

    def __init__(self, graph: Graph[S]) -> None:
        super().__init__()
        self.graph = graph
        self.node = graph.initial
        """Where the run is."""
        self._turns: dict[str, Turn] = {}
        self._taken = 0
        """The index of the move whose turn it is."""
        self._chooser: Chooser
        self.labels: list[str] = []
        self._queued = False

    def begin(self, chooser: Chooser) -> None:
        """Begin a run with this chooser."""
        self.node = self.graph.initial
        self._chooser = chooser
        self.labels = []
        # Not by vars(self): an object whose `__dict__` was asked for is slower ever after.
        own = MethodType(type(self).step, self), MethodType(type(self).schedule, self)
        self._queued = (self.step, self.schedule) != own or self.peek() < Infinity

    def take_turns(self, most: int) -> None:
        """Give turns to the agents that the chooser names, until the run ends."""
        if self._queued:
            self._take_turns_in_queue(most)
            return
        choose, note, turns = self._chooser.choose, self.labels.append, self._turns
        node = self.node
        for _ in range(most):
            if node.ended is not None:
                break
            k = self._taken = choose(node)
            agent, label, _ = node.edges[k]
            note(label)
            try:
                turn = turns[agent]
            except KeyError:
                turn = self._start(agent)
            turn.callbacks.pop()(turn)
            node = self.node

    def step(self) -> None:
        """Process the next event: the turn that the chooser gives, or the head of the queue."""
        if self._queued:
            super().step()
        else:
            self.take_turns(1)

    def _take_turns_in_queue(self, most: int) -> None:
        """Put each turn that the chooser gives into SimPy's queue; process all up to it."""
        for _ in range(most):
            if self.node.ended is not None:
                break
            k = self._taken = self._chooser.choose(self.node)
            move = self.node.moves[k]
            self.labels.append(move.label)
            turn = self._turns.get(move.agent) or self._start(move.agent)
            event = self.timeout(1, move)
            event.callbacks, turn.callbacks = turn.callbacks, event.callbacks
            try:
                while not event.processed:
                    self.step()
            except BaseException:
                event.callbacks = []  # The event may stay in the queue; it is no longer a turn.
                raise

    def schedule(
        self, event: simpy.Event, priority: EventPriority = NORMAL, delay: SimTime = 0
    ) -> None:
        """Schedule an event that is not a turn."""
        if not isinstance(event, Turn):
            super().schedule(event, priority, delay)

    def forget(self) -> None:
        """Drop all processes: each agent gets a new one at its next turn."""
        self._turns = {}

    def _start(self, name: str) -> Turn:
        """Start the process of an agent at its first turn."""
        turn = self._turns[name] = Turn(self)
        turn.succeed()
        self.process(self._agent(turn))
        begin = self.step if self._queued else super().step
        while not turn.callbacks:
            begin()
        return turn

    def _agent(self, turn: Turn) -> Generator[Turn, object, None]:
        """One agent: wait for a turn, apply the move, for ever."""
        while True:
            yield turn
            node, k = self.node, self._taken
            after = node.edges[k][2]
            self.node = self.graph.follow(node, k) if after is None else after


class Engine(Generic[S]):
    """Runs schedules of one system, one at a time, over SimPy processes."""

    def __init__(self, graph: Graph[S]) -> None:
        self.graph = graph
        self.environment = TurnEnvironment(graph)

    def run(self, chooser: Chooser, max_steps: int) -> RunEnd:
        """Run one schedule."""
        environment = self.environment
        environment.begin(chooser)
        try:
            environment.take_turns(max_steps)
        except BaseException:
            environment.forget()
            raise
        labels = environment.labels
        return RunEnd(environment.node, len(labels), trace_digest(labels))


class Moment(NamedTuple):
    """A move of a timed run: when it took effect, in which state, which of its moves."""

    time: int
    before: Node[Any]
    k: int

    @property
    def move(self) -> Move:
        """The move."""
        move: Move = self.before.moves[self.k]
        return move


Latency = Callable[[Node[Any], Move, int, bool], int]
"""How long a move takes that becomes possible in this state, at this time, and whether its agent
had to wait for that."""


class TimedEnvironment(HostEnvironment, Generic[S]):
    """An environment in which moves take time, and who is ready first goes first.

    A generalised semi-Markov process (Glynn, 1989). An agent that can move gets a clock, set to the
    latency of its move; when the clock runs down it moves. A clock goes on running while others
    move; if what they do takes the possibility away, it is given up. Optional moves never happen.
    """

    def __init__(self, graph: Graph[S], latency: Latency) -> None:
        super().__init__()
        self.graph = graph
        self.node = graph.initial
        """Where the run is."""
        self.moments: list[Moment] = []
        """The run so far."""
        self._latency = latency
        self._able: dict[str, int] = {}
        """The agents that can move, each with the index of its move."""
        self._agents: dict[str, simpy.Process] = {}
        self._parked: dict[str, simpy.Event] = {}
        """The agents that wait until they can move."""
        self._clocks: set[str] = set()
        """The agents whose clock is running."""

    def play(self, most: int, until: Callable[[Move], bool] | None = None) -> None:
        """Run to the end, or at most so many moves, or up to a move of which `until` is true."""
        self._look()
        while self.node.ended is None and len(self.moments) < most:
            before = len(self.moments)
            self.step()
            if until and len(self.moments) > before and until(self.moments[-1].move):
                return

    def _agent(self, name: str) -> Generator[simpy.Event, object, None]:
        """One agent: wait until it can move, let the time pass, move, for ever."""
        while True:
            waited = name not in self._able
            while name not in self._able:
                self._parked[name] = self.event()
                yield self._parked[name]
            move = self.node.moves[self._able[name]]
            self._clocks.add(name)
            try:
                yield self.timeout(self._latency(self.node, move, int(self.now), waited))
            except simpy.Interrupt:
                continue
            finally:
                self._clocks.discard(name)
            k = self._able[name]
            self.moments.append(Moment(int(self.now), self.node, k))
            self.node = self.graph.follow(self.node, k)
            self._look()

    def _look(self) -> None:
        """See who can move in the state where the run is; wake, start and stop agents."""
        able: dict[str, int] = {}
        if self.node.ended is None:
            for k, move in enumerate(self.node.moves):
                if not move.optional:
                    able.setdefault(move.agent, k)
        for name in self._able:
            if name in self._clocks and name not in able:
                self._agents[name].interrupt()
        self._able = able
        for name in able:
            if name not in self._agents:
                self._agents[name] = self.process(self._agent(name))
            elif name in self._parked:
                self._parked.pop(name).succeed()
