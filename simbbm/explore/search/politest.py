"""Of all shortest counterexamples the one that is easiest to tell: it differs least from polite.

Between two CPUs' independent steps a shortest run may go on with either; a reader wants the one
that stays with a CPU as long as it can and lets hardware be prompt. So the run is chosen anew,
among those whose states all lie on shortest ways to the same failure: the one with the fewest
decisions against the polite schedule (`core.choice.Polite`), which is also the shortest to write
down. It depends on the failure alone, not on how it was found.
"""

from __future__ import annotations

from typing import NamedTuple

from simbbm.arm64.state import Machine
from simbbm.core.choice import Polite
from simbbm.core.graph import Node
from simbbm.explore.search.breadth_first import Failure, Search


class _Way(NamedTuple):
    """A run so far."""

    decisions: int
    run: tuple[int, ...]


def politest(search: Search, failure: Failure) -> tuple[int, ...]:
    """The politest of the shortest runs to a failure, as indices of the machine's own moves."""
    machine, canonical = search.space.machine, search.space.symmetry.canonical
    wanted = search.on_the_way(failure)
    ways: dict[tuple[Machine, int], _Way] = {(machine.initial(), 0): _Way(0, ())}
    for distance in range(1, len(failure.walk) + 1):
        following: dict[tuple[Machine, int], _Way] = {}
        for (state, cpu), way in ways.items():
            node = Node(state, machine.moves(state))
            default = Polite(cpu).default(node)
            for k, move in enumerate(node.moves):
                after = machine.apply(state, move)
                number = search.number(canonical(after))
                if number is None or wanted.get(number) != distance:
                    continue  # Not on the way, or no step further: who polls may go round.
                polite = Polite(cpu)
                polite.observe(node, k)
                new = _Way(way.decisions + (k != default), (*way.run, k))
                old = following.get((after, polite.cpu))
                if old is None or new < old:
                    following[after, polite.cpu] = new
        ways = following
    return min(ways.values()).run
