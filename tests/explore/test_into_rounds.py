"""From a state into a round: which one, how far it is looked for, and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations

from simbbm.core.graph import Ended, Graph
from simbbm.explore.search.livelock import ended_if_lost, ended_if_round, into_round, may_stay
from tests.explore.systems import Go, Table
from tests.explore.test_fairness import NOT_LEFT, walked


def test_the_nearest_round_is_taken_whichever_is_found_first() -> None:
    for order in permutations("xyz"):
        far, near, nearest = order
        table = {
            "s": [Go(0, near), Go(1, "t"), Go(2, nearest)],
            "t": [Go(0, far)],
        } | {name: [Go(0, name)] for name in sorted(order)}
        graph = Graph(Table(table))
        assert ((0,), (0,)) == into_round(graph, graph.initial)


def test_nobody_goes_round_where_a_run_has_ended() -> None:
    """What is optional can be done there, again and again; it is no run any more."""
    table = {"s": [Go(0, "end")], "end": [Go(0, "end", ".evict", optional=True)]}
    graph = Graph(Table(table))

    assert into_round(graph, graph.initial) is None
    end = graph.follow(graph.initial, 0)
    assert end.ended is Ended.HOLDS
    assert ended_if_round(graph, end) is end


def test_a_round_that_begins_later_is_not_here() -> None:
    graph = Graph(Table({"s": [Go(0, "a"), Go(1, "end")], "a": [Go(0, "a")], "end": []}))

    assert ended_if_round(graph, graph.initial) is graph.initial
    there = graph.follow(graph.initial, 0)
    assert ended_if_round(graph, there).ended is Ended.STUCK


def test_where_no_end_can_be_reached_the_round_may_begin_later() -> None:
    graph = Graph(Table({"s": [Go(0, "a")], "a": [Go(0, "a")]}))
    lost = ended_if_round(graph, graph.initial)

    assert lost.ended is Ended.STUCK
    assert lost.problem is not None
    assert lost.problem.message.startswith("goes round for ever, whatever the others do")


def test_so_many_states_may_be_looked_at_and_no_more() -> None:
    """Three, from none of which an end can be reached."""
    graph = Graph(Table({"a": [Go(0, "b")], "b": [Go(0, "c")], "c": [Go(0, "a")]}))

    assert ended_if_lost(graph, graph.initial, limit=3).ended is Ended.STUCK
    assert ended_if_lost(graph, graph.initial, limit=2) is graph.initial


START = "may go round for ever: "
ENDS: dict[str, Sequence[Go]] = {"end": [], "late": [], "x": []}


def told(table: Mapping[str, Sequence[Go]], *to: str) -> str:
    """What is said of a loop by these states."""
    graph, taken, _ = walked(table, *to)
    return may_stay(graph.system, taken).message


def test_what_keeps_a_round_is_told() -> None:
    """Other outcomes of a step that is taken; what is optional, the first three; no early ones."""
    outcomes = [Go(0, "a"), Go(0, "end"), Go(0, "late"), Go(0, "x", early=True)]
    spared = [Go(1, "end", f".evict{n}", optional=True) for n in range(3)]
    choice = "; hardware may choose cpu0:a every time, and never cpu0:end or cpu0:late"
    evicts = [f"cpu1.evict{n}:end" for n in range(3)]
    optional = f"; what is optional need not happen: {', '.join(evicts)}"
    assert START + choice + optional == told({"a": [*outcomes, *spared]} | ENDS, "a")

    fourth = Go(1, "end", ".evict3", optional=True)
    more = {"a": [outcomes[0], *spared, fourth]} | ENDS
    assert START + optional + " and 1 more" == told(more, "a")


def test_only_what_could_keep_it_is_told() -> None:
    """Each once; not what is a duty that cannot be met all the time, nor what the loop does."""
    once: dict[str, Sequence[Go]] = {"a": [Go(0, "a"), Go(0, "end", optional=True)]}
    choice = "; hardware may choose cpu0:a every time, and never cpu0:end"
    assert START + choice == told(once | ENDS, "a")
    duty = NOT_LEFT["who would end it cannot go on in one of its states"]
    assert START == told(duty, "b", "a")

    fill = Go(1, "a", ".fill", optional=True)
    both = {"a": [Go(0, "b"), fill], "b": [Go(0, "a")]}
    assert "cpu1.fill:a" in told(both, "b", "a")
    assert "cpu1.fill:a" not in told(both, "b", "a", "a")


def test_a_limit_leaves_out_what_lies_beyond() -> None:
    graph = Graph(Table(NOT_LEFT["a way into it"]))

    assert into_round(graph, graph.initial, limit=2) is None
    assert ((0,), (0, 0)) == into_round(graph, graph.initial, limit=3)
