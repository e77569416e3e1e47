"""Which rounds a run may stay in: tables of moves, argued one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pytest

from simbbm.core.graph import Ended, Graph, Node
from simbbm.explore.search.digraph import cyclic_components, following
from simbbm.explore.search.fairness import Edge, Obligation, Rounds, kept_waiting, loop_from, rounds
from simbbm.explore.search.livelock import (
    closes,
    ended_if_round,
    into_round,
)
from tests.explore.systems import Go, Table

NOT_LEFT: dict[str, Mapping[str, Sequence[Go]]] = {
    "a CPU spins on one load": {"a": [Go(0, "a")]},
    "two states of one program": {"a": [Go(0, "b")], "b": [Go(0, "a")]},
    "a way into it": {"s": [Go(0, "a")], "a": [Go(0, "b")], "b": [Go(0, "a")]},
    "one of its step's outcomes would end it": {"a": [Go(0, "a"), Go(0, "end")], "end": []},
    "what is optional would end it": {
        "a": [Go(0, "a"), Go(1, "end", ".evict", optional=True)],
        "end": [],
    },
    "who would end it cannot go on in one of its states": {
        "a": [Go(0, "b"), Go(1, "end")],
        "b": [Go(0, "a")],
        "end": [],
    },
    "only two steps later": {
        "a": [Go(0, "b"), Go(1, "end")],
        "b": [Go(0, "c"), Go(1, "end")],
        "c": [Go(0, "a")],
        "end": [],
    },
    "an optional poll is a step of the program": {
        "a": [Go(0, "a", optional=True), Go(0, "end")],
        "end": [],
    },
    "each obligation is met somewhere": {
        "a": [Go(0, "b"), Go(1, "a", ".drain[x]")],
        "b": [Go(0, "a"), Go(1, "b", ".drain[x]")],
    },
    "one of two rounds": {
        "s": [Go(0, "a"), Go(1, "c")],
        "a": [Go(0, "a"), Go(1, "end")],
        "c": [Go(1, "c"), Go(0, "c")],
        "end": [],
    },
}

LEFT: dict[str, Mapping[str, Sequence[Go]]] = {
    "no cycle": {"a": [Go(0, "b"), Go(1, "end")], "b": [Go(1, "end")], "end": []},
    "another program can go on all the time": {
        "a": [Go(0, "b"), Go(1, "end")],
        "b": [Go(0, "a"), Go(1, "end")],
        "end": [],
    },
    "a store can drain all the time": {
        "a": [Go(0, "a"), Go(0, "end", ".drain[x]")],
        "end": [],
    },
    "per obligation, not per agent: one store drains again and again, the other never": {
        "a": [Go(0, "b"), Go(0, "end", ".drain[y]")],
        "b": [Go(0, "a", ".drain[x]"), Go(0, "end", ".drain[y]")],
        "end": [],
    },
    "per obligation: hardware of a CPU moves, its program never": {
        "a": [Go(0, "b", ".drain[x]"), Go(0, "end")],
        "b": [Go(1, "a"), Go(0, "end")],
        "end": [],
    },
    "what was done early is not done for ever": {
        "a": [Go(0, "a", early=True), Go(0, "end")],
        "end": [],
    },
    "nor in a part of a round": {
        "a": [Go(0, "b"), Go(0, "end")],
        "b": [Go(0, "a", early=True), Go(0, "end")],
        "end": [],
    },
    "an early move meets what is owed once, not again and again": {
        "a": [Go(0, "b"), Go(1, "b", early=True)],
        "b": [Go(0, "a"), Go(1, "a", early=True)],
    },
    "an early move is owed like any other": {
        "a": [Go(0, "a"), Go(1, "end", early=True)],
        "end": [],
    },
}


def graph_of(table: Mapping[str, Sequence[Go]]) -> tuple[list[str], list[list[Edge]]]:
    system, names = Table(table), list(table)
    edges = [
        [Edge(move, names.index(str(move.effect))) for move in system.moves(name)] for name in names
    ]
    return names, edges


def fair_states(table: Mapping[str, Sequence[Go]]) -> set[str]:
    names, edges = graph_of(table)
    pairs = ((i, edge.target) for i, out in enumerate(edges) for edge in out)
    found = rounds(following(len(names), pairs), edges.__getitem__)
    return {names[i] for part in found.fair or () for i in part}


@pytest.mark.parametrize("table", NOT_LEFT.values(), ids=NOT_LEFT)
def test_a_run_may_stay(table: Mapping[str, Sequence[Go]]) -> None:
    assert fair_states(table)


@pytest.mark.parametrize("table", LEFT.values(), ids=LEFT)
def test_a_run_may_not_stay(table: Mapping[str, Sequence[Go]]) -> None:
    assert not fair_states(table)
    assert into_round(Graph(Table(table)), Graph(Table(table)).initial) is None


def test_only_the_round_that_is_fair_counts() -> None:
    assert {"c"} == fair_states(NOT_LEFT["one of two rounds"])


@pytest.mark.parametrize("table", NOT_LEFT.values(), ids=NOT_LEFT)
def test_a_loop_is_fair_and_closes(table: Mapping[str, Sequence[Go]]) -> None:
    """It is made anew from the start of the system, and judged by another function."""
    graph = Graph(Table(table))
    way = into_round(graph, graph.initial)
    assert way is not None
    node, taken = graph.initial, list[tuple[Node[str], int]]()
    for k in (*way.stem, *way.loop):
        taken.append((node, k))
        node = graph.follow(node, k)

    assert way.loop
    assert closes(graph, taken[len(way.stem) :], node).ended is Ended.STUCK
    assert closes(graph, taken[len(way.stem) :], node) is not node
    assert ended_if_round(graph, taken[len(way.stem)][0]).ended is Ended.STUCK


def walked(table: Mapping[str, Sequence[Go]], *to: str) -> tuple[Graph[str], list, Node[str]]:  # type: ignore[type-arg]
    graph = Graph(Table(table))
    node, taken = graph.initial, []
    for name in to:
        k = next(k for k, move in enumerate(node.moves) if move.effect == name)
        taken.append((node, k))
        node = graph.follow(node, k)
    return graph, taken, node


def test_what_is_no_fair_loop_is_none() -> None:
    open_, taken, end = walked(NOT_LEFT["two states of one program"], "b")
    assert closes(open_, taken, end) is end
    unfair, taken, end = walked(LEFT["another program can go on all the time"], "b", "a")
    assert closes(unfair, taken, end) is end
    early, taken, end = walked(LEFT["what was done early is not done for ever"], "a")
    assert closes(early, taken, end) is end
    assert closes(early, [], end) is end


def test_who_is_kept_waiting_is_named() -> None:
    _, taken, _ = walked(LEFT["a store can drain all the time"], "a")

    loop = [(node.moves, node.moves[k]) for node, k in taken]
    assert Obligation(0, ".drain[x]", -1) == kept_waiting(loop)


def test_an_obligation_goes_where_its_cpu_goes_and_its_issuer() -> None:
    """A CPU that has no issuer to name has none afterwards."""
    places = (1, 2, 0)
    assert Obligation(1, "x", -1) == Obligation(0, "x", -1).moved(places)
    assert Obligation(0, "x", 1) == Obligation(2, "x", 0).moved(places)
    assert Obligation(2, "x", 2) == Obligation(1, "x", 1).moved(places)
    assert Obligation(2, "x", 0) == Obligation(2, "x", 0).moved(None)


def test_every_run_ends_if_there_is_no_cycle_or_none_that_is_fair() -> None:
    assert Rounds(0, None).left
    assert Rounds(0, ()).left
    assert Rounds(2, ()).left
    assert not Rounds(2, None).left
    assert not Rounds(2, (frozenset({1}),)).left


def test_what_could_be_met_all_the_time_and_never_is() -> None:
    """In each state of the loop; optional moves are nobody's duty."""
    names = {"a": Go(0, "a"), "x": Go(1, "a", ".drain[x]"), "y": Go(1, "a", ".drain[y]")}
    names["e"] = Go(0, "a", ".evict", optional=True)
    a, x, y, e = (Table({"": [go]}).moves("")[0] for go in names.values())

    assert kept_waiting([]) is None
    assert kept_waiting([([a, x, y, e], a)]) == Obligation(1, ".drain[x]", -1)
    for loop in ([([a, x, y], a), ([a, y], a)], [([a, y], a), ([a, x, y], a)]):
        assert kept_waiting(loop) == Obligation(1, ".drain[y]", -1)
    assert kept_waiting([([a, x, y], a), ([a, y], y)]) is None
    assert kept_waiting([([a, e], a), ([a, e], a)]) is None


def test_a_loop_meets_every_obligation_on_its_way() -> None:
    """Three stores that drain again and again, and a program: one time round is not enough."""
    table = {"a": [Go(0, "a"), *(Go(0, "a", f".drain[{name}]") for name in "xyz")]}
    loop = loop_from(Table(table), "a", lambda _: True)

    assert [0, 1, 2, 3] == sorted(loop)


def test_a_loop_does_nothing_early() -> None:
    table = {"a": [Go(1, "b", early=True), Go(0, "b")], "b": [Go(0, "a")]}

    assert (1, 0) == loop_from(Table(table), "a", lambda _: True)


def test_a_loop_stays_inside() -> None:
    table = {"a": [Go(1, "end"), Go(0, "b")], "b": [Go(0, "a")], "end": []}

    assert (1, 0) == loop_from(Table(table), "a", {"a", "b"}.__contains__)


def test_a_loop_does_nothing_that_meets_nothing() -> None:
    drains = Go(1, "a", ".drain[x]")
    table = {"a": [Go(0, "b", ".fill", optional=True), drains], "b": [drains]}

    assert (1,) == loop_from(Table(table), "a", lambda _: True)


class Quotient:
    """Two like CPUs up to exchange: one state stands for both orders."""

    def __init__(self, table: Mapping[str, Sequence[tuple[Go, bool]]]) -> None:
        self.names = list(table)
        self.table = table

    def edges(self, number: int) -> Iterator[Edge]:
        for go, exchanged in self.table[self.names[number]]:
            [move] = Table({"": [go]}).moves("")
            yield Edge(move, self.names.index(go.to), (1, 0) if exchanged else None)

    @property
    def fair(self) -> bool:
        every = range(len(self.names))
        pairs = ((i, edge.target) for i in every for edge in self.edges(i))
        return bool(rounds(following(len(self.names), pairs), self.edges).fair)


def test_who_seems_to_wait_for_ever_may_take_turns() -> None:
    """Whose turn it is goes on, and gives it to the other; in the quotient it is always CPU 0."""
    turns = [(Go(0, "turn"), True), (Go(1, "end"), False)]
    assert Quotient({"turn": turns, "end": []}).fair
    alone = [(Go(0, "turn"), False), (Go(1, "end"), False)]
    assert not Quotient({"turn": alone, "end": []}).fair


def test_who_seems_to_take_turns_may_be_one_cpu_alone() -> None:
    """One goes from a to z and back, the other stays at m: sorted, it is CPU 0 and 1 by turns."""
    table = {
        "a,m": [(Go(0, "m,z"), True), (Go(1, "end"), False)],
        "m,z": [(Go(1, "a,m"), True), (Go(0, "end"), False)],
        "end": [],
    }
    assert not Quotient(table).fair
    straight = {name: [(go, False) for go, _ in moves] for name, moves in table.items()}
    assert Quotient(straight).fair


def test_components_of_a_graph_are_those_with_an_edge() -> None:
    pairs = [(0, 1), (1, 2), (2, 1), (2, 3), (3, 3), (3, 4), (5, 0)]

    assert [[1, 2], [3]] == sorted(map(sorted, cyclic_components(following(6, pairs))))
    assert [] == list(cyclic_components(following(3, [(0, 1), (0, 2), (2, 1)])))
