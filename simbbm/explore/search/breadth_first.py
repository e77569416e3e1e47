"""Breadth-first search through all states: nothing is left out, or it says so.

States are met in order of their distance, so that the first failure of a kind is a nearest one (the
nearest of all if no ample sets were used). The search goes on past failures that nobody asked for.

A state is kept as it is up to `EXACT` states; beyond that only 128 bits of it, and the result gives
the bound on the probability that two states were taken for one: n**2 / 2**129 (as TLC does).
"""

from __future__ import annotations

import resource
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import msgspec

from simbbm.arm64.state import Machine
from simbbm.check.verdict import Verdict
from simbbm.core.graph import judge
from simbbm.core.system import Problem
from simbbm.explore.search.digraph import backwards, following, reaching
from simbbm.explore.search.fairness import Edge, Rounds, rounds
from simbbm.explore.search.livelock import for_ever, nobody_ends
from simbbm.explore.search.space import Space

EXACT = 1_000_000
"""States that are kept whole."""

INTERRUPTED = "interrupted"

LOOK_EVERY = 512
"""States between two looks at the limits."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Where a search gives up; it says so."""

    states: int | None = None
    seconds: float | None = None
    memory: int | None = None
    """Bytes that the process may use."""


NO_LIMITS = Limits()


class Progress(msgspec.Struct, frozen=True):
    """How far a search is."""

    states: int
    frontier: int
    """States of the present distance that have not been looked at."""
    depth: int
    seconds: float


class Failure(NamedTuple):
    """The first state, in order of distance, that fails in one way."""

    verdict: Verdict
    problem: Problem
    walk: tuple[int, ...]
    """Indices of moves, of representatives (`politest` makes a run of the machine of them)."""
    goes_round: bool = False
    """There a round begins in which a run may stay for ever (`fairness`)."""

    @property
    def way(self) -> tuple[Verdict, str]:
        """The way in which it fails, as expectations name it."""
        return self.verdict, self.problem.property


class Searched(NamedTuple):
    """What a search met."""

    failures: tuple[Failure, ...]
    """One of each kind, nearest first."""
    stopped: str | None
    """What kept it from visiting every state: a limit, or a failure that was asked for."""
    states: int
    transitions: int
    depth: int
    hashed: int
    """States of which only 128 bits were kept."""
    counts: Counter[str]
    """In how many states the scenario's landmarks were met."""
    ends: int
    """States in which every program has finished as it should."""
    rounds: Rounds | None
    """Where runs can go round; None if not every state was visited."""

    @property
    def complete(self) -> bool:
        """Whether every reachable state was visited."""
        return self.stopped is None


class Search:
    """One search; `wanted` are the failures after which it need not go on, None any of them."""

    def __init__(
        self,
        space: Space,
        limits: Limits = NO_LIMITS,
        wanted: frozenset[tuple[Verdict, str]] | None = None,
        tell: Callable[[Progress], object] | None = None,
    ) -> None:
        self.space = space
        self.limits = limits
        self.wanted = wanted
        self.landmarks = space.machine.landmarks
        self.tell = tell
        self.began = monotonic()
        self._met: dict[Machine | bytes, int] = {}
        self._parents = array("I")
        self._moves = array("H")
        self._edges = array("I")
        """Source and target of every move to a state that had been met."""
        self._ended = array("I")
        self._failed: dict[tuple[Verdict, str], Failure] = {}
        self._failing: list[tuple[int, tuple[Verdict, str]]] = []
        self._depth = 0
        self._hashed = 0
        self._transitions = 0
        self._counts = Counter[str]()
        self._ends = 0
        self.rounds: Rounds | None = None
        self.lost: list[int] = []
        """States from which no end can be reached."""

    def run(self) -> Searched:
        """Search until there is nothing left, or a reason to stop."""
        try:
            stopped = self._layers()
            if not stopped:
                self._find_livelock()
        except MemoryError:
            stopped = "out of memory"
        return self.so_far(stopped)

    def so_far(self, stopped: str | None) -> Searched:
        """What was met, and why no more."""
        return Searched(
            tuple(sorted(self._failed.values(), key=lambda failure: len(failure.walk))),
            stopped,
            len(self._parents),
            self._transitions,
            self._depth,
            self._hashed,
            self._counts,
            self._ends,
            self.rounds,
        )

    def _layers(self) -> str | None:
        """Go through the states by distance; say why it ended early, if it did."""
        self.space.machine.keeps_values = True
        initial = self.space.initial()
        number = self._add(initial, 0, 0)
        stopped = self._judge(number, initial)
        layer = [] if self._ended else [(number, initial)]
        while layer and not stopped:
            following: list[tuple[int, Machine]] = []
            for i, (number, state) in enumerate(layer):
                if i % LOOK_EVERY == 0 and (limit := self._limit(len(layer) - i)):
                    return stopped or limit
                # The layer is finished, so that all nearest failures are known.
                stopped = self._expand(number, state, following) or stopped
            layer = following
            self._depth += 1
        return stopped

    def _expand(
        self, number: int, state: Machine, following: list[tuple[int, Machine]]
    ) -> str | None:
        """Take a state's moves; say why to stop, if so."""
        after, stopped = self.space.after, None
        for k, move in self.space.moves(state):
            self._transitions += 1
            new = after(state, move)
            known = self.number(new)
            if known is not None:
                self._edges.extend((number, known))
                continue
            index = self._add(new, number, k)
            stopped = self._judge(index, new) or stopped
            if not self._ended or self._ended[-1] != index:
                following.append((index, new))
        return stopped

    def number(self, state: Machine) -> int | None:
        """The number of a state in the order in which they were met; None if it was not met."""
        return self._met.get(self.space.fingerprint(state) if self._hashed else state)

    @property
    def met(self) -> int:
        """How many states were met."""
        return len(self._met)

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Source and target of every move that was taken, by number."""
        yield from ((parent, i) for i, parent in enumerate(self._parents) if i)
        yield from zip(self._edges[::2], self._edges[1::2], strict=True)

    def failing(self, way: tuple[Verdict, str]) -> list[int]:
        """The numbers of all states that were met and fail in this way."""
        return [i for i, other in self._failing if other == way]

    def on_the_way(self, failure: Failure) -> dict[int, int]:
        """The states on all shortest ways to the nearest failures of this kind, and how far."""
        depth = len(failure.walk)
        goals = self.failing(failure.way)
        distances = self._distances()
        before: list[list[int]] = [[] for _ in self._parents]
        for source, target in self.pairs():
            if distances[target] == distances[source] + 1:
                before[target].append(source)
        found = reaching(before, (i for i in goals if distances[i] == depth))
        return {i: distances[i] for i in found}

    def _distances(self) -> array[int]:
        distances = array("I", bytes(4 * len(self._parents)))
        for child in range(1, len(self._parents)):
            distances[child] = distances[self._parents[child]] + 1
        return distances

    def _add(self, state: Machine, parent: int, k: int) -> int:
        index = len(self._parents)
        if index == EXACT:
            self._hashed = index
            self.space.machine.keeps_values = False
            self._met = {self.space.fingerprint(s): i for s, i in self._met.items()}  # type: ignore[arg-type]
        if self._hashed:
            self._hashed += 1
        self._met[self.space.fingerprint(state) if self._hashed else state] = index
        self._parents.append(parent)
        self._moves.append(k)
        return index

    def _judge(self, index: int, state: Machine) -> str | None:
        """Look at a new state: what fails in it, whether anything follows, what it counts for."""
        machine = self.space.machine
        for name, holds in self.landmarks.items():
            self._counts[name] += holds(state)
        judged = judge(machine, state)
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

    def _limit(self, left: int) -> str | None:
        """Say which limit is hit, if any."""
        seconds = monotonic() - self.began
        if self.tell:
            self.tell(Progress(len(self._met), left, self._depth, seconds))
        if self.limits.states is not None and len(self._met) >= self.limits.states:
            return f"--max-states {self.limits.states:,} reached"
        if self.limits.seconds is not None and seconds >= self.limits.seconds:
            return f"--max-seconds {self.limits.seconds:g} reached"
        if self.limits.memory is not None and _memory() >= self.limits.memory:
            return f"--max-memory {self.limits.memory / 2**30:.3g} GiB reached"
        return None

    def _find_livelock(self) -> None:
        """Every state is known: look for rounds that a run may stay in, and for who never ends.

        The nearest counts, if nobody gets stuck in another way.
        """
        graph = following(len(self._met), self.pairs())
        states = [] if self._hashed else list(self._met)
        keeps_fairness = self.space.ample is None and not self._hashed
        self.rounds = rounds(graph, partial(self._edges_of, states) if keeps_fairness else None)
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
            state = self.space.after(state, self.space.machine.moves(state)[k])
        problem = for_ever(self.space.machine, state)
        self._failed[way] = Failure(Verdict.STUCK, problem, walk, bool(fair))

    def _edges_of(self, states: list[Any], number: int) -> Iterator[Edge]:
        for move, after, places in self.space.steps(states[number]):
            target = self.number(after)
            assert target is not None
            yield Edge(move, target, places)


def _memory() -> int:
    """Bytes that this process uses now: what an earlier search has used is no concern of this one.

    Where a system does not tell, the most that it has ever used.
    """
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return pages * resource.getpagesize()
