"""The least number of surprises (unusual hardware choices) that a failure needs: a delay bound.

A surprise (`strategies/surprise.py`) is an obligatory hardware agent that does not act at once,
however long it then waits, or an optional move that is taken. All schedules with no surprise are
searched, then all with one, and so on; so the answer is the least number of surprises with which a
scenario can fail in a certain way, whatever its programs do in between. (The bound is that of Emmi,
Qadeer, Rakamaric: "Delay-Bounded Scheduling", POPL 2011; states are remembered with what waits.)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simbbm.core.graph import Ended, Graph, Node
from simbbm.core.system import System

Waiting = frozenset[str]
"""Hardware agents that have delayed and have not acted yet."""


def fewest_surprises(system: System[Any], ended: Ended, name: str, limit: int) -> int | None:
    """The least number of surprises with which `name` fails.

    None if it never fails, or if more than `limit` states (each with its delayed agents) were
    visited.
    """
    graph = Graph(system)
    met: set[tuple[Any, Waiting]] = set()
    levels: dict[int, list[tuple[Node[Any], Waiting]]] = {0: [(graph.initial, frozenset())]}
    surprises = 0
    while levels:
        level = levels.pop(surprises, [])
        while level:
            node, waiting = level.pop()
            if (node.state, waiting) in met:
                continue
            if len(met) >= limit:
                return None
            met.add((node.state, waiting))
            if node.ended is ended and node.problem and node.problem.property == name:
                return surprises
            for more, k, still in _choices(node, waiting):
                after = graph.follow(node, k), still
                (level if more == 0 else levels.setdefault(surprises + more, [])).append(after)
        surprises += 1
    return None


def _choices(node: Node[Any], waiting: Waiting) -> Iterator[tuple[int, int, Waiting]]:
    """For each move: how many surprises it is, its index, and the delayed agents after it."""
    hardware = {m.agent for m in node.moves if not m.optional and m.agent != f"cpu{m.cpu}"}
    waiting &= hardware
    prompt = hardware - waiting
    for k, move in enumerate(node.moves):
        if move.optional:
            yield 1 + len(prompt), k, waiting | prompt
        elif move.agent in hardware:
            yield 0, k, waiting - {move.agent}
        else:
            yield len(prompt), k, waiting | prompt
