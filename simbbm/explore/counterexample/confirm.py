"""A counterexample is played once more, on a machine that remembers nothing, before anyone sees it.

What searches and runs share, the graph of states and the memos of moves and judgements, makes them
fast; a mistake in it would show failures that do not exist. Here each step computes its moves anew,
from values that are made anew, and the end is judged by the properties themselves.

A run that goes round has to come back to the state in which its loop began, and to keep nobody
waiting on the way who could go on all the time (`fairness`).

Not confirmed: that nobody can come to an end from where a run without a loop goes round for ever.
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

    `name` is the property's, `loop` the step to which they come back.
    """
    around: list[tuple[tuple[Move, ...], Move]] = []
    began = ""
    system = model.anew().system
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
        return  # It goes round from here.
    ended = judged.ended and Verdict(judged.ended.value)
    found = judged.problem.property if judged.problem else None
    if (ended, found) != (verdict, name):
        raise ModelError(f"{claimed}, but played again it is {ended}:{found}")
