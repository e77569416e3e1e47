"""URW: every interleaving is as likely, if the numbers of moves are right."""

from __future__ import annotations

from collections import Counter

from simbbm.core.choice import run_seed
from simbbm.core.engine import Engine
from simbbm.core.graph import Graph, Node
from simbbm.explore.strategies.calibrate import calibrate
from simbbm.explore.strategies.named import Strategy
from simbbm.explore.strategies.profile import Profile
from simbbm.explore.strategies.random_walk import RandomWalk
from simbbm.explore.strategies.urw import Urw
from tests.explore.toys import Toy

STEPS = {"cpu0": 4, "cpu1": 2}
RUNS = 6000


def interleavings(plan: Strategy) -> Counter[tuple[str, ...]]:
    engine = Engine(Graph(Toy(STEPS)))
    choosers = (plan.chooser(run_seed(6, i), i) for i in range(RUNS))
    return Counter(engine.run(chooser, 100).node.state for chooser in choosers)


def test_every_interleaving_is_as_likely() -> None:
    """Unlike in a random walk, which nearly halves the chance at each step of the longer one."""
    uniform = interleavings(Urw(Profile(6, moves=tuple(STEPS.items()))))
    walk = interleavings(RandomWalk())
    assert len(uniform) == len(walk) == 15
    assert all(320 < count < 480 for count in uniform.values())
    assert max(walk.values()) > 4 * min(walk.values())


def test_an_agent_that_has_made_more_moves_than_expected_counts_as_if_it_had_one_left() -> None:
    runs = interleavings(Urw(Profile(2, moves=(("cpu0", 1), ("cpu1", 1)))))
    again = sum(count for moved, count in runs.items() if moved[0] == moved[1])
    assert 0.46 * RUNS < again < 0.54 * RUNS


def test_who_is_not_in_the_profile_counts_as_if_it_had_one_move_left() -> None:
    node: Node[tuple[str, ...]] = Graph(Toy({"cpu0": 9, "dvm.cpu1": 9})).initial
    plan = Urw(Profile(9, moves=(("cpu0", 3),)))
    firsts = [plan.chooser(run_seed(7, i), i).choose(node) for i in range(4000)]
    assert 900 < firsts.count(1) < 1100


def test_calibration_counts_the_moves_of_every_agent() -> None:
    toy = Toy({"cpu0": 5, "cpu0.drain[x]": 2, "cpu1": 3})
    profile = calibrate(Engine(Graph(toy)), campaign_seed=4)
    assert profile == Profile(10, 2, tuple(toy.steps.items()))


def test_calibration_rounds_a_rare_agents_moves_up() -> None:
    """What a random run makes once in a while has a move to make."""
    toy = Toy({"cpu0": 9, "cpu1": 9}, optional=("cpu1.spurious",))
    profile = calibrate(Engine(Graph(toy)), campaign_seed=4)
    assert dict(profile.moves).keys() == {"cpu0", "cpu1", "cpu1.spurious"}
    assert min(dict(profile.moves).values()) >= 1
