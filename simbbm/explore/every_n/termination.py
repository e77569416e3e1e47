"""Whether every run ends, for every number of CPUs: what runs use up.

A *level* gives each shared state a rank, and each local state beside shared states of one rank. No
step makes a rank larger: not that of the shared state, nor, where that stays the same, that of any
CPU. So in a run without end all ranks stay the same from some point on, and steps that make that of
the shared state, or of the CPU that takes them, smaller are not taken any more. The next level is
about the steps that are left. A store-exclusive fails because another CPU's came between, and that
CPU was counted, which it will not be a second time; a WFE consumes an event that somebody made.

If no step is left after the last level but polls that change nothing, every run has an end, since
somebody always has a move that happens some time (`stuck`).

Ranks are found as the order of strongly connected components of the graph of the steps that are
left. Levels are part of the certificate, and are checked without it (`certificate/ending.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeVar

from simbbm.explore.every_n.actions import ALONE
from simbbm.explore.every_n.steps import Turn
from simbbm.explore.every_n.views import Views
from simbbm.explore.search.digraph import components, following

Node = TypeVar("Node", int, tuple[int, int])


class Level(NamedTuple):
    """What no step makes larger."""

    shared: dict[int, int]
    """The ranks of shared states, by number."""
    locals: dict[tuple[int, int], int]
    """The ranks of local states, by the rank of the shared state and number."""


class Ending(NamedTuple):
    """Why every run ends, or what may come again and again."""

    levels: tuple[Level, ...]
    left: tuple[str, ...]
    """Labels of steps that are left after the last level: none, if every run ends."""


class _Step(NamedTuple):
    turn: Turn
    others: tuple[tuple[int, int], ...]
    label: str


def ending(views: Views) -> Ending:
    """Levels of ranks, until no step is left, or no level strikes one out."""
    left, levels = list(_steps(views)), []
    while left:
        level = _level(left)
        kept = [step for step in left if _keeps_ranks(level, step)]
        if len(kept) == len(left):
            break
        left = kept
        levels.append(level)
    return Ending(tuple(levels), tuple(dict.fromkeys(step.label for step in left)))


def _level(steps: list[_Step]) -> Level:
    shared = _ranks((step.turn.shared, step.turn.shared_after) for step in steps)
    edges: list[tuple[tuple[int, int], tuple[int, int]]] = []
    for step in steps:
        at = shared[step.turn.shared]
        if at == shared[step.turn.shared_after]:
            pairs = [(step.turn.local, step.turn.local_after), *step.others]
            edges += (((at, one), (at, other)) for one, other in pairs)
    return Level(shared, _ranks(edges))


def _keeps_ranks(level: Level, step: _Step) -> bool:
    turn = step.turn
    at = level.shared[turn.shared]
    if at != level.shared[turn.shared_after]:
        return False
    return level.locals[at, turn.local] == level.locals[at, turn.local_after]


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


def _ranks(edges: Iterable[tuple[Node, Node]]) -> dict[Node, int]:
    """Ranks that are the same in a strongly connected component, and smaller behind it."""
    known = list(dict.fromkeys(edges))
    nodes = list(dict.fromkeys(node for edge in known for node in edge))
    number = {node: n for n, node in enumerate(nodes)}
    graph = following(len(nodes), [(number[one], number[other]) for one, other in known])
    found = list(components(graph))
    return {nodes[n]: rank for rank, each in enumerate(reversed(found), 1) for n in each}
