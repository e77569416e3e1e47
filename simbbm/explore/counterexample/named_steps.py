"""The steps of a scenario's programs, by the names that edits have for them.

They are those that a search meets, of all states or of as many as its limit allows.
"""

from __future__ import annotations

from typing import NamedTuple

from simbbm.arm64.execution.weaken import weaker_forms
from simbbm.core.points import Programs
from simbbm.core.programs.labels import matches, parts
from simbbm.explore.counterexample.ablate import NOT_STEPS, steps
from simbbm.explore.counterexample.kernel_names import kernel_names
from simbbm.explore.runs.live import explored, politely
from simbbm.model import Model


class NamedStep(NamedTuple):
    """One step."""

    name: str
    """The shortest that means it and no other."""
    routine: str
    weaker: tuple[str, ...]
    """Operations that may stand in its place."""
    kernel: str
    """The kernel's `file:function` that its routine stands for; empty: it does not say."""


def named_steps(model: Model) -> tuple[list[NamedStep], bool]:
    """All steps by routine, in the order in which they were met; and whether that is all."""
    search = explored(model)
    return _named(search.space.system.spec.automaton), search.searched.complete


def steps_of_a_run(model: Model) -> list[NamedStep]:
    """The steps of one polite run: at once, and nearly all that there are."""
    return _named(politely(model))


def _named(automaton: Programs) -> list[NamedStep]:
    kernel = kernel_names(automaton)
    labels: dict[str, list[str]] = {}
    for label, name in steps(automaton).items():
        labels.setdefault(name, []).append(label)
    found: dict[str, list[NamedStep]] = {}
    for alike in labels.values():
        op = automaton.ops[alike[0]]
        if op.mnemonic not in NOT_STEPS:
            *_, routine, _ = parts(alike[0])
            routine = routine.partition("#")[0]
            name, forms = _shortest(alike, automaton), weaker_forms(op)
            step = NamedStep(name, routine, forms, kernel.get(routine, ""))
            found.setdefault(routine, []).append(step)
    return [step for of_one in found.values() for step in of_one]


def _shortest(alike: list[str], automaton: Programs) -> str:
    """The shortest pattern that names the steps with these labels and no others."""
    *callers, routine, step = parts(alike[0])
    bare, number = [name.partition("#")[0] for name in (*callers, routine)], step.partition("#")
    names = (number[0], step)
    candidates = [
        f"{'/'.join(bare[-n:])}.{name}" for n in range(1, len(bare) + 1) for name in names
    ]
    for pattern in candidates:
        if [label for label in automaton.ops if matches(pattern, label)] == alike:
            return pattern
    return alike[0]
