"""The canonical counterexample: of all shortest ones, the closest to the default schedule.

Shortest runs differ in the order of independent steps; a reader wants one that stays with a CPU as
long as possible, with prompt hardware. So of all runs along shortest paths to the same failure the
one is taken with the fewest deviations from the default schedule (`core.choice.Polite`); its
witness is the shortest too. It depends on the failure alone, not on how it was found.
"""

from __future__ import annotations

from typing import NamedTuple

from simbbm.arm64.rows import State
from simbbm.core.choice import default_move
from simbbm.core.system import STEP, Move
from simbbm.explore.search.breadth_first import Failure, Search

_Place = tuple[State, int]
"""A state, not its representative, and the number of the CPU that moved last."""


class _Onward(NamedTuple):
    """The moves of a state, and the steps that go on by index, each with the state after it."""

    moves: list[Move]
    steps: list[tuple[int, State]]


class _Prefix(NamedTuple):
    """A run so far."""

    decisions: int
    run: tuple[int, ...]


def canonical_counterexample(search: Search, failure: Failure) -> tuple[int, ...]:
    """The canonical shortest run to a failure, as indices of the machine's own moves."""
    wanted = search.on_the_way(failure)
    initial = search.space.rows.state(search.space.system.initial())
    ways: dict[_Place, _Prefix] = {(initial, 0): _Prefix(0, ())}
    for distance in range(1, len(failure.walk) + 1):
        following: dict[_Place, _Prefix] = {}
        onward: dict[State, _Onward] = {}
        for (state, cpu), way in ways.items():
            if state not in onward:
                onward[state] = _onward(search, state, wanted, distance)
            moves, steps = onward[state]
            default = default_move(moves, cpu) if steps else None
            for k, after in steps:
                place = after, moves[k].cpu if moves[k].kind == STEP else cpu
                new = _Prefix(way.decisions + (k != default), (*way.run, k))
                old = following.get(place)
                if old is None or new < old:
                    following[place] = new
        ways = following
    return min(ways.values()).run


def _onward(search: Search, state: State, wanted: dict[int, int], distance: int) -> _Onward:
    """The steps of a state that lead to one at this distance on the way."""
    rows, canonical = search.space.rows, search.space.symmetry.canonical
    own = rows.rows(state)
    found = []
    steps = (step for row in own for step in row.steps)
    for k, step in enumerate(steps):
        after = rows.after(state, step)
        number = search.number(canonical(after))
        # Others are not on the way, or no step further: who polls may go round.
        if number is not None and wanted.get(number) == distance:
            found.append((k, after))
    return _Onward([move for row in own for move in row.moves], found)
