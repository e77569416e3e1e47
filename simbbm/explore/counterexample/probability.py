"""How likely a counterexample is before each of its steps, and from which on it is certain.

For each prefix of a run: the probability that a scheduler which chooses uniformly among the enabled
moves ends as the run does. It is a property of states, so it is computed on the graph of all of
them. CPU symmetry is allowed, since a uniform choice treats like CPUs alike; persistent sets would
change the probabilities, and are not used.

The probabilities solve a linear system. They are found by sweeps over all states, successors first,
until nothing changes (a graph without cycles takes one sweep). Order and arithmetic are fixed, so
that the figures are the same on every machine. Whether a probability is 0 or 1 follows from what
can be reached, and is exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from simbbm.check.verdict import Verdict
from simbbm.core.system import Move
from simbbm.explore.counterexample.explanation import Curve
from simbbm.explore.search.attempt import Attempt
from simbbm.explore.search.breadth_first import Limits, Search
from simbbm.explore.search.digraph import Following, backwards, postorder, reaching
from simbbm.explore.witness.record import Witness
from simbbm.model import Model

PRECISION = 1e-9
"""Relative change below which a sweep has changed nothing. Three digits are shown."""


def curve(witness: Witness, model: Model, run: Sequence[Move], states: int) -> Curve | None:
    """The curve of a counterexample with these moves (`run`); None if there are too many states."""
    assert witness.property is not None
    attempt = Attempt(model, Limits(states=states), frozenset())
    if not attempt.searched.complete:
        return None
    search = attempt.search
    goals = set(search.lost) if witness.verdict is Verdict.STUCK else set[int]()
    if witness.loop is None:  # A round that can be left is left, with probability 1.
        goals.update(search.failing((witness.verdict, witness.property)))
    chances = _chances(search.graph(), goals)
    return Curve(tuple(chances[number] for number in _numbers(search, run)))


def _numbers(search: Search, run: Sequence[Move]) -> Iterable[int]:
    """The number of each state of a run, on the machine whose states the search has numbered."""
    machine = search.space.system
    state = machine.initial()
    for step in (*run, None):
        number = search.number_of(state)
        assert number is not None
        yield number
        if step:
            move = next(move for move in machine.moves(state) if move.label == step.label)
            state = machine.apply(state, move)


def _chances(graph: Following, goals: set[int]) -> list[float]:
    """The probability of each state that one of the goals is reached from it.

    `graph` has the states that the moves of each lead to, one entry a move.
    """
    before = backwards(graph)
    possible = reaching(before, goals)
    escaping = reaching(before, (i for i in range(len(graph)) if i not in possible))
    chances = [float(i in possible and i not in escaping) for i in range(len(graph))]
    open_ = [i for i in postorder(graph) if i in possible and i in escaping]
    changes = True
    while changes:
        changes = False
        for i in open_:
            # A move that changes nothing is drawn again.
            others = [chances[target] for target in graph[i] if target != i]
            chance = sum(others) / len(others)
            changes |= chance - chances[i] > PRECISION * chance
            chances[i] = chance
    return chances
