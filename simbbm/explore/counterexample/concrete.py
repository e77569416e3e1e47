"""From a failure of a search to moves of the machine that a reader can follow.

The stem is the canonical shortest run to the failure (`canonical_counterexample`). Of
a livelock a loop follows: once round, back to the state in which it began. A search under CPU
symmetry may find a loop that ends with CPUs in each other's places; so the loop is found again, in
the machine's own states.

This is no run yet (`play`): it steps the search's own machine, by whose states the search has
numbered what it met.
"""

from __future__ import annotations

from typing import NamedTuple

from simbbm.explore.search.breadth_first import Failure, Search
from simbbm.explore.search.canonical_counterexample import canonical_counterexample
from simbbm.explore.search.fairness import loop_from
from simbbm.explore.search.livelock import may_stay, nodes_along


class Counterexample(NamedTuple):
    """The moves of a failing run."""

    moves: tuple[int, ...]
    """Indices of the machine's own moves."""
    message: str
    loop: int | None = None
    """The step at which the loop of a livelock begins; None: the run ends with its last step."""


def counterexample(search: Search, failure: Failure) -> Counterexample:
    """The moves that lead to a failure."""
    stem = canonical_counterexample(search, failure)
    if not failure.goes_round:
        return Counterexample(stem, failure.problem.message)
    machine = search.space.system
    start = machine.initial()
    for k in stem:
        start = machine.apply(start, machine.moves(start)[k])
    assert search.rounds is not None
    number = search.number_of(start)
    part = next(part for part in search.rounds.fair or () if number in part)
    loop = loop_from(machine, start, lambda state: search.number_of(state) in part)
    problem = may_stay(machine, nodes_along(machine, start, loop))
    return Counterexample((*stem, *loop), problem.message, len(stem))
