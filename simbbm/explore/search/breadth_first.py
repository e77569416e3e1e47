"""Breadth-first search of all states. A search that was cut short says so.

States are visited in order of their distance, so that the first failure of a kind is a shortest one
(the shortest of all if persistent sets are off). The search continues past failures of kinds that
were not asked for.

Every state is kept, as the numbers of its parts (`arm64.rows`): two states are never taken for one.
The index of a state is how many were met before it.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import chain, pairwise
from time import monotonic
from typing import NamedTuple

import msgspec

from simbbm.arm64.rows import Row, State
from simbbm.arm64.state import Machine
from simbbm.check.verdict import Verdict
from simbbm.core.graph import judge
from simbbm.core.system import Problem
from simbbm.explore.search.digraph import Following, backwards, following, reaching
from simbbm.explore.search.fairness import Edge, Rounds, rounds
from simbbm.explore.search.landmarks import Landmarks
from simbbm.explore.search.livelock import for_ever, nobody_ends
from simbbm.explore.search.reductions.reduced_system import ReducedSystem
from simbbm.host.memory import memory_used

INTERRUPTED = "interrupted"

LOOK_EVERY = 512
"""States between two looks at the limits."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of a search."""

    states: int | None = None
    seconds: float | None = None
    memory: int | None = None
    """Bytes that the process may use."""
    asked: float | None = None
    """The seconds that were asked for, if `seconds` is what several searches have left of them."""

    def left(self, began: float) -> Limits:
        """The limits of a search that begins now, where the whole has begun then."""
        if self.seconds is None:
            return self
        left = max(0.0, self.seconds - (monotonic() - began))
        return msgspec.structs.replace(self, seconds=left, asked=self.asked or self.seconds)

    def out_of_time(self) -> str:
        """What is said when the time is up: the number that was given."""
        return f"--max-seconds {self.asked or self.seconds:g} reached"


NO_LIMITS = Limits()


class Progress(msgspec.Struct, frozen=True):
    """The progress of a search, for display."""

    states: int
    frontier: int
    """States of the current layer that are left."""
    depth: int
    seconds: float


class Failure(NamedTuple):
    """The nearest state with one kind of failure."""

    verdict: Verdict
    problem: Problem
    walk: tuple[int, ...]
    """Indices of moves in the reduced system (`canonical_counterexample` makes a run of the
    machine)."""
    goes_round: bool = False
    """A fair cycle begins there: a run may stay in it for ever (`fairness`)."""

    @property
    def kind(self) -> tuple[Verdict, str]:
        """Verdict and property, as expectations name them."""
        return self.verdict, self.problem.property


class Searched(NamedTuple):
    """The result of a search."""

    failures: tuple[Failure, ...]
    """One of each kind, in order of distance."""
    stopped: str | None
    """Why it did not visit every state: a limit, or a failure that was asked for."""
    states: int
    transitions: int
    depth: int
    counts: Counter[str]
    """How many states each landmark holds in."""
    ends: int
    """How many states end a run that holds."""
    rounds: Rounds | None
    """The cycles of the state graph; None if not every state was visited."""
    layers: tuple[int, ...]
    """How many states are first reached at each distance; not all of them if it was cut short."""

    @property
    def complete(self) -> bool:
        """Whether every reachable state was visited."""
        return self.stopped is None


class _LimitReached(Exception):
    """A limit was hit inside a look-ahead; says which."""


_Visited = tuple[int, State, list[Row]]
"""A state with its index and its rows."""


class Search:
    """One search. It stops after the layer in which a failure in `wanted` (None: any) was found."""

    def __init__(
        self,
        space: ReducedSystem,
        limits: Limits = NO_LIMITS,
        wanted: frozenset[tuple[Verdict, str]] | None = None,
        tell: Callable[[Progress], object] | None = None,
    ) -> None:
        self.space = space
        self.limits = limits
        self.wanted = wanted
        self._landmarks = Landmarks(space.rows)
        self.tell = tell
        self.began = monotonic()
        self._indices: dict[State, int] = {}
        """By state its index, in order."""
        self._parents = array("I")
        self._moves = array("H")
        self._targets = array("I")
        """Where each move leads that was taken, source by source."""
        self._starts = array("I")
        """By the index of a source, where its targets begin."""
        self._ended = array("I")
        self._failed: dict[tuple[Verdict, str], Failure] = {}
        self._failing: list[tuple[int, tuple[Verdict, str]]] = []
        self._depth = 0
        self._layer_ends = array("I")
        """How many states were known before each layer was expanded."""
        self._ends = 0
        self.rounds: Rounds | None = None
        self.lost: list[int] = []
        """States from which no end can be reached."""
        if space.ample:
            space.ample.look = self._look

    def run(self) -> Searched:
        """Search until all states are visited, or there is a reason to stop."""
        try:
            stopped = self._layers()
            if not stopped:
                self._find_livelock()
        except _LimitReached as reached:
            stopped = str(reached)
        except MemoryError:
            stopped = "out of memory"
        return self.so_far(stopped)

    def so_far(self, stopped: str | None) -> Searched:
        """The result so far; `stopped` says why the search ended early."""
        ends = (*self._layer_ends, len(self._parents))
        return Searched(
            tuple(sorted(self._failed.values(), key=lambda failure: len(failure.walk))),
            stopped,
            len(self._parents),
            len(self._targets),
            self._depth,
            self._landmarks.counts,
            self._ends,
            self.rounds,
            tuple(after - before for before, after in pairwise((0, *ends)) if after > before),
        )

    def _layers(self) -> str | None:
        """Visit the states layer by layer; return why the search ended early, or None."""
        initial = self.space.initial()
        self._add(initial, 0, 0)
        rows = self.space.rows.rows(initial)
        stopped = self._judge(0, initial, rows)
        layer = [] if self._ended else [(0, initial, rows)]
        while layer and not stopped:
            self._layer_ends.append(len(self._parents))
            following: list[_Visited] = []
            for i, visited in enumerate(layer):
                if i % LOOK_EVERY == 0 and (limit := self._limit(len(layer) - i)):
                    return stopped or limit
                # The layer is finished first, so that all nearest failures are known.
                stopped = self._expand(visited, following) or stopped
            layer = following
            self._depth += 1
        return stopped

    def _expand(self, visited: _Visited, following: list[_Visited]) -> str | None:
        """Visit the successors of a state; return a reason to stop, or None."""
        number, state, rows = visited
        stopped, index_of, targets = None, self._indices.get, self._targets
        starts, rows_of = self._starts, self.space.rows.rows
        starts.extend([len(targets)] * (number + 1 - len(starts)))  # None of those that end a run.
        for k, new in self.space.successors(state, rows):
            index = index_of(new)
            if index is None:
                index = self._add(new, number, k)
                rows = rows_of(new)
                stopped = self._judge(index, new, rows) or stopped
                if not self._ended or self._ended[-1] != index:
                    following.append((index, new, rows))
            targets.append(index)
        return stopped

    def _add(self, state: State, parent: int, k: int) -> int:
        index = self._indices[state] = len(self._parents)
        self._parents.append(parent)
        self._moves.append(k)
        return index

    def number(self, state: State) -> int | None:
        """The index of a state in the order of visits; None if it was not visited."""
        return self._indices.get(state)

    def number_of(self, machine: Machine) -> int | None:
        """The index of the representative of a state of the machine."""
        return self._indices.get(self.space.canonical(machine))

    @property
    def states(self) -> Iterator[State]:
        """The states in the order of visits."""
        return iter(self._indices)

    @property
    def met(self) -> int:
        """How many states were visited."""
        return len(self._indices)

    def graph(self) -> Following:
        """By the index of a state, those of the states to which its moves that were taken lead."""
        beyond = [len(self._targets)] * (len(self._indices) + 1 - len(self._starts))
        return Following(array("I", chain(self._starts, beyond)), self._targets)

    def failing(self, way: tuple[Verdict, str]) -> list[int]:
        """The indices of all visited states with this kind of failure."""
        return [i for i, other in self._failing if other == way]

    def on_the_way(self, failure: Failure) -> dict[int, int]:
        """The states on shortest paths to the nearest failures of this kind, with distances."""
        depth = len(failure.walk)
        goals = self.failing(failure.kind)
        distances = self._distances()
        nearer = (
            (target, source)
            for source, targets in enumerate(self.graph())
            for target in targets
            if distances[target] == distances[source] + 1
        )
        before = following(len(self._indices), nearer)
        found = reaching(before, (i for i in goals if distances[i] == depth))
        return {i: distances[i] for i in found}

    def _distances(self) -> array[int]:
        distances = array("I", bytes(4 * len(self._parents)))
        for child in range(1, len(self._parents)):
            distances[child] = distances[self._parents[child]] + 1
        return distances

    def _judge(self, index: int, state: State, rows: list[Row]) -> str | None:
        """Judge a new state: count landmarks, record how the run ends there if it does."""
        space = self.space
        self._landmarks.count(state)
        if space.rows.goes_on(state, rows):
            return None
        judged = judge(space.system, space.rows.machine(state))
        if judged.ended is None:
            return None
        self._ended.append(index)
        if judged.problem is None:
            self._ends += 1
            return None
        return self._fail(index, Verdict(judged.ended.value), judged.problem)

    def _fail(self, index: int, verdict: Verdict, problem: Problem) -> str | None:
        way = verdict, problem.property
        self._failing.append((index, way))
        if way not in self._failed:
            self._failed[way] = Failure(verdict, problem, tuple(self._walk_to(index)))
        if self.wanted is None or way in self.wanted:
            return f"{verdict}:{problem.property} was found"
        return None

    def _walk_to(self, index: int) -> Iterator[int]:
        """Indices of the moves that lead to a state."""
        walk = []
        while index:
            walk.append(self._moves[index])
            index = self._parents[index]
        return reversed(walk)

    def _look(self) -> None:
        """Raise _LimitReached if a limit is hit: a look-ahead may take long."""
        if limit := self._limit(0):
            raise _LimitReached(limit)

    def _limit(self, left: int) -> str | None:
        """The limit that is hit, if any."""
        seconds = monotonic() - self.began
        if self.tell:
            self.tell(Progress(self.met, left, self._depth, seconds))
        if self.limits.states is not None and self.met >= self.limits.states:
            return f"--max-states {self.limits.states:,} reached"
        if self.limits.seconds is not None and seconds >= self.limits.seconds:
            return self.limits.out_of_time()
        if self.limits.memory is not None and memory_used() >= self.limits.memory:
            return f"--max-memory {self.limits.memory / 2**30:.3g} GiB reached"
        return None

    def _find_livelock(self) -> None:
        """Look for livelocks, once every state is known.

        For fair cycles, and for states from which no end can be reached. The nearest is the
        failure, unless a STUCK failure was found already.
        """
        keeps_fairness = self.space.ample is None
        graph = self.graph()
        self.rounds = rounds(graph, self._edges_of if keeps_fairness else None)
        if self.rounds.components == 0:
            return
        self.lost = nobody_ends(backwards(graph), self._ended)
        fair = sorted(i for part in self.rounds.fair or () for i in part)
        way = Verdict.STUCK, "terminates"
        if way in self._failed or not (failing := fair or self.lost):
            return
        self._failing += ((i, way) for i in failing)
        walk = tuple(self._walk_to(failing[0]))
        state = self.space.initial()
        for k in walk:
            state = self.space.follow(state, k)
        problem = for_ever(self.space.system, self.space.rows.machine(state))
        self._failed[way] = Failure(Verdict.STUCK, problem, walk, bool(fair))

    @cached_property
    def _in_order(self) -> list[State]:
        """The states by index: for a search that is over, and has met a cycle."""
        return list(self._indices)

    def _edges_of(self, number: int) -> Iterator[Edge]:
        for move, after, places in self.space.steps(self._in_order[number]):
            target = self.number(after)
            assert target is not None
            yield Edge(move, target, places)
