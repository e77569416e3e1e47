"""POS orders events as the paper says: by first draws, and by second ones where they race."""

from __future__ import annotations

from math import sqrt

import pytest

from simbbm.core.choice import run_seed
from simbbm.core.engine import Engine
from simbbm.core.graph import Graph, Node
from simbbm.core.system import Footprint, Move
from simbbm.explore.strategies.pos import PosChooser
from tests.explore.toys import Toy

RUNS = 4000


class Racing(Toy):
    """A toy in which every move writes one and the same cell."""

    def _move(self, agent: str, label: str) -> Move:
        footprint = Footprint(frozenset(), frozenset({(0, 0)}))
        return super()._move(agent, label)._replace(footprint=footprint)


class HalfRacing(Racing):
    """Likewise, but cpu0 races with nobody."""

    def _move(self, agent: str, label: str) -> Move:
        move = super()._move(agent, label)
        return move._replace(footprint=Footprint()) if agent == "cpu0" else move


def last(toy: Toy, agent: str) -> float:
    """How often an agent that has one move makes it after all others."""
    engine = Engine(Graph(toy))
    ends = (engine.run(PosChooser(run_seed(1, i)), 100).node for i in range(RUNS))
    return [end.state[-1] for end in ends].count(agent) / RUNS


def near(measured: float, expected: float) -> bool:
    return abs(measured - expected) < 4 * sqrt(expected * (1 - expected) / RUNS)


def test_an_event_that_races_with_nobody_keeps_its_priority() -> None:
    """It is last if it is the lowest of four."""
    assert near(last(Toy({"cpu0": 3, "cpu1": 1}), "cpu1"), 1 / 4)


def test_an_event_that_loses_a_race_draws_anew() -> None:
    """It is last if it is the lower of two, three times."""
    assert near(last(Racing({"cpu0": 3, "cpu1": 1}), "cpu1"), 1 / 8)


def test_hardware_does_not_race_with_the_program_of_its_own_cpu() -> None:
    assert near(last(Racing({"cpu0": 3, "cpu0.drain[x]": 1}), "cpu0.drain[x]"), 1 / 4)


@pytest.mark.parametrize("kind", [Toy, Racing])
def test_every_agent_is_as_likely_to_go_first(kind: type[Toy]) -> None:
    node = Graph(kind({"cpu0": 2, "cpu1": 2, "cpu1.drain[x]": 2, "dvm.cpu2": 2})).initial
    firsts = [PosChooser(run_seed(2, i)).choose(node) for i in range(RUNS)]
    assert all(900 < firsts.count(k) < 1100 for k in range(4))


def test_remembering_who_races_changes_nothing() -> None:

    class Forgetful(PosChooser):
        def choose(self, node: Node[tuple[str, ...]]) -> int:
            node.policy = None
            return super().choose(node)

    toy = HalfRacing({"cpu0": 3, "cpu1": 3, "cpu2": 2})
    engine = Engine(Graph(toy))
    for i in range(200):
        ends = [engine.run(kind(run_seed(3, i)), 100) for kind in (PosChooser, Forgetful)]
        assert ends[0] == ends[1]
