"""States from which nothing ever ends, though there is always something to do.

Under any treatment of the agents that is fair to each of their moves, a run of a finite machine
ends up in a set of states that it cannot leave. If no end can be reached from there, somebody goes
round for ever. So: from every state some end must be reachable. That is stronger than to look for
cycles (a store-exclusive that may fail again makes one, and every run leaves it).

Not found: rounds that a run may leave but need not (a lock that is always lost).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence


def nobody_ends(parents: array[int], edges: array[int], ended: array[int]) -> int | None:
    """The first state from which no state of `ended` can be reached, if there is one.

    `parents[i]` is the state from which state i was met first (0 is the first state of all), and
    `edges` are pairs of source and target of all further moves.
    """
    sources, targets = edges[::2], edges[1::2]
    if all(source < target for source, target in zip(sources, targets, strict=True)):
        return None  # without a way back there is no going round
    before: list[list[int]] = [[] for _ in parents]
    for child in range(1, len(parents)):
        before[child].append(parents[child])
    for source, target in zip(sources, targets, strict=True):
        before[target].append(source)
    found = reaching(before, ended)
    return next((state for state in range(len(parents)) if state not in found), None)


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
