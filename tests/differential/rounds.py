"""Rounds in which a run may stay for ever, by definition: `explore.search.fairness` is held to it.

A set of states that a run can go through over and over, without a move that uses what was done
early, is one in which a fair run may stay, unless some obligation can be met in each of its states
and is met by no move that stays inside.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from simbbm.core.system import Move
from tests.differential.oracle import Everything, Structure

Edges = dict[Structure, list[tuple[Move, Structure]]]
Neighbours = Mapping[Structure, list[Structure]]


def rounds(everything: Everything) -> set[Structure]:
    """All states that lie in such a set."""
    late: Edges = {
        state: [(move, there) for move, there in out if not move.early]
        for state, out in everything.edges.items()
    }
    found = set[Structure]()
    for part in _components(late):
        inside = {_duty(move) for state in part for move, there in late[state] if there in part}
        always = set.intersection(
            *(
                {_duty(move) for move, _ in everything.edges[state] if not move.optional}
                for state in part
            )
        )
        if always <= inside:
            found |= part
    return found


def is_fair(everything: Everything, loop: Sequence[tuple[Structure, Move]]) -> bool:
    """Whether a loop, as states and what is taken there, comes back and keeps nobody waiting."""
    starts = [state for state, _ in loop]
    follows = all(
        any(
            move.label == other.label and there == after for other, there in everything.edges[state]
        )
        for (state, move), after in zip(loop, [*starts[1:], *starts[:1]], strict=True)
    )
    always = set.intersection(
        *(
            {_duty(move) for move, _ in everything.edges[state] if not move.optional}
            for state in starts
        )
    )
    early = any(move.early for _, move in loop)
    return follows and not early and always <= {_duty(move) for _, move in loop}


def _duty(move: Move) -> tuple[int, str, int]:
    return move.cpu, move.duty, move.issuer


def _components(edges: Edges) -> Iterator[set[Structure]]:
    """Sets of states that can all be reached from one another, by one step at least."""
    ahead = {state: [there for _, there in out] for state, out in edges.items()}
    back: dict[Structure, list[Structure]] = {state: [] for state in edges}
    for state, out in ahead.items():
        for there in out:
            back[there].append(state)
    left = _going_on(ahead, back) & _going_on(back, ahead)
    while left:
        state = next(iter(left))
        part = _reached([state], ahead, left) & _reached([state], back, left)
        if part:
            yield part
        left -= part | {state}


def _going_on(ahead: Neighbours, back: Neighbours) -> set[Structure]:
    """The states after which one can go on for ever: without those after which one cannot."""
    left = {state: len(out) for state, out in ahead.items()}
    ended = [state for state, count in left.items() if not count]
    for state in ended:  # which grows
        for before in back[state]:
            left[before] -= 1
            if not left[before]:
                ended.append(before)
    return left.keys() - set(ended)


def _reached(
    start: Iterable[Structure], ahead: Neighbours, among: set[Structure]
) -> set[Structure]:
    """The states that are reached by one step at least."""
    found, waiting = set[Structure](), list(start)
    while waiting:
        for there in ahead[waiting.pop()]:
            if there in among and there not in found:
                found.add(there)
                waiting.append(there)
    return found
