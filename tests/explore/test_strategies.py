"""Strategies: their names, that they are deterministic, and that they choose as they say."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simbbm.core.choice import Polite, Tape, run_seed
from simbbm.core.errors import UsageError
from simbbm.core.graph import Graph, Node
from simbbm.explore.runs.play import Run
from simbbm.explore.runs.run import run_one
from simbbm.explore.strategies.menu import menu_of
from simbbm.explore.strategies.named import STRATEGIES, strategy
from simbbm.explore.strategies.pct import Pct, PctChooser
from simbbm.explore.strategies.portfolio import Portfolio
from simbbm.explore.strategies.pos import PosChooser
from simbbm.explore.strategies.profile import Profile
from simbbm.explore.strategies.random_walk import AgentWalk, CpuWalk
from simbbm.explore.strategies.surprise import Surprise, SurpriseChooser
from simbbm.explore.strategies.urw import Urw, UrwChooser
from simbbm.model import Model
from tests.explore.toys import Toy, toy_scenario

NAMES = (
    "default",
    "portfolio",
    "random",
    "cpu-first",
    "pct:depth=2",
    "pct:depth=3",
    "pos",
    "surprise:budget=0",
    "surprise:budget=2",
    "urw",
    "polite",
)
TOY = toy_scenario(Toy({"cpu0": 4, "cpu1": 4, "cpu1.drain[x]": 3, "dvm.cpu1": 2}))


def first_choices(chooser_of: type[AgentWalk | CpuWalk], toy: Toy, runs: int) -> Counter[str]:
    node: Node[tuple[str, ...]] = Graph(toy).initial
    choosers = (chooser_of(run_seed(1, i)) for i in range(runs))
    return Counter(node.moves[chooser.choose(node)].agent for chooser in choosers)


@pytest.mark.parametrize("name", NAMES)
def test_canonical_names_read_back(name: str) -> None:
    assert strategy(name).name == name


def test_every_documented_strategy_can_be_read() -> None:
    assert list(STRATEGIES) == [strategy(name).name.partition(":")[0] for name in STRATEGIES]


def test_what_is_left_out_has_a_default() -> None:
    assert strategy("pct").name == "pct:depth=3"
    assert strategy("surprise").name == "surprise:budget=2"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("randm", "did you mean random"),
        ("pcd:depth=2", "did you mean pct"),
        ("zzz", "default, portfolio, random, cpu-first, pct, pos, surprise, urw, polite"),
        ("random:depth=2", "random has no options"),
        ("pos:depth=2", "only pct:depth=3 and surprise:budget=2 have"),
        ("surprize", "did you mean surprise"),
        ("surprise:depth=2", "write surprise or surprise:budget=2"),
        ("surprise:budget=1.5", "write surprise or surprise:budget=2"),
        ("surprise:budget=11", "budget is 0..10"),
        ("pct:deep=2", "write pct or pct:depth=3"),
        ("pct:depth=", "write pct or pct:depth=3"),
        ("pct:depth=-1", "write pct or pct:depth=3"),
        ("pct:depth=0", "depth is 1..10"),
        ("pct:depth=11", "depth is 1..10"),
    ],
)
def test_a_wrong_strategy_is_a_usage_error(text: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        strategy(text)
    assert says in str(caught.value)


def seen(run: Run) -> tuple[Any, ...]:
    """What a run showed, whichever machine it was on."""
    return run.verdict, run.message, run.steps, run.digest, run.loop, run.doubt


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_and_number_same_run(name: str) -> None:
    shown = [seen(run_one(Model(TOY), name, 5, n)) for n in (0, 1, 2, 3, 0, 1, 2, 3)]
    assert shown[:4] == shown[4:]


@pytest.mark.parametrize("name", [n for n in NAMES if n != "polite"])
def test_other_numbers_and_seeds_give_other_runs(name: str) -> None:
    by_number = {run_one(Model(TOY), name, seed=5, number=n).digest for n in range(40)}
    by_seed = {run_one(Model(TOY), name, seed=s).digest for s in range(40)}
    assert min(len(by_number), len(by_seed)) > 8


@given(seed=st.binary(min_size=16, max_size=16), limits=st.lists(st.integers(1, 65536)))
def test_a_tape_scales_its_numbers(seed: bytes, limits: list[int]) -> None:
    numbers, tape = Tape(seed), Tape(seed)
    assert [next(numbers.numbers) * n >> 16 for n in limits] == [tape.below(n) for n in limits]


def test_a_tape_is_what_it_always_was() -> None:
    """Recorded schedules depend on it: these numbers may never change."""
    tape = Tape(run_seed(42, 7))
    numbers = [tape.below(65536) for _ in range(1000)]
    expected = [*TAPE_AT.values()]
    assert expected == [numbers[i] for i in TAPE_AT]


TAPE_AT = {0: 15709, 1: 2768, 63: 13435, 64: 25568, 255: 61991, 256: 47407, 257: 13765, 999: 21267}


def test_random_is_uniform_over_agents_and_not_over_moves() -> None:
    toy = Toy({"cpu0": 1, "cpu1": 1, "cpu1.drain[x]": 1, "cpu1.drain[y]": 1})
    chosen = first_choices(AgentWalk, toy, 4000)
    assert all(900 < chosen[agent] < 1100 for agent in toy.steps)


def test_cpu_first_gives_a_busy_cpu_no_more_turns() -> None:
    toy = Toy({"cpu0": 1, "cpu1": 1, "cpu1.drain[x]": 1, "dvm.cpu1": 1})
    chosen = first_choices(CpuWalk, toy, 4000)
    assert 1900 < chosen["cpu0"] < 2100
    assert all(550 < chosen[agent] < 790 for agent in ("cpu1", "cpu1.drain[x]", "dvm.cpu1"))


def test_a_menu_groups_moves_by_agent_and_by_cpu() -> None:
    node = Graph(Toy({"cpu0": 1, "cpu1": 1, "dvm.cpu0": 1}, optional=("cpu1.walk[x]",))).initial
    menu = menu_of(node)
    assert node.policy is menu
    assert menu.agents == ((0,), (1,), (2,), (3,))
    assert menu.cpus == (((0,), (2,)), ((1,), (3,)))
    assert menu.moves_of["cpu1.walk[x]"] == (3,)
    assert menu.programs.names == ("cpu0", "cpu1")
    assert menu.hardware == ("dvm.cpu0", "cpu1.walk[x]")


def test_the_default_takes_turns_by_run_number() -> None:
    portfolio = strategy("default").calibrated(Profile(50, 7, (("cpu0", 9),)))
    assert isinstance(portfolio, Portfolio)
    names = ["pct:depth=2", "urw", "pct:depth=3", "surprise:budget=2", "pos", "random"]
    assert [m.name for m in portfolio.members] == names
    choosers = [portfolio.chooser(b"seed", number) for number in range(12)]
    kinds = [PctChooser, UrwChooser, PctChooser, SurpriseChooser, PosChooser, AgentWalk]
    assert [type(chooser) for chooser in choosers] == kinds * 2
    depths = [chooser.depth for chooser in choosers if isinstance(chooser, PctChooser)]
    assert depths == [2, 3, 2, 3]


def test_a_portfolio_fits_every_member() -> None:
    fitted = strategy("default").calibrated(Profile(50, 7, (("cpu0", 9),)))
    assert isinstance(fitted, Portfolio)
    assert fitted.needs_calibration
    assert [m.k for m in fitted.members if isinstance(m, Pct)] == [50, 50]
    assert [m.profile.arrivals for m in fitted.members if isinstance(m, Surprise)] == [7]
    assert [m.moves for m in fitted.members if isinstance(m, Urw)] == [{"cpu0": 9}]


def test_portfolio_is_another_name_for_the_default() -> None:
    names = ("default", "portfolio")
    shown = [seen(run_one(Model(TOY), name, 3, n)) for name in names for n in range(12)]
    assert shown[:12] == shown[12:]


def test_polite_is_the_polite_schedule() -> None:
    assert isinstance(strategy("polite").chooser(b"", 3), Polite)
    assert run_one(Model(TOY), "polite", 1, 2).digest == run_one(Model(TOY), "polite", 9, 8).digest


def test_an_agent_that_can_always_move_starves_no_strategy() -> None:
    toy = toy_scenario(Toy({"cpu0": 5, "cpu1": 5}, optional=("cpu0.spurious", "cpu1.event")))
    for name in NAMES:
        for number in range(20):
            result = run_one(Model(toy), name, seed=1, number=number, max_steps=2000)
            assert result.verdict == "HOLDS"
