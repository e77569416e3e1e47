"""Estimates of the states that a sample of runs has not seen, from the numbers of rare ones.

Each run is one draw; a run counts a state at most once. With Q1 states that exactly one of m runs
visited, and Q2 that exactly two did:

* Q1 / m is the expected number of unseen states that one further run would visit (I. J. Good, "The
  population frequencies of species and the estimation of population parameters", Biometrika 1953;
  Good credits A. M. Turing).
* seen + (m-1)/m * Q1^2 / (2 Q2) is a lower bound, in expectation, of the number of states that such
runs can visit (A. Chao, "Estimating the population size for capture-recapture data with unequal
  catchability", Biometrics 1987; the bias-corrected form where Q2 is 0).

Both are about states that runs of this strategy are likely to visit, and about nothing else: a
state that one run in a million visits is in neither, and may be the one that fails. This matters:
uniform walks hardly ever visit most states of a protocol, and their Chao2 is as little as a quarter
of the truth where that is known; so the sample is of all strategies that take turns, which between
them come much closer (`nox -s quality` prints how close).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec

from simbbm.core.choice import Chooser
from simbbm.core.graph import Graph, Node

RUNS = 1_000
"""The sample is a campaign's first runs, whichever worker makes them."""


class Visitor:
    """A chooser that records the states and the labels of a run; another one makes the choices."""

    def __init__(self, chooser: Chooser) -> None:
        self._chooser = chooser
        self.nodes: set[Node[Any]] = set()
        self.labels: set[str] = set()

    def choose(self, node: Node[Any]) -> int:
        """Return the choice of the other chooser."""
        chosen = self._chooser.choose(node)
        self.nodes.add(node)
        self.labels.add(node.edges[chosen][1])
        return chosen


class Sample:
    """How many runs visited each state, and how many took each label.

    States are identified by the first 64 bits of their digest.
    """

    def __init__(self) -> None:
        self.runs = 0
        self.met: Counter[int] = Counter()
        self.taken: Counter[str] = Counter()

    def count(self, graph: Graph[Any], visitor: Visitor, end: Node[Any]) -> None:
        """Count one run."""
        self.runs += 1
        self.met.update({int(graph.digest(node)[:16], 16) for node in visitor.nodes | {end}})
        self.taken.update(visitor.labels)


class Estimate(msgspec.Struct, frozen=True):
    """The estimates of a sample."""

    runs: int
    states_seen: int
    states_seen_once: int
    states_seen_twice: int

    @property
    def unseen_per_run(self) -> float:
        """How many unseen states a further run would visit (Good-Turing)."""
        return self.states_seen_once / self.runs

    @property
    def states(self) -> int:
        """How many states such runs can visit, at least (Chao2)."""
        once, twice = self.states_seen_once, self.states_seen_twice
        unseen = once * once / (2 * twice) if twice else once * (once - 1) / 2
        return self.states_seen + round(unseen * (self.runs - 1) / self.runs)

    @property
    def text(self) -> str:
        """The estimates as sentences for people."""
        return (
            f"The {self.runs:,} runs that were looked at met {self.states_seen:,} states, of at "
            f"least about {self.states:,} (Chao2); one more would meet {self.unseen_per_run:.2g} "
            "that none of them did (Good-Turing). This is not a proof: rare is not absent."
        )


def estimate(samples: Iterable[Sample]) -> Estimate | None:
    """The estimate of several disjoint samples together; None if no run was sampled."""
    runs, met = 0, Counter[int]()
    for sample in samples:
        runs += sample.runs
        met.update(sample.met)
    if runs == 0:
        return None
    by_count = Counter(met.values())
    return Estimate(runs, len(met), by_count[1], by_count[2])
