"""PCT keeps the paper's promise, measured on systems small enough to know the bugs' depths."""

from __future__ import annotations

from math import sqrt
from typing import Any

import pytest

from simbbm.core.choice import run_seed
from simbbm.core.engine import Engine
from simbbm.core.graph import Ended, Graph, Node
from simbbm.explore.strategies.calibrate import calibrate
from simbbm.explore.strategies.named import strategy
from simbbm.explore.strategies.pct import Pct, PctChooser
from simbbm.explore.strategies.pct_bound import pct_bound
from simbbm.explore.strategies.profile import Profile
from tests.explore.toys import Judge, Toy

AGENTS = ("cpu0", "cpu1", "cpu2", "cpu2.drain[x]")
LENGTH = 5
K = LENGTH * len(AGENTS)
RUNS = 3000


def ordered(state: tuple[str, ...]) -> str | None:
    """Depth 1: the last agent finishes before anybody else begins."""
    return "order" if state == (AGENTS[-1],) * LENGTH else None


def torn(state: tuple[str, ...]) -> str | None:
    """Depth 2: cpu1 does everything between cpu0's third step and its fourth."""
    mine = [agent for agent in state if agent in ("cpu0", "cpu1")]
    return "torn" if mine == ["cpu0"] * 3 + ["cpu1"] * LENGTH else None


def woven(state: tuple[str, ...]) -> str | None:
    """Depth 3: two of cpu0, two of cpu1, the rest of cpu0, the rest of cpu1."""
    mine = [agent for agent in state if agent in ("cpu0", "cpu1")]
    wanted = ["cpu0"] * 2 + ["cpu1"] * 2 + ["cpu0"] * (LENGTH - 2) + ["cpu1"] * (LENGTH - 2)
    return "woven" if mine == wanted else None


def rate(judge: Judge, name: str, toy: Toy | None = None, runs: int = RUNS) -> float:
    toy = toy or Toy(dict.fromkeys(AGENTS, LENGTH), judge)
    engine = Engine(Graph(toy))
    plan = strategy(name).calibrated(Profile(sum(toy.steps.values())))
    ends = (engine.run(plan.chooser(run_seed(11, i), i), 1000) for i in range(runs))
    return sum(end.node.ended is Ended.VIOLATED for end in ends) / runs


@pytest.mark.parametrize(("depth", "judge"), [(1, ordered), (2, torn), (3, woven)])
def test_a_bug_is_found_at_least_as_often_as_the_bound_says(depth: int, judge: Judge) -> None:
    bound = pct_bound(depth, len(AGENTS), K, RUNS).probability
    found = rate(judge, f"pct:depth={depth}")
    deviation = sqrt(bound * (1 - bound) / RUNS)
    assert found > 0
    assert found >= bound - 3 * deviation


def test_a_bug_is_not_found_below_its_depth() -> None:
    assert rate(torn, "pct:depth=1") == 0
    assert rate(woven, "pct:depth=2") == 0


def test_a_bug_behind_a_long_order_is_out_of_reach_of_a_random_walk() -> None:
    def late(state: tuple[str, ...]) -> str | None:
        return "late" if state == ("cpu0",) * 8 + ("cpu1",) * 20 else None

    toy = Toy({"cpu0": 20, "cpu1": 20}, late)
    assert rate(late, "random", toy, 400) == 0
    assert rate(late, "pct:depth=2", toy, 400) > 0


def test_every_agent_is_as_likely_to_go_first() -> None:
    node = Graph(Toy(dict.fromkeys(AGENTS, 1))).initial
    firsts = [PctChooser(run_seed(2, i), 1, 10).choose(node) for i in range(4000)]
    assert all(900 < firsts.count(k) < 1100 for k in range(len(AGENTS)))


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_priorities_change_at_distinct_steps_and_drop_below_all_others(depth: int) -> None:
    for i in range(200):
        chooser = PctChooser(run_seed(3, i), depth, 6)
        points = chooser._changes
        assert len(points) == depth - 1
        assert all(1 <= left <= 6 and priority <= 0 for left, priority in points.items())
        assert len(set(points.values())) == depth - 1


def test_every_step_is_as_likely_to_be_a_change_point() -> None:
    points = [next(iter(PctChooser(run_seed(4, i), 2, 5)._changes)) for i in range(5000)]
    assert all(900 < points.count(left) < 1100 for left in range(1, 6))


def test_a_run_counts_the_agents_that_it_meets() -> None:
    engine = Engine(Graph(Toy(dict.fromkeys(AGENTS, 2))))
    chooser = PctChooser(b"any", 3, 100)
    engine.run(chooser, 1000)
    assert chooser.agents == len(AGENTS)


def test_after_k_steps_a_run_is_a_random_walk() -> None:
    """An optional agent of high priority would move for ever."""
    toy = Toy({"cpu0": 2}, optional=("cpu0.spurious",))
    steps = [Engine(Graph(toy)).run(PctChooser(bytes([i]), 1, 30), 1000).steps for i in range(40)]
    assert min(steps) == 2
    assert 30 < max(steps) < 100


def test_the_step_after_k_is_the_first_random_one() -> None:
    node = Graph(Toy({"cpu0": 1}, optional=("cpu0.a", "cpu0.b", "cpu0.c"))).initial
    for k in (1, 4):
        runs = []
        for i in range(60):
            chooser = PctChooser(bytes([i]), 1, k)
            runs.append([chooser.choose(node) for _ in range(k + 1)])
        assert all(len(set(run[:k])) == 1 for run in runs)
        assert any(run[k] != run[0] for run in runs)


def test_remembering_who_goes_first_changes_nothing() -> None:
    """The same as finding the highest priority anew at every step."""

    class Forgetful(PctChooser):
        def choose(self, node: Node[Any]) -> int:
            self._priorities.first_of.clear()
            return super().choose(node)

    def every_other(state: tuple[str, ...], agent: str) -> bool:
        return len(state) < 16 and agent == AGENTS[len(state) % 3]

    engine = Engine(Graph(Toy(dict.fromkeys(AGENTS, LENGTH), waits=every_other)))
    for i in range(200):
        ends = [engine.run(kind(run_seed(5, i), 4, K), 1000) for kind in (PctChooser, Forgetful)]
        assert ends[0] == ends[1]


def test_a_profile_is_the_same_whenever_it_is_measured() -> None:
    toy = Toy({"cpu0": 3, "cpu1": 3}, optional=("cpu0.spurious",))
    used, fresh = Engine(Graph(toy)), Engine(Graph(toy))
    for i in range(20):
        used.run(Pct(2).chooser(run_seed(0, i), i), 100)
    assert calibrate(used, 7) == calibrate(fresh, 7)
    assert len({calibrate(fresh, seed) for seed in range(20)}) > 1


def test_the_bound_is_the_papers() -> None:
    assert pct_bound(2, 12, 60, 10_000).probability == 1 / 720
    assert pct_bound(3, 12, 60, 10_000).probability == 1 / 43_200
    assert 9e-7 < pct_bound(2, 12, 60, 10_000).missed < 1e-6
    assert pct_bound(1, 5, 60, 0).missed == 1


def test_the_bounds_sentence_says_what_was_not_counted() -> None:
    text = pct_bound(2, 12, 60, 100, too_long=3).text
    assert "100 runs" in text
    assert "3 longer runs not counted" in text
    assert "Not a proof" in text
