"""Livelocks, searched for from one state on.

There are two kinds. From some states no end can be reached at all: then some program runs for ever
in every fair run. In others a cycle can be left, but a fair run need not leave it (`fairness`).

Both are searched for among the successors, up to a limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from simbbm.core.graph import Ended, Graph, Node, States
from simbbm.core.system import Problem, System
from simbbm.explore.search.digraph import Following, following, reaching
from simbbm.explore.search.fairness import Edge, kept_waiting, loop_from, obligation, rounds

ROUND = 50_000
"""Limit of states in the search for an end, from the last state of a counterexample."""
SHOWN = 3
"""How many optional moves a message names."""

Taken = Sequence[tuple[Node[Any], int]]
"""Each node of a path, with the index of the move that was taken."""


class Lasso(NamedTuple):
    """A lasso: a path from a node into a cycle, and the cycle, as indices of moves."""

    stem: tuple[int, ...]
    loop: tuple[int, ...]


def for_ever(system: System[Any], state: Any) -> Problem:
    """The problem of a state from which no end can be reached."""
    busy = "; ".join(system.unfinished(state))
    return Problem("terminates", f"goes round for ever, whatever the others do: {busy}")


def may_stay(system: System[Any], loop: Taken) -> Problem:
    """The problem of a fair loop: who never finishes, which hardware choices keep it there."""
    start = loop[0][0].state
    told = ["may go round for ever: " + "; ".join(system.unfinished(start))]
    told += dict.fromkeys(_choices(loop))
    return Problem("terminates", "; ".join(told))


def _choices(loop: Taken) -> Iterator[str]:
    """The alternatives to the hardware choices in a loop."""
    never: dict[str, None] = {}
    for node, k in loop:
        taken = node.moves[k]
        others = [move for move in node.moves if move is not taken and not move.early]
        alike = [move.label for move in others if obligation(move) == obligation(taken)]
        if alike:
            spared = " or ".join(alike)
            yield f"hardware may choose {taken.label} every time, and never {spared}"
        never |= {m.label: None for m in others if m.optional and m.label not in alike}
    if names := [name for name in never if name not in {n.moves[k].label for n, k in loop}]:
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        yield f"what is optional need not happen: {', '.join(names[:SHOWN])}{more}"


def ended_if_lost(graph: Graph[Any], node: Node[Any], limit: int = ROUND) -> Node[Any]:
    """This node as STUCK, if no end can be reached from it; else the node itself.

    The node itself also if the limit is reached. The graph is not changed.
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
    return _stuck(node, for_ever(graph.system, node.state))


def ended_if_round(graph: Graph[Any], node: Node[Any], limit: int = ROUND) -> Node[Any]:
    """This node as STUCK, if a fair run may stay in a cycle from it on; else the node itself."""
    lost = ended_if_lost(graph, node, limit)
    if lost is not node:
        return lost
    way = into_round(graph, node, limit)
    if way is None or way.stem:
        return node
    return _stuck(node, may_stay(graph.system, nodes_along(graph.system, node.state, way.loop)))


def closes(graph: Graph[Any], loop: Taken, end: Node[Any]) -> Node[Any]:
    """The last node of a fair loop, as STUCK; unchanged if the loop is not fair.

    A fair loop returns to its first state, uses no early results, and meets every obligation that
    stays enabled.
    """
    early = any(node.moves[k].early for node, k in loop)
    fair = kept_waiting((node.moves, node.moves[k]) for node, k in loop) is None
    if not loop or loop[0][0].state != end.state or early or not fair:
        return end
    return _stuck(end, may_stay(graph.system, loop))


def into_round(graph: Graph[Any], node: Node[Any], limit: int = ROUND) -> Lasso | None:
    """The shortest lasso from a node into a fair cycle.

    None if there is none within `limit` states; all states beyond count as one without moves.
    """
    nodes, numbers = [node], {node.state: 0}
    ways: list[tuple[int, ...]] = [()]
    edges: list[list[Edge]] = []
    for i, here in enumerate(nodes):
        edges.append([])
        for k, move in enumerate(() if here.ended is not None else here.moves):
            after = graph.follow(here, k)
            if after.state not in numbers and len(nodes) < limit:
                numbers[after.state] = len(nodes)
                nodes.append(after)
                ways.append((*ways[i], k))
            edges[i].append(Edge(move, numbers.get(after.state, limit)))
    pairs = ((i, edge.target) for i, out in enumerate(edges) for edge in out)
    found = rounds(following(len(nodes) + 1, pairs), edges.__getitem__).fair
    if not found:
        return None
    part = min(found, key=min)
    first = min(part)
    loop = loop_from(graph.system, nodes[first].state, lambda s: numbers.get(s, limit) in part)
    return Lasso(ways[first], loop)


def nobody_ends(before: Following, ended: Iterable[int]) -> list[int]:
    """The states from which no state of `ended` can be reached, the nearest first."""
    found = reaching(before, ended)
    return [state for state in range(len(before)) if state not in found]


def nodes_along(system: System[Any], state: Any, walk: Iterable[int]) -> Taken:
    """A path from a state on, with the node of each state."""
    taken, keys = [], States(system)
    for k in walk:
        node = Node(keys, state, system.moves(state))
        taken.append((node, k))
        state = system.apply(state, node.moves[k])
    return taken


def _stuck(node: Node[Any], problem: Problem) -> Node[Any]:
    stuck = Node(node.keys, node.key, node.moves)
    stuck.ended, stuck.problem = Ended.STUCK, problem
    return stuck
