"""States from which nothing ever ends, though there is always something to do.

Under any treatment of the agents that is fair to each of their moves, a run of a finite machine
ends up in a set of states that it cannot leave. If no end can be reached from there, somebody goes
round for ever. So: from every state some end must be reachable. That is stronger than to look for
cycles (a store-exclusive that may fail again makes one, and every run leaves it).

A counterexample leads to the first such state and ends there, although there is more to do: who
replays it looks from there whether any end can be reached.

Not found: rounds that a run may leave but need not (a lock that is always lost).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import Any

from simbbm.core.graph import Ended, Graph, Node
from simbbm.core.system import Problem, System

ROUND = 50_000
"""States in which an end is looked for from where a counterexample leads to."""


def for_ever(system: System[Any], state: Any) -> Problem:
    """What to say of a state from which no end can be reached."""
    busy = "; ".join(system.unfinished(state))
    return Problem("terminates", f"goes round for ever, whatever the others do: {busy}")


def ended_if_lost(graph: Graph[Any], node: Node[Any], limit: int = ROUND) -> Node[Any]:
    """A node like this one that is STUCK, if no end can be reached from it; else the node itself.

    Also if it takes too long to see. The graph stays as it is: who runs on goes round for ever.
    """
    met, waiting = {node.state}, [node]
    while waiting:
        here = waiting.pop()
        if here.ended is not None or len(met) > limit:
            return node
        for k in range(len(here.moves)):
            after = graph.follow(here, k)
            if after.state not in met:
                met.add(after.state)
                waiting.append(after)
    lost = Node(node.state, node.moves)
    lost.ended, lost.problem = Ended.STUCK, for_ever(graph.system, node.state)
    return lost


def nobody_ends(parents: array[int], edges: array[int], ended: array[int]) -> list[int]:
    """The states from which no state of `ended` can be reached, the nearest first.

    `parents[i]` is the state from which state i was met first (0 is the first state of all), and
    `edges` are pairs of source and target of all further moves.
    """
    sources, targets = edges[::2], edges[1::2]
    if all(source < target for source, target in zip(sources, targets, strict=True)):
        return []  # without a way back there is no going round
    before: list[list[int]] = [[] for _ in parents]
    for child in range(1, len(parents)):
        before[child].append(parents[child])
    for source, target in zip(sources, targets, strict=True):
        before[target].append(source)
    found = reaching(before, ended)
    return [state for state in range(len(parents)) if state not in found]


def reaching(before: Sequence[Iterable[int]], goals: Iterable[int]) -> set[int]:
    """The states from which one of the goals can be reached; `before` are those before each."""
    found = set(goals)
    waiting = list(found)
    while waiting:
        for source in before[waiting.pop()]:
            if source not in found:
                found.add(source)
                waiting.append(source)
    return found
