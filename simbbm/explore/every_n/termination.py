"""Whether every run ends, for every number of CPUs: there is no way to come back to a state.

A run of N CPUs without end comes back to a state again and again. Between two visits what all share
goes round in the graph of shared states, and every CPU goes round in the graph of local ones. So a
step can be part of that only if both of its ends lie on a cycle: the shared state's, and that of
the CPU that takes it, among the steps that are left. Steps that cannot are struck out, with what
they do to others, until no more are: a store-exclusive fails because another CPU's came between,
and that CPU was counted, which it will not be a second time; a WFE consumes an event that somebody
made.

If nothing is left but polls that change nothing, every run has an end, since somebody always has a
move that happens some time (`stuck`).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import NamedTuple

from simbbm.explore.every_n.actions import ALONE
from simbbm.explore.every_n.steps import Turn
from simbbm.explore.every_n.views import Views
from simbbm.explore.search.digraph import cyclic_components, following


class Round(NamedTuple):
    """Steps that may be taken again and again."""

    labels: tuple[str, ...]


class _Step(NamedTuple):
    turn: Turn
    others: tuple[tuple[int, int], ...]
    label: str


def rounds(views: Views) -> Round | None:
    """Steps through which runs might go round and round; None if there are none."""
    left = list(_steps(views))
    while True:
        shared = _components((s.turn.shared, s.turn.shared_after) for s in left)
        edges: dict[tuple[Hashable, Hashable], None] = {}
        for step in left:
            at = shared.get(step.turn.shared)
            if at is None or at != shared.get(step.turn.shared_after):
                continue
            pairs = [(step.turn.local, step.turn.local_after), *step.others]
            edges.update({((at, one), (at, other)): None for one, other in pairs})
        local = _components(edges)
        kept = []
        for step in left:
            at = shared.get(step.turn.shared)
            if at is None or at != shared.get(step.turn.shared_after):
                continue
            here = local.get((at, step.turn.local))
            if here is not None and here == local.get((at, step.turn.local_after)):
                kept.append(step)
        if len(kept) == len(left):
            break
        left = kept
    if not left:
        return None
    return Round(tuple(dict.fromkeys(step.label for step in left)))


def _steps(views: Views) -> Iterator[_Step]:
    """All steps that change something, or that happen some time."""
    steps = views.steps
    for action in steps.actions.each():
        if action.counts:
            continue
        own = ALONE if action.local == ALONE else action.own_number()
        turn = Turn(action.shared, action.shared_number(), action.local, own)
        others = tuple(sorted(action.others()))
        same = turn.shared == turn.shared_after and turn.local == turn.local_after
        if not (action.move.optional and same and all(a == b for a, b in others)):
            yield _Step(turn, others, action.move.label)
    for turn, effects in steps.turns.items():
        yield _Step(turn, tuple(sorted(effects.others)), effects.label)


def _components(edges: Iterable[tuple[Hashable, Hashable]]) -> Mapping[Hashable, int]:
    """The strongly connected component of every node that lies on a cycle."""
    known = list(dict.fromkeys(edges))
    nodes = list(dict.fromkeys(node for edge in known for node in edge))
    number = {node: n for n, node in enumerate(nodes)}
    graph = following(len(nodes), [(number[one], number[other]) for one, other in known])
    return {nodes[n]: c for c, component in enumerate(cyclic_components(graph)) for n in component}


__all__ = ["Round", "rounds"]
