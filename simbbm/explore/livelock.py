"""States from which nothing ever ends, though there is always something to do.

Under any treatment of the agents that is fair to each of their moves, a run of a finite machine
ends up in a set of states that it cannot leave. If no end can be reached from there, somebody goes
round for ever. So: from every state some end must be reachable. That is stronger than to look for
cycles (a store-exclusive that may fail again makes one, and every run leaves it).

Not found: rounds that a run may leave but need not (a lock that is always lost).
"""

from __future__ import annotations

from array import array


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
    reaches = bytearray(len(parents))
    waiting = list(ended)
    for state in waiting:
        reaches[state] = 1
    while waiting:
        for state in before[waiting.pop()]:
            if not reaches[state]:
                reaches[state] = 1
                waiting.append(state)
    lost = reaches.find(0)
    return None if lost < 0 else lost
