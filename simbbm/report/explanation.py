"""An explanation of a counterexample in sentences, and as numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simbbm.explore.counterexample.explanation import Allowances, Curve, Explanation

MARKS = (0.01, 0.1, 0.5)
"""Probabilities of which it is said when they are passed for good."""
MOST = 0.999
"""What is more is not told from 1 by three digits."""


def sentences(explained: Explanation) -> Iterator[str]:
    """What it needs of the hardware, how likely it is, and since when it is certain."""
    yield from _needs(explained.allowances, explained.states)
    if explained.surprises:
        late = "one thing" if explained.surprises == 1 else f"{explained.surprises} things"
        yield (
            f"needs {explained.surprises} hardware surprise{'s'[: explained.surprises > 1]}: "
            f"{late} that hardware does not do at once, or need not do"
        )
    if explained.curve is None:
        yield (
            f"how likely it is was not found out: more than {explained.curve_states:,} states "
            "(simbbm shrink makes it smaller)"
        )
        return
    if explained.curve.chances[-1] == 0:
        yield (
            "a scheduler that draws uniformly leaves the round sooner or later; hardware that "
            "chooses so need not"
        )
        return
    yield from _likely(explained.curve)
    yield no_return(explained.curve)


def _needs(found: Allowances, states: int) -> Iterator[str]:
    if found.needed:
        which = "that" if len(found.needed) == 1 else "any one of them"
        yield f"needs {', '.join(found.needed)}: without {which} no schedule fails like this"
    if found.undecided:
        listed = ", ".join(found.undecided)
        yield f"uses {listed}; whether it has to was not decided within {states:,} states"
    also = [name for name in found.used if name not in (*found.needed, *found.undecided)]
    if also:
        which = "it" if len(also) == 1 else "each of them"
        yield f"uses {', '.join(also)}; without {which} other schedules fail like this"
    if not found.used:
        yield "needs no freedom of the hardware: without any one of them it is the same"


def _likely(curve: Curve) -> Iterator[str]:
    chances = curve.chances
    if chances[0] == 1:
        return
    text = f"a uniform scheduler fails like this with probability {_rounded(chances[0])}"
    for mark in MARKS:
        below = [step for step, chance in enumerate(chances) if chance < mark]
        if chances[0] < mark:
            text += f", {mark} after step {below[-1]}"
    yield text


def _rounded(chance: float) -> str:
    """Three digits; what is not certain does not look as if it were."""
    text = f"{chance:.3g}"
    return f"more than {MOST}" if text == "1" else text


def no_return(curve: Curve) -> str:
    """Say from when on nothing can prevent it."""
    if curve.no_return < 0:
        return "every schedule fails like this"
    if curve.no_return >= len(curve.chances) - 2:
        return "until the last step it can be prevented"
    return f"after step {curve.no_return} nothing can prevent it"


def summary(explained: Explanation) -> dict[str, Any]:
    """What a row about a verdict says."""
    curve = explained.curve
    needed = list(explained.allowances.needed)
    return {
        "allowances": needed,
        "no_return": curve.no_return if curve else None,
        "surprises": explained.surprises,
    }


def numbers(explained: Explanation | None) -> dict[str, Any]:
    """An explanation as numbers for a row; null where nothing is known."""
    curve = explained.curve if explained else None
    return {
        "allowances": explained.allowances._asdict() if explained else None,
        "chances": [float(f"{chance:.3g}") for chance in curve.chances] if curve else None,
        "no_return": curve.no_return if curve else None,
    }
