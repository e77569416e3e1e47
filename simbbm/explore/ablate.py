"""Which step carries the load: each is taken away, or made weaker, and the rest is searched.

The changes are made from the labels that a scenario's programs come to; nobody writes a twin. What
then fails is load-bearing, with its counterexample; what still holds is redundant, proved for these
parameters. (Barrier optimisation by model checking: Oberhauser et al., "VSync: push-button
verification and optimization for synchronization primitives on weak memory models", ASPLOS'21;
here for translation tables, TLBs and system registers.)

A step is a routine's step in the routine that calls it; where that pair occurs more than once, all
occurrences change together. A load or MRS whose value is used cannot be taken away: the program
does not know how to go on, and that is reported as such.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any

import msgspec

from simbbm.arm64.weaken import ACQUIRES, As, weaker_forms
from simbbm.core.automaton import Automaton, Edits, exact_pattern
from simbbm.core.errors import ScenarioError, UsageError
from simbbm.core.program import Op
from simbbm.explore.attempt import Attempt
from simbbm.explore.prove import Proof, Prover
from simbbm.explore.search import NO_LIMITS, Limits
from simbbm.scenario import Scenario

REMOVE, DELAY, WEAKEN = "remove", "delay", "weaken:"
WINDOW = 4
"""Operations of a program in flight where an acquire is made relaxed: else nothing could differ."""


class Change(msgspec.Struct, frozen=True):
    """One thing that is changed: `remove`, `delay` (an ISB by one step) or `weaken:<mnemonic>`."""

    step: str
    change: str

    @property
    def name(self) -> str:
        """What follows a scenario's id to name the changed one."""
        return f"~{self.change}~{self.step}"


class Ablation(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a scenario when one or two things were changed."""

    changes: tuple[Change, ...]
    result: str
    """`load-bearing`, `redundant` or `inconclusive`."""
    why: str
    scenario: Scenario
    params: dict[str, Any]
    proof: Proof | None
    """None if the program cannot go on without the value of the step."""


class Ablator:
    """All single changes of one scenario, and pairs of those that alone change nothing.

    Raises UsageError for a scenario that fails as it is: of that no change can be blamed.
    """

    def __init__(
        self, scenario: Scenario, params: Mapping[str, Any], limits: Limits = NO_LIMITS
    ) -> None:
        self.scenario = scenario
        self.params = scenario.parameters_from(params)
        self.limits = limits
        attempt = Attempt(scenario, self.params, limits, None, ample=True)
        _check_holds(scenario, attempt)
        self.automaton = attempt.space.machine.spec.automaton
        self.complete = attempt.searched.complete
        """Whether every step is known."""

    def singles(self) -> list[Change]:
        """Every change of one step, in the order in which the programs come to the steps."""
        changes: dict[Change, None] = {}
        for label, op in self.automaton.ops.items():
            step = exact_pattern(label)
            if op.mnemonic == "nop":
                continue
            changes[Change(step, REMOVE)] = None
            for form in weaker_forms(op):
                changes[Change(step, WEAKEN + form)] = None
            if op.mnemonic == "isb":
                changes[Change(step, DELAY)] = None
        return list(changes)

    def pairs(self, redundant: list[Change]) -> Iterator[tuple[Change, Change]]:
        """Two removals at a time, of steps that can be spared one at a time."""
        yield from combinations([c for c in redundant if c.change == REMOVE], 2)

    def ablate(self, *changes: Change) -> Ablation:
        """Change the scenario, and search it."""
        changed, params = self.scenario, dict(self.params)
        for change in changes:
            changed = with_change(changed, change, self.automaton)
            if _is_acquire(change, self.automaton) and params.get("window") == 1:
                params["window"] = WINDOW
        try:
            proof = Prover(changed, params, self.limits, doubtful=True).prove()
        except ScenarioError as error:
            observed = any(_observes(change.step) for change in changes)
            what = "its value" if observed else "it"
            return Ablation(
                changes=changes,
                result="load-bearing",
                why=f"the program cannot go on without {what}: {error.message}",
                scenario=changed,
                params=params,
                proof=None,
            )
        result = {"PROVED": "redundant", "INCONCLUSIVE": "inconclusive"}.get(
            proof.verdict, "load-bearing"
        )
        return Ablation(
            changes=changes,
            result=result,
            why=proof.message,
            scenario=changed,
            params=params,
            proof=proof,
        )


def _check_holds(scenario: Scenario, attempt: Attempt) -> None:
    failure = attempt.failure(None)
    if failure:
        raise UsageError(
            f"{scenario.id} fails as it is: {failure.verdict}:{failure.problem.property}",
            "only in a scenario that holds can a step carry the load",
        )
    automaton = attempt.space.machine.spec.automaton
    if attempt.searched.complete and not automaton.ops:
        raise UsageError(
            f"{scenario.id} has no step that could be changed",
            "a litmus test's threads are listings, and no programs of routines",
        )


def with_change(scenario: Scenario, change: Change, automaton: Automaton | None = None) -> Scenario:
    """The scenario with one change; its id says which."""
    edits = _edits(scenario, change, automaton)
    return replace(
        scenario,
        id=scenario.id + change.name,
        story=f"{change.change} {change.step}, of {scenario.id}",
        edits=scenario.edits.merged(edits),
        parent=scenario,
        twin_of=scenario.id,
    )


def read_change(text: str) -> Change:
    """Read `change~step`; raise UsageError if it is neither."""
    change, separator, step = text.partition("~")
    if not separator or not (change in (REMOVE, DELAY) or change.startswith(WEAKEN)):
        raise UsageError(f"{text}: no such change", "it is remove~STEP, delay~STEP, weaken:OP~STEP")
    return Change(step, change)


def _edits(scenario: Scenario, change: Change, automaton: Automaton | None) -> Edits:
    if change.change == REMOVE:
        return Edits(drop=(change.step,))
    if change.change != DELAY:
        return Edits(weaken=((change.step, As(change.change.removeprefix(WEAKEN))),))
    known = automaton or _automaton(scenario, scenario.parameters_from({}))
    later = dict.fromkeys(known.following(change.step))
    insert = tuple((exact_pattern(label, callers=99), Op("isb")) for label in later)
    return Edits(drop=(change.step,), insert=insert)


def _observes(step: str) -> bool:
    """Whether a step gives its program a value (a load, an MRS), by the operation in its name."""
    return step.partition(".")[2].startswith(("ld", "stx", "stlx", "mrs", "wait"))


def _is_acquire(change: Change, automaton: Automaton) -> bool:
    return change.change.startswith(WEAKEN) and any(
        op.mnemonic in ACQUIRES and exact_pattern(label) == change.step
        for label, op in automaton.ops.items()
    )


def _automaton(scenario: Scenario, params: Mapping[str, Any]) -> Automaton:
    """An automaton that knows every step that some schedule comes to."""
    attempt = Attempt(scenario, params, NO_LIMITS, None, ample=True)
    return attempt.space.machine.spec.automaton
