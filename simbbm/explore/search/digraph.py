"""Directed graphs whose nodes are numbers: what can be reached, and what lies in a cycle."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

Following = Sequence[Sequence[int]]
"""By node the nodes that its edges lead to."""


def following(nodes: int, edges: Iterable[tuple[int, int]]) -> list[list[int]]:
    """The nodes that follow each, one entry an edge."""
    found: list[list[int]] = [[] for _ in range(nodes)]
    for source, target in edges:
        found[source].append(target)
    return found


def backwards(graph: Following) -> list[list[int]]:
    """The graph with every edge the other way round."""
    return following(len(graph), ((t, s) for s, targets in enumerate(graph) for t in targets))


def reaching(before: Following, goals: Iterable[int]) -> set[int]:
    """The nodes from which one of the goals can be reached; `before` are those before each."""
    found = set(goals)
    waiting = list(found)
    while waiting:
        for source in before[waiting.pop()]:
            if source not in found:
                found.add(source)
                waiting.append(source)
    return found


def postorder(graph: Following) -> list[int]:
    """All nodes, each after those that follow it but for cycles."""
    order: list[int] = []
    met = bytearray(len(graph))
    for root in range(len(graph)):
        open_ = [] if met[root] else [(root, iter(graph[root]))]
        met[root] = 1
        while open_:
            node, left = open_[-1]
            for target in left:
                if not met[target]:
                    met[target] = 1
                    open_.append((target, iter(graph[target])))
                    break
            else:
                order.append(node)
                open_.pop()
    return order


def cyclic_components(graph: Following) -> Iterator[list[int]]:
    """The strongly connected components that have an edge inside.

    M. Sharir, "A strong-connectivity algorithm and its applications in data flow analysis",
    Computers & Mathematics with Applications 7(1), 1981.
    """
    order = postorder(graph)
    place = [0] * len(graph)
    for i, node in enumerate(order):
        place[node] = i
    if all(place[target] < place[node] for node in order for target in graph[node]):
        return  # Every edge leads to what was finished before: there is no cycle.
    before = backwards(graph)
    taken = bytearray(len(graph))
    for root in reversed(order):
        if taken[root]:
            continue
        taken[root] = 1
        component = [root]
        for node in component:
            for source in before[node]:
                if not taken[source]:
                    taken[source] = 1
                    component.append(source)
        if len(component) > 1 or root in graph[root]:
            yield component
