"""Edits that change nothing: such a twin would hold, or fail, for no reason of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from simbbm.core.automaton import Automaton, matches
from simbbm.core.choice import Polite
from simbbm.core.errors import ScenarioError
from simbbm.explore.run import Runner
from simbbm.scenario import Scenario

TRIES = 1_000
"""Runs in which a step that polite hardware never comes to is looked for."""


def check_edits(scenario: Scenario, params: Mapping[str, Any]) -> None:
    """Raise ScenarioError if an edit of a twin matches nothing that its programs ever do.

    One of several edits may have nothing to change with these parameters (a layout without level 1
    blocks has no split_pud()), if it has with the default ones, the twin's or its origin's.
    """
    edits = {*scenario.edits.drop, *(name for name, _ in scenario.edits.replace)}
    unused, labels = _unused(scenario, params, edits)
    if not unused:
        return
    never = unused
    for whose in (scenario, scenario.root):
        never, _ = _unused(scenario, whose.parameters_from({}), never)
    if unused != edits and not never:
        return
    edit, here = min(never or unused), "" if never else " with these parameters"
    if edit in scenario.edits.drop:
        near = _nearest(edit, labels)
        raise ScenarioError(
            f"{scenario.id} drops {edit}, but no step is called that{here}", f"nearest: {near}"
        )
    raise ScenarioError(f"{scenario.id} replaces {edit}, but nothing calls it{here}")


def _unused(
    scenario: Scenario, params: Mapping[str, Any], edits: set[str]
) -> tuple[set[str], set[str]]:
    """Those of some edits that match nothing, and the labels of all steps that were come to.

    A twin may fail before it comes to a later edit, so its origin is looked at too; and since a
    step may be rare, only many runs of both together are an argument.
    """
    labels: set[str] = set()
    for looked_at in (scenario, scenario.root) if edits else ():
        for automaton in _explored(looked_at, params):
            labels |= automaton.labels.keys()
            edits = edits - automaton.used_edits
            edits = {edit for edit in edits if not _met(edit, scenario, automaton)}
            if not edits:
                return edits, labels
    return edits, labels


def _explored(scenario: Scenario, params: Mapping[str, Any]) -> Iterator[Automaton]:
    """Automata that come to know more and more of the programs.

    One run is nearly always enough; what many runs are like is measured only for those who go on.
    """
    polite = Runner(scenario, params, "polite", seed=0)
    polite.run(Polite())
    yield _automaton(polite)
    runner = Runner(scenario, params, "default", seed=0)
    automaton = _automaton(runner)
    for number in range(TRIES):
        known = len(automaton.labels), len(automaton.used_edits)
        runner.run(runner.chooser(number))
        if (len(automaton.labels), len(automaton.used_edits)) != known:
            yield automaton


def _automaton(runner: Runner) -> Automaton:
    return runner.engine.graph.system.spec.automaton  # type: ignore[attr-defined,no-any-return]


def _met(edit: str, scenario: Scenario, automaton: Automaton) -> bool:
    """Whether the programs come to what an edit changes, changed or not."""
    if edit in scenario.edits.drop:
        return any(matches(edit, label) for label in automaton.labels)
    routine = edit.rpartition(".")[2]
    return any(routine in _routines(label) for label in automaton.labels)


def _routines(label: str) -> list[str]:
    path = label.partition(".")[0]
    return [name.partition("#")[0] for name in path.split("/")]


def _nearest(edit: str, labels: set[str]) -> str:
    from difflib import get_close_matches

    known = sorted({label.rpartition("/")[2].partition("#")[0] for label in labels})
    close = get_close_matches(edit, known, n=1, cutoff=0.0)
    return close[0] if close else "none"
