"""From what a search found to a run of the machine that a reader can follow.

The stem is the politest of the shortest ways (`politest`). Where a run may go round for ever, a
loop follows: once round, back to the state in which it began. A loop of a search that takes like
CPUs for each other may leave them in each other's places; so it is made anew, of the machine's own
states.
"""

from __future__ import annotations

from typing import NamedTuple

from simbbm.explore.search.breadth_first import Failure, Search
from simbbm.explore.search.fairness import loop_from
from simbbm.explore.search.livelock import may_stay, nodes_along
from simbbm.explore.search.politest import politest


class Counterexample(NamedTuple):
    """A failing run."""

    moves: tuple[int, ...]
    """Indices of the machine's own moves."""
    message: str
    loop: int | None = None
    """The step at which the loop begins that ends the run; None: it ends with its last step."""


def counterexample(search: Search, failure: Failure) -> Counterexample:
    """The run that shows a failure."""
    stem = politest(search, failure)
    if not failure.goes_round:
        return Counterexample(stem, failure.problem.message)
    machine, canonical = search.space.machine, search.space.symmetry.canonical
    start = machine.initial()
    for k in stem:
        start = machine.apply(start, machine.moves(start)[k])
    assert search.rounds is not None
    number = search.number(canonical(start))
    part = next(part for part in search.rounds.fair or () if number in part)
    loop = loop_from(machine, start, lambda state: search.number(canonical(state)) in part)
    problem = may_stay(machine, nodes_along(machine, start, loop))
    return Counterexample((*stem, *loop), problem.message, len(stem))
