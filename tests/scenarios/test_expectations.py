"""Every shipped scenario does what it promises, in a sample; what is caught replays."""

from __future__ import annotations

import re
from functools import cache

import pytest

from simbbm.core.graph import Ended
from simbbm.core.points import Programs
from simbbm.core.programs.code import scan
from simbbm.core.programs.labels import matches
from simbbm.explore.runs.replay import Result, model_of, replay
from simbbm.explore.runs.run import Runner
from simbbm.explore.witness.recording import witness_of
from simbbm.explore.witness.token import from_token, token
from simbbm.model import Model
from simbbm.scenario import Scenario
from tests.scenarios.everything import ROUNDS, SHIPPED, TWINS, names, one_in, walk_rows

RUNS_GOOD, RUNS_BAD, SEED = 100, 3_000, 1
EDITED = tuple(s for s in SHIPPED if s.parent)


def first_failure(scenario: Scenario, runs: int) -> int | None:
    """The number of the first run that fails, with the default strategy."""
    runner = Runner(Model(scenario), "default", SEED)
    for number in range(runs):
        if runner.play(runner.chooser(number)).end.ended is not Ended.HOLDS:
            return number
    return None


@pytest.mark.parametrize("scenario", one_in(4, SHIPPED))
def test_expectation_is_met(scenario: Scenario) -> None:
    """What is caught replays from its record, and from its token: decisions and a digest."""
    number = first_failure(scenario, RUNS_GOOD if scenario.expect.holds else RUNS_BAD)
    assert (scenario.expect.holds or scenario.id in ROUNDS) == (number is None)
    if number is None:
        return
    found = witness_of(Model(scenario), "default", SEED, number)
    assert (found.verdict, found.property) in scenario.expect.failures
    for witness in (found, from_token(token(found))):
        replayed = replay(witness, model_of(witness, scenario))
        assert (Result.REPRODUCED, found.digest) == (replayed.result, replayed.digest)
        assert (found.verdict, found.property) == (replayed.verdict, replayed.property)
        assert found.steps == replayed.steps


@pytest.mark.parametrize("scenario", one_in(6, EDITED))
def test_twin_changes_something_that_its_programs_come_to(scenario: Scenario) -> None:
    """An edit that matches nothing would make a twin hold, or fail, for no reason of its own."""
    origin = scenario
    while origin.parent:
        origin = origin.parent
    used, labels = set[str](), set[str]()
    for layout in _layouts(origin):
        used |= _automaton(scenario, layout).used_edits
        # It may fail before it comes to a later edit, or to one that the good one has too.
        labels |= _automaton(origin, layout).labels.keys()
        used |= _automaton(origin, layout).used_edits

    for replaced, _ in scenario.edits.replace:
        assert replaced in used
    for dropped in scenario.edits.drop:
        assert dropped in used or any(matches(dropped, label) for label in labels)
    for weakened, _ in scenario.edits.weaken:
        assert weakened in used or any(matches(weakened, label) for label in labels)
    edits = scenario.edits
    changed = edits.replace or edits.drop or edits.weaken or edits.later
    assert changed or scenario.parameters != origin.parameters


def _layouts(scenario: Scenario) -> list[str]:
    """Small layouts that it has; an empty name where it has none at all."""
    known = next((p.choices for p in scenario.parameters if p.name == "layout"), ("",))
    return [layout for layout in ("", "pmd", "pud") if layout in known]


@cache
def _automaton(scenario: Scenario, layout: str) -> Programs:
    """A scenario's programs, as far as any schedule comes on a small machine."""
    system = Model(scenario, {"cpus": 2, "layout": layout} if layout else {}).system
    walk_rows(system)
    return system.spec.automaton


@pytest.mark.parametrize("scenario", TWINS, ids=names(TWINS))
def test_twin_changes_one_thing(scenario: Scenario) -> None:
    """Routines are swapped or steps left out, not both; several only if they are one idea.

    That is: the same step of several routines, or one step that moves from a routine to another.
    What is left out where something is swapped in is a step that this does instead.
    """
    parent = scenario.parent
    assert parent is not None
    replaced = dict(item for item in scenario.edits.replace if item not in parent.edits.replace)
    dropped = [label for label in scenario.edits.drop if label not in parent.edits.drop]

    if replaced and dropped:
        [(new, [label])] = [(new, dropped) for new in replaced.values()]
        assert label.partition(".")[2] in {method.name for method in scan(new.__code__).methods}
    else:
        assert replaced or dropped
    assert len(replaced) <= 2
    assert len({label.partition(".")[2].partition(".")[0] for label in dropped}) <= 1
    assert re.fullmatch(r"(m\d\d_)+[a-z0-9_]+", scenario.name)
