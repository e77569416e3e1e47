"""Directed graphs whose nodes are numbers: what can be reached, and what lies in a cycle."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from itertools import accumulate


class Following:
    """By node the nodes that its edges lead to, one entry an edge; four bytes an edge and node."""

    def __init__(self, starts: array[int], targets: array[int]) -> None:
        self._starts = starts
        """Where the entries of each node begin, and the last ones end."""
        self._targets = targets

    def __len__(self) -> int:
        """How many nodes there are."""
        return len(self._starts) - 1

    def __getitem__(self, node: int) -> array[int]:
        """The nodes that the edges of one lead to."""
        return self._targets[self._starts[node] : self._starts[node + 1]]

    def before(self) -> array[int]:
        """By node the number of edges that lead to it."""
        counts = array("I", bytes(4 * len(self)))
        for target in self._targets:
            counts[target] += 1
        return counts

    def __iter__(self) -> Iterator[array[int]]:
        """The same, node by node."""
        return map(self.__getitem__, range(len(self)))


def following(nodes: int, edges: Iterable[tuple[int, int]]) -> Following:
    """The graph with these edges; those of one node keep their order."""
    sources, targets, counts = array("I"), array("I"), array("I", bytes(4 * nodes))
    for source, target in edges:
        sources.append(source)
        targets.append(target)
        counts[source] += 1
    starts = array("I", [0, *accumulate(counts)])
    free, placed = starts[:-1], array("I", bytes(4 * len(targets)))
    for source, target in zip(sources, targets, strict=True):
        placed[free[source]] = target
        free[source] += 1
    return Following(starts, placed)


def backwards(graph: Following) -> Following:
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


def postorder(graph: Following) -> array[int]:
    """All nodes, each after those that follow it but for cycles."""
    order = array("I")
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


def is_cyclic(graph: Following) -> bool:
    """Whether there is a cycle: nodes are left when all are taken that have nothing before them.

    A. B. Kahn, "Topological sorting of large networks", Communications of the ACM 5(11), 1962.
    """
    before = graph.before()
    free = [node for node, count in enumerate(before) if not count]
    for node in free:
        for target in graph[node]:
            before[target] -= 1
            if not before[target]:
                free.append(target)
    return len(free) < len(graph)


def cyclic_components(graph: Following) -> Iterator[list[int]]:
    """The strongly connected components that have an edge inside."""
    if not is_cyclic(graph):
        return
    for component in components(graph):
        if len(component) > 1 or component[0] in graph[component[0]]:
            yield component


def components(graph: Following) -> Iterator[list[int]]:
    """All strongly connected components, each before those that its edges lead to.

    M. Sharir, "A strong-connectivity algorithm and its applications in data flow analysis",
    Computers & Mathematics with Applications 7(1), 1981.
    """
    before = backwards(graph)
    taken = bytearray(len(graph))
    for root in reversed(postorder(graph)):
        if taken[root]:
            continue
        taken[root] = 1
        component = [root]
        for node in component:
            for source in before[node]:
                if not taken[source]:
                    taken[source] = 1
                    component.append(source)
        yield component
