"""A counterexample is checked once more, on a machine without caches, before it is shown.

Searches and runs share the graph of states and the caches of moves and judgements; a mistake in
these would show failures that do not exist. Here each step computes its moves anew, from values
that are made anew, and the properties themselves judge the end. So this is no run (`play`): it
steps the machine itself, as the independent check of what was played.

The loop of a livelock has to come back to the state in which it began, and must be fair: no agent
that could move all the time is kept waiting (`fairness`).

Not confirmed: that no end can be reached from the last state of a livelock without a loop.
"""

from __future__ import annotations

from collections.abc import Iterable

from simbbm.check.verdict import Verdict
from simbbm.core.errors import ModelError
from simbbm.core.graph import judge
from simbbm.core.system import Move
from simbbm.explore.search.fairness import kept_waiting
from simbbm.model import Model

FAILURES = (Verdict.VIOLATED, Verdict.STUCK)


def confirm(
    model: Model,
    labels: Iterable[str],
    verdict: Verdict,
    name: str | None,
    loop: int | None = None,
) -> None:
    """Raise ModelError if these steps do not lead to this verdict.

    `name` is the property's; `loop` is the step whose state the last step returns to.
    """
    around: list[tuple[tuple[Move, ...], Move]] = []
    began = ""
    system = model.anew(relearn=True).system
    state, claimed = system.initial(), f"{model.scenario.id} is {verdict}:{name}"
    for step, label in enumerate(labels):
        system.forget()
        judged = judge(system, state)
        if judged.ended is not None:
            raise ModelError(f"{claimed}, but not after step {step}: there it is {judged.ended}")
        move = next((move for move in judged.moves if move.label == label), None)
        if move is None:
            raise ModelError(f"{claimed}, but step {step}, {label}, is not possible")
        if loop is not None and step >= loop:
            began = began or system.digest(state)
            around.append((judged.moves, move))
        state = system.apply(state, move)
    system.forget()
    if loop is not None:
        if began != system.digest(state):
            raise ModelError(f"{claimed}, but it does not come back to step {loop}")
        if any(move.early for _, move in around) or kept_waiting(around):
            raise ModelError(f"{claimed}, but what follows step {loop} does not go on for ever")
    judged = judge(system, state)
    if judged.ended is None and verdict is Verdict.STUCK:
        return  # A livelock, cut short.
    ended = judged.ended and Verdict(judged.ended.value)
    found = judged.problem.property if judged.problem else None
    if (ended, found) != (verdict, name):
        raise ModelError(f"{claimed}, but played again it is {ended}:{found}")
