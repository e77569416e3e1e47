"""Surprise bounds: hardware is polite with so many exceptions, and programs interleave freely."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from simbbm import discovery
from simbbm.core.choice import run_seed
from simbbm.core.engine import Engine
from simbbm.core.graph import Ended, Graph
from simbbm.core.system import Move
from simbbm.explore.runs.play import Run
from simbbm.explore.runs.run import Runner
from simbbm.explore.strategies.calibrate import calibrate
from simbbm.explore.strategies.profile import Profile
from simbbm.explore.strategies.surprise import Surprise, SurpriseChooser
from simbbm.model import Model
from tests.explore.toys import Toy

MERGED = "linear_map_split::good"
CONCRETE = {"cpus": 2, "layout": "pmd", "tlb": "concrete"}


def is_program(move: Move) -> bool:
    return move.agent == f"cpu{move.cpu}"


def surprises(run: Run) -> int:
    """Count by the definition: who of the hardware was passed over, and what was optional."""
    count = 0
    late = set[str]()
    for node, k in run.taken:
        took = node.moves[k]
        waiting = {m.agent for m in node.moves if not is_program(m) and not m.optional}
        late &= waiting
        if is_program(took):
            count += len(waiting - late)
            late |= waiting
        elif took.optional:
            count += 1
        late.discard(took.agent)
    return count


def recorded(scenario_id: str, budget: int, runs: int, **params: Any) -> list[tuple[Run, Any]]:
    """Runs of a scenario, with the choosers that made them."""
    runner = Runner(Model(discovery.find(scenario_id), params), Surprise(budget), seed=3)
    made = []
    for number in range(runs):
        chooser = runner.chooser(number)
        run = runner.play(chooser, record=True)
        assert run.end.ended is not None
        made.append((run, chooser))
    return made


@pytest.mark.parametrize("params", [{}, CONCRETE], ids=["closure", "concrete"])
@pytest.mark.parametrize("budget", [0, 1, 3])
def test_a_run_has_no_more_surprises_than_allowed(budget: int, params: dict[str, Any]) -> None:
    counts = [(surprises(r), c.surprises) for r, c in recorded(MERGED, budget, 80, **params)]
    assert all(counted <= claimed <= budget for counted, claimed in counts)
    assert max(counted for counted, _ in counts) == budget


def test_without_surprises_hardware_is_never_late_and_programs_interleave() -> None:
    runs = [run.taken for run, _ in recorded(MERGED, 0, 40)]
    for taken in runs:
        for node, k in taken:
            if is_program(node.moves[k]):
                assert all(m.optional or is_program(m) for m in node.moves)
    assert len({tuple(node.moves[k].label for node, k in taken) for taken in runs}) > 20


@pytest.mark.parametrize(
    ("name", "needed"), [("m14_plain_increment", 0), ("m10_no_dsb_after_tlbi", 1)]
)
def test_a_bug_is_found_from_the_surprises_on_that_it_needs(name: str, needed: int) -> None:
    scenario = discovery.find(f"linear_map_split::{name}")
    for budget in range(needed + 1):
        runner = Runner(Model(scenario), Surprise(budget), seed=0)
        ends = {runner.play(runner.chooser(n)).end.ended for n in range(400)}
        assert (Ended.HOLDS in ends, len(ends) > 1) == (True, budget >= needed)


def test_every_arrival_is_as_likely_to_surprise() -> None:
    """Two arrivals of one drain: it is late at the first as often as at the second."""
    toy = Toy({"cpu0": 9, "cpu0.drain[x]": 2})
    engine = Engine(Graph(toy))
    plan = Surprise(1).calibrated(calibrate(engine, 0))
    assert plan.profile.arrivals == 2
    firsts = 0
    for i in range(2000):
        chooser = plan.chooser(run_seed(8, i), i)
        assert isinstance(chooser, SurpriseChooser)
        firsts += engine.run(chooser, 100).node.state[0] == "cpu0"
        assert chooser.surprises == 1
    assert 900 < firsts < 1100


def test_an_optional_move_is_made_only_as_a_surprise() -> None:
    toy = Toy({"cpu0": 6}, optional=("cpu0.walk[x]",))
    engine = Engine(Graph(toy))
    for budget in (0, 1):
        plan = Surprise(budget).calibrated(calibrate(engine, 0))
        steps = {engine.run(plan.chooser(run_seed(9, i), i), 100).steps for i in range(40)}
        assert steps == {6 + budget}


def test_hardware_that_waits_goes_on_when_nobody_else_can() -> None:
    """A wait that is longer than the run ends with it."""
    toy = Toy({"cpu0": 1, "cpu0.drain[x]": 1, "cpu1.drain[y]": 1})
    engine = Engine(Graph(toy))
    for i in range(60):
        end = engine.run(Surprise(3).chooser(run_seed(10, i), i), 100)
        assert (end.node.ended, end.steps) == (Ended.HOLDS, 3)


def test_every_program_is_as_likely_to_go_first() -> None:
    node = Graph(Toy({"cpu0": 9, "cpu1": 9, "cpu2": 9})).initial
    plan = Surprise(1, Profile(1000, 1))
    firsts = [plan.chooser(run_seed(11, i), i).choose(node) for i in range(3000)]
    assert all(900 < firsts.count(k) < 1100 for k in range(3))


def test_programs_change_over_at_two_steps_at_most_and_freely_in_runs_that_are_too_long() -> None:
    def changes(steps: int, number: int) -> int:
        engine = Engine(Graph(Toy({"cpu0": 20, "cpu1": 20})))
        plan = Surprise(0, Profile(steps))
        state = engine.run(plan.chooser(run_seed(12, number), number), 100).node.state
        return sum(a != b for a, b in pairwise(state))

    # One more, when the first program has come to its end.
    assert max(changes(40, i) for i in range(40)) == 3
    assert min(changes(2, i) for i in range(40)) > 3
