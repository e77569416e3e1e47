"""Two kernel images beside each other: what is proved of each, and which steps carry the load.

Steps are named by offsets, and these differ wherever a function has another length. So a step is
taken for that of the other image which has the same place among the steps of its name in its
function: the second `dsb ishst` of `split_pmd`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from simbbm.changes import Change
from simbbm.explore.beside.differences import Difference
from simbbm.explore.counterexample.ablate import Ablator
from simbbm.explore.search.breadth_first import Limits
from simbbm.explore.search.prove import Prover
from simbbm.model import Model

VERDICT, ABLATION = "verdict", "ablation"


def verdict(model: Model, limits: Limits) -> str:
    """The verdict on one image, with the property that is broken."""
    proof = Prover(model, limits).prove()
    return f"{proof.verdict} {proof.property or ''}".rstrip()


def verdict_differences(before: str, after: str) -> list[Difference]:
    """Two verdicts, where they are not the same."""
    return [Difference(VERDICT, "the split", before, after, matters=True)] * (before != after)


def ablation_differences(models: Iterable[Model], limits: Limits) -> list[Difference]:
    """The changes of one step that one image bears, and the other does not; or has alone.

    UsageError if one of them fails as it is.
    """
    rows = [_ablated(Ablator(model, limits)) for model in models]
    names = [*rows[0], *(name for name in rows[1] if name not in rows[0])]
    nothing = (None, None)
    found = []
    for name in names:
        (place_before, was), (place_after, now) = (row.get(name, nothing) for row in rows)
        if was != now:
            places = {"place_before": place_before, "place_after": place_after}
            found.append(Difference(ABLATION, name, was, now, **places, matters=True))
    return found


def _ablated(ablator: Ablator) -> dict[str, tuple[str, str]]:
    """By step and change: where it stands, and what comes of it."""
    names = named(ablator.singles())
    return {name: (_place(change), _outcome(ablator, change)) for name, change in names.items()}


def named(changes: list[Change]) -> dict[str, Change]:
    """Changes by the names of their steps that do not depend on offsets."""
    counts = Counter[str]()
    found = {}
    for change in sorted(changes, key=_position):
        function, step = _place(change).partition("+")[0], change.step.partition(".")[2]
        name = f"{function}.{step.partition('#')[0]} {change.change}"
        counts[name] += 1
        found[f"{name} #{counts[name]}" if counts[name] > 1 else name] = change
    return found


def _place(change: Change) -> str:
    return change.step.partition(".")[0].partition("#")[0]


def _position(change: Change) -> tuple[str, int]:
    function, _, offset = _place(change).partition("+")
    return function, int(offset, 16)


def _outcome(ablator: Ablator, change: Change) -> str:
    found = ablator.ablate(change)
    wrong = found.proof.property if found.proof else "it cannot go on"
    return f"{found.result} {wrong or ''}".rstrip()
