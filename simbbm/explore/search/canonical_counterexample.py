"""The canonical counterexample: of all shortest ones, the closest to the default schedule.

Shortest runs differ in the order of independent steps; a reader wants one that stays with a CPU as
long as possible, with prompt hardware. So of all runs along shortest paths to the same failure the
one is taken with the fewest deviations from the default schedule (`core.choice.Polite`); its
witness is the shortest too. It depends on the failure alone, not on how it was found.
"""

from __future__ import annotations

from typing import NamedTuple

from simbbm.arm64.state import Machine
from simbbm.core.choice import Polite
from simbbm.core.graph import Node
from simbbm.explore.search.breadth_first import Failure, Search


class _Prefix(NamedTuple):
    """A run so far."""

    decisions: int
    run: tuple[int, ...]


def canonical_counterexample(search: Search, failure: Failure) -> tuple[int, ...]:
    """The canonical shortest run to a failure, as indices of the machine's own moves."""
    machine = search.space.system
    wanted = search.on_the_way(failure)
    ways: dict[tuple[Machine, int], _Prefix] = {(machine.initial(), 0): _Prefix(0, ())}
    for distance in range(1, len(failure.walk) + 1):
        following: dict[tuple[Machine, int], _Prefix] = {}
        for (state, cpu), way in ways.items():
            node = Node(state, machine.moves(state))
            default = Polite(cpu).default(node)
            for k, move in enumerate(node.moves):
                after = machine.apply(state, move)
                number = search.number_of(after)
                if number is None or wanted.get(number) != distance:
                    continue  # Not on the way, or no step further: who polls may go round.
                polite = Polite(cpu)
                polite.observe(node, k)
                new = _Prefix(way.decisions + (k != default), (*way.run, k))
                old = following.get((after, polite.cpu))
                if old is None or new < old:
                    following[after, polite.cpu] = new
        ways = following
    return min(ways.values()).run
