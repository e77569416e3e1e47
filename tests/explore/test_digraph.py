"""Directed graphs: every graph of three nodes, and what is spared where there is no cycle."""

from __future__ import annotations

from itertools import product

import pytest

from simbbm.explore.search import digraph
from simbbm.explore.search.digraph import (
    Following,
    backwards,
    cyclic_components,
    following,
    postorder,
    reaching,
)

NODES = range(3)
PAIRS = list(product(NODES, NODES))
GRAPHS = [
    following(3, [pair for k, pair in enumerate(PAIRS) if bits >> k & 1])
    for bits in range(1 << len(PAIRS))
]


def reached(graph: Following, start: int) -> set[int]:
    """The nodes to which one edge or more leads."""
    found: set[int] = set()
    for _ in NODES:
        found |= {t for node in (start, *found) for t in graph[node]}
    return found


def test_components_are_those_who_reach_one_another() -> None:
    for graph in GRAPHS:
        ways = [reached(graph, node) for node in NODES]
        wanted = {
            tuple(other for other in NODES if other in ways[node] and node in ways[other])
            for node in NODES
            if node in ways[node]
        }
        found = [tuple(sorted(component)) for component in cyclic_components(graph)]
        assert sorted(wanted) == sorted(found), graph


def test_a_goal_is_reached_from_itself_and_from_all_before_it() -> None:
    for graph in GRAPHS:
        for goals in ([], [0], [1, 2]):
            wanted = {n for n in NODES if n in goals or not reached(graph, n).isdisjoint(goals)}
            assert wanted == reaching(backwards(graph), goals)


def test_each_node_comes_after_those_that_follow_it_but_for_cycles() -> None:
    for graph in GRAPHS:
        order = postorder(graph)
        assert sorted(order) == list(NODES)
        for node, target in ((n, t) for n in NODES for t in graph[n]):
            if node not in reached(graph, target):
                assert order.index(target) < order.index(node)


def test_a_graph_without_a_cycle_is_not_turned_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a proof it has millions of states."""

    def turned(_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(digraph, "backwards", turned)
    assert [] == list(cyclic_components(following(3, [(0, 1), (0, 2), (1, 2)])))
    with pytest.raises(AssertionError):
        list(cyclic_components(following(3, [(0, 1), (2, 2)])))
