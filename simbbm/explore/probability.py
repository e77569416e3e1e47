"""How a counterexample becomes ever more likely, and from when on nothing can prevent it.

For each prefix of a run: the probability that a scheduler which chooses uniformly among the enabled
moves ends as the run does. It is a property of states, so it is computed on the graph of all of
them. CPU symmetry is no loss, since the uniform choice does not tell like CPUs apart; persistent
sets would be one, and are not used.

The probabilities solve a linear system. They are found by sweeps over all states, each after those
that it leads to, until nothing changes any more (a graph without cycles takes one sweep). Order and
arithmetic are fixed, so that the figures are the same on every machine. Whether a probability is 0
or 1 is not a matter of arithmetic but of what can be reached, and is exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from simbbm.core.system import Move
from simbbm.explore.attempt import Attempt
from simbbm.explore.livelock import reaching
from simbbm.explore.record import Witness
from simbbm.explore.search import Limits, Search
from simbbm.scenario import Scenario

PRECISION = 1e-9
"""Relative change that is none. Three digits are shown."""


class Curve(NamedTuple):
    """Probabilities before each step of a run, and 1 after the last."""

    chances: tuple[float, ...]

    @property
    def no_return(self) -> int:
        """The first step before which it is certain; the number of steps if none is."""
        return self.chances.index(1.0)


def curve(witness: Witness, scenario: Scenario, run: Sequence[Move], states: int) -> Curve | None:
    """The curve of a counterexample, whose `run` this is; None if there are too many states."""
    assert witness.property is not None
    attempt = Attempt(scenario, witness.params, Limits(states=states), frozenset())
    if not attempt.searched.complete:
        return None
    search = attempt.search
    goals = set(search.failing((witness.verdict, witness.property)))
    chances = _chances(_following(search), goals)
    return Curve(tuple(chances[number] for number in _numbers(search, run)))


def _numbers(search: Search, run: Sequence[Move]) -> Iterable[int]:
    """The number of each state of a run."""
    machine, canonical = search.space.machine, search.space.symmetry.canonical
    state = machine.initial()
    for step in (*run, None):
        number = search.number(canonical(state))
        assert number is not None
        yield number
        if step:
            move = next(move for move in machine.moves(state) if move.label == step.label)
            state = machine.apply(state, move)


def _following(search: Search) -> list[list[int]]:
    """Where the moves of each state lead, one entry a move."""
    following: list[list[int]] = [[] for _ in range(search.met)]
    for source, target in search.pairs():
        following[source].append(target)
    return following


def _chances(following: list[list[int]], goals: set[int]) -> list[float]:
    """The probability of each state that one of the goals is reached from it."""
    before: list[list[int]] = [[] for _ in following]
    for source, targets in enumerate(following):
        for target in targets:
            before[target].append(source)
    possible = reaching(before, goals)
    escaping = reaching(before, (i for i in range(len(following)) if i not in possible))
    chances = [float(i in possible and i not in escaping) for i in range(len(following))]
    open_ = [i for i in _after_those_that_follow(following) if i in possible and i in escaping]
    changes = True
    while changes:
        changes = False
        for i in open_:
            # A move that changes nothing is drawn again.
            others = [chances[target] for target in following[i] if target != i]
            chance = sum(others) / len(others)
            changes |= chance - chances[i] > PRECISION * chance
            chances[i] = chance
    return chances


def _after_those_that_follow(following: list[list[int]]) -> list[int]:
    """All states that the first one leads to, each after what it leads to but for cycles."""
    order, met = [], {0}
    open_ = [(0, iter(following[0]))]
    while open_:
        state, left = open_[-1]
        for target in left:
            if target not in met:
                met.add(target)
                open_.append((target, iter(following[target])))
                break
        else:
            order.append(state)
            open_.pop()
    return order
