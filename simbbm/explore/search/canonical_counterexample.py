"""The canonical counterexample: of all shortest ones, the closest to the default schedule.

Shortest runs differ in the order of independent steps; a reader wants one that stays with a CPU as
long as possible, with prompt hardware. So of all runs along shortest paths to the same failure the
one is taken with the fewest deviations from the default schedule (`core.choice.Polite`); its
witness is the shortest too. It depends on the failure alone, not on how it was found.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from simbbm.core.choice import default_move
from simbbm.core.system import STEP
from simbbm.explore.search.breadth_first import Failure, Search

_Place = tuple[tuple[int, ...], int]
"""A state, not its representative, and the number of the CPU that moved last."""


class _Prefix(NamedTuple):
    """A run so far."""

    decisions: int
    run: tuple[int, ...]


def canonical_counterexample(search: Search, failure: Failure) -> tuple[int, ...]:
    """The canonical shortest run to a failure, as indices of the machine's own moves."""
    wanted = search.on_the_way(failure)
    initial = tuple(search.space.rows.state(search.space.system.initial()))
    ways: dict[_Place, _Prefix] = {(initial, 0): _Prefix(0, ())}
    for distance in range(1, len(failure.walk) + 1):
        following: dict[_Place, _Prefix] = {}
        for place, way in ways.items():
            for after, new in _steps(search, place, way, wanted, distance):
                old = following.get(after)
                if old is None or new < old:
                    following[after] = new
        ways = following
    return min(ways.values()).run


def _steps(
    search: Search, place: _Place, way: _Prefix, wanted: dict[int, int], distance: int
) -> Iterator[tuple[_Place, _Prefix]]:
    """The prefixes that are one step longer and lead to a state at this distance on the way."""
    state, cpu = place
    rows, canonical = search.space.rows, search.space.symmetry.canonical
    own = rows.rows(state)
    moves = [move for row in own for move in row.moves]
    steps = ((mover, step) for mover, row in enumerate(own) for step in row.steps)
    default = None
    for k, (mover, step) in enumerate(steps):
        after = rows.after(state, mover, step)
        number = search.number(canonical(after))
        if number is None or wanted.get(number) != distance:
            continue  # Not on the way, or no step further: who polls may go round.
        if default is None:
            default = default_move(moves, cpu)
        last = moves[k].cpu if moves[k].kind == STEP else cpu
        yield (tuple(after), last), _Prefix(way.decisions + (k != default), (*way.run, k))
