"""Which step carries the load: each is taken away, or made weaker, and the rest is searched.

The changes are made from the labels that a scenario's programs reach; nobody has to write twins. A
step is load-bearing if the changed scenario fails, with its counterexample; redundant if it still
holds, which is proved for these parameters. (Barrier optimisation by model checking: Oberhauser et
al., "VSync: push-button verification and optimization for synchronization primitives on weak memory
models", ASPLOS'21; here for translation tables, TLBs and system registers.)

A step is a routine's step in the routine that calls it; where that pair occurs more than once, all
occurrences change together, and so do the turns of a loop: one line is one instruction. A load or
MRS whose value is used cannot be taken away: the program does not know how to go on, and that is
reported as such.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any, NamedTuple

import msgspec

from simbbm.arm64.execution.weaken import ACQUIRES, weaker_forms
from simbbm.changes import Change, obstacle
from simbbm.core.errors import EditError, ScenarioError, UsageError, Where
from simbbm.core.points import Programs
from simbbm.core.programs.edits import LEAVES
from simbbm.core.programs.labels import matches
from simbbm.explore.search.attempt import Attempt
from simbbm.explore.search.breadth_first import NO_LIMITS, Limits
from simbbm.explore.search.prove import Proof, Prover
from simbbm.ids import DELAY, REMOVE, WEAKEN
from simbbm.model import Model
from simbbm.scenario import Scenario

WINDOW = 4
"""Operations in flight where an acquire is made relaxed: in order, it would make no difference."""

UNKNOWN_AS_IT_IS = "it fails, and whether it fails without the change too is not known"

NOT_STEPS = ("nop", "forget_events")
"""Operations that do nothing."""


class Task(NamedTuple):
    """Changes of a scenario, to be searched together; can be sent to another process."""

    scenario: str
    """Its id."""
    params: dict[str, Any]
    changes: tuple[Change, ...]
    complete: bool
    """Whether it is known that the scenario holds as it is (`Ablator.complete`)."""
    limits: Limits


class Ablation(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one change of a scenario, or two together."""

    changes: tuple[Change, ...]
    result: str
    """`load-bearing`, `redundant` or `inconclusive`."""
    why: str
    params: dict[str, int | str]
    model: Model | None
    """None if a program cannot even start."""
    proof: Proof | None
    """None if the program cannot continue without the value of the step."""


class Ablator:
    """All single changes of one model, and pairs of those that alone change nothing.

    Raises UsageError for a model that fails as it is, for which no change can be blamed, and for a
    litmus test, which has no routines.
    """

    def __init__(self, model: Model, limits: Limits = NO_LIMITS) -> None:
        self.model = model
        self.limits = limits
        _check_programs(model)
        attempt = Attempt(model, limits, None, ample=True)
        _check_holds(attempt)
        self.automaton = attempt.space.system.spec.automaton
        self.complete = attempt.searched.complete
        """Whether every step is known, and that the model holds as it is."""
        self.steps = steps(self.automaton)
        """What each label's step is called."""

    def singles(self) -> list[Change]:
        """Every change of one step, in the order in which the search reached the steps."""
        changes: dict[Change, None] = {}
        for label, op in self.automaton.ops.items():
            step = self.steps[label]
            if op.mnemonic in NOT_STEPS:
                continue
            if not (self.automaton.has_registers and _observes(step)):
                changes[Change(step, REMOVE)] = None
            # Where loads are performed in order, a relaxed acquire would change nothing.
            if op.mnemonic not in ACQUIRES or "window" in self.model.params:
                changes |= dict.fromkeys(Change(step, WEAKEN + form) for form in weaker_forms(op))
            if op.mnemonic == "isb" and any(
                obstacle(following) != LEAVES for following in self.automaton.following(step)
            ):
                changes[Change(step, DELAY)] = None
        return list(changes)

    def pairs(self, redundant: list[Change]) -> Iterator[tuple[Change, Change]]:
        """Two removals at a time, of steps that can be spared one at a time."""
        yield from combinations([c for c in redundant if c.change == REMOVE], 2)

    def task(self, *changes: Change) -> Task:
        """What has to be searched to find out about changes that are made together."""
        params = dict(self.model.params)
        if params.get("window") == 1 and any(_is_acquire(c, self.automaton) for c in changes):
            params["window"] = WINDOW
        return Task(self.model.scenario.id, params, changes, self.complete, self.limits)

    def ablate(self, *changes: Change) -> Ablation:
        """Change the scenario, and search it."""
        return ablate(self.model.scenario, self.task(*changes))


def ablate(scenario: Scenario, task: Task) -> Ablation:
    """Change a scenario, the one that the task names, and search it."""
    changed, model = scenario, None
    for change in task.changes:
        changed = changed.changed(change)
    try:
        model = Model(changed, task.params)
        proof = Prover(model, task.limits, doubtful=True).prove()
    except EditError:
        raise  # There is no such step: that says nothing of the program.
    except ScenarioError as error:
        observed = any(_observes(change.step) for change in task.changes)
        what = "its value" if observed else "it"
        return Ablation(
            changes=task.changes,
            result="load-bearing",
            why=f"the program cannot go on without {what}: {error.message}",
            params=task.params,
            model=model,
            proof=None,
        )
    result = {"PROVED": "redundant", "INCONCLUSIVE": "inconclusive"}.get(
        proof.verdict, "load-bearing"
    )
    why = proof.message
    if result == "load-bearing" and not task.complete:
        result, why = "inconclusive", f"{UNKNOWN_AS_IT_IS}: {why}"
    return Ablation(
        changes=task.changes,
        result=result,
        why=why,
        params=task.params,
        model=model,
        proof=proof,
    )


def _check_programs(model: Model) -> None:
    """Refuse a litmus test: an edit is of a routine's step, and listings have no routines."""
    if all(cpu.listing for cpu in model.setup.cpus):
        file, _, name = model.scenario.id.rpartition("::")
        raise UsageError(
            f"{model.scenario.id} has no step that could be changed: it is a litmus test",
            f"simbbm litmus {file} --only {name} --outcomes shows what it reaches; compare with a "
            "test that lacks one of its barriers",
        )


def _check_holds(attempt: Attempt) -> None:
    """Refuse a model that fails as it is: without a step it would fail for the same reason."""
    scenario = attempt.model.scenario
    failure = attempt.failure(None)
    if failure:
        instead = f"; ablate {scenario.twin_of}, of which it is a twin" if scenario.twin_of else ""
        raise UsageError(
            f"{scenario.id} fails as it is: {failure.verdict}:{failure.problem.property}",
            "only in a scenario that holds can a step carry the load: simbbm explore shows how it "
            f"fails{instead}",
        )


def steps(automaton: Programs) -> dict[str, str]:
    """What the step at each label is called: by exact pattern, without the numbers of turns.

    What occurs several times at one line of one routine is one instruction, in a loop.
    """
    lines: dict[tuple[str, str], set[Where | None]] = {}
    numbers: dict[tuple[str, str], set[str]] = {}
    for label, sites in automaton.sites.items():
        for routine, name, number, where in _parts(label, sites):
            lines.setdefault((routine, name), set()).add(where)
            numbers.setdefault((routine, name), set()).add(number)
    called = {}
    for label, sites in automaton.sites.items():
        parts = [
            name if len(numbers[routine, name]) > len(lines[routine, name]) == 1 else name + number
            for routine, name, number, _ in _parts(label, sites)
        ]
        *routines, step = parts
        called[label] = f"{'/'.join(routines)}.{step}"
    return called


def _parts(label: str, sites: tuple[Where | None, ...]) -> list[tuple[str, str, str, Where | None]]:
    """Of a step and its two innermost routines: what calls it, name, number, and line."""
    *callers, last = label.split("/")
    routine, _, step = last.partition(".")
    names = [*callers, routine, step]
    told = []
    for depth, (name, where) in enumerate(zip(reversed(names), (*sites, None), strict=False)):
        caller = names[-2 - depth].partition("#")[0] if depth + 1 < len(names) else ""
        base, _, number = name.partition("#")
        told.append((caller, base, f"#{number or 1}", where))
    return told[2::-1]


def _observes(step: str) -> bool:
    """Whether a step gives its program a value (a load, an MRS), by the operation in its name."""
    return step.partition(".")[2].startswith(("ld", "stx", "stlx", "mrs", "wait"))


def _is_acquire(change: Change, automaton: Programs) -> bool:
    return change.change.startswith(WEAKEN) and any(
        op.mnemonic in ACQUIRES and matches(change.step, label)
        for label, op in automaton.ops.items()
    )
