"""The SimPy engine: the same states as applying moves to the value, whatever happens."""

from __future__ import annotations

from typing import Any

import pytest

from simbbm.arm64.features import CONCRETE, DELAYED, EAGER, Hardware
from simbbm.arm64.translation.descriptor import leaf
from simbbm.core.choice import Polite, Tape, run_seed
from simbbm.core.engine import Engine
from simbbm.core.errors import ScenarioError
from simbbm.core.graph import Ended, Graph, Node
from tests.support import FLAG, INV, NEW, OLD, PX, X, little

WRITER = (
    ("str", PX, INV),
    ("dsb", "ishst"),
    ("tlbi", "vae1is", 0, 1),
    ("dsb", "ish"),
    ("str", PX, leaf(NEW)),
    ("dsb", "ishst"),
    ("str", FLAG, 1),
)
READER = (("ldr", X), ("ldar", FLAG), ("ldr", X), ("str", X, 7))


class Taped:
    """Choose by a tape."""

    def __init__(self, seed: bytes) -> None:
        self.tape = Tape(seed)

    def choose(self, node: Node[Any]) -> int:
        return self.tape.below(len(node.moves))


class Digests(dict[Any, str]):
    """Digests of a system's states, each computed once."""

    def __init__(self, of: Any) -> None:
        super().__init__()
        self.of = of

    def __missing__(self, state: Any) -> str:
        self[state] = self.of.digest(state)
        return self[state]


def system(hardware: Hardware = DELAYED) -> Any:
    return little(WRITER, READER, x=leaf(OLD), hardware=hardware, speculative=(0,))


@pytest.mark.parametrize("hardware", [DELAYED, CONCRETE, EAGER])
def test_both_loops_give_the_states_that_applying_moves_gives(hardware: Hardware) -> None:
    fast, stock = Engine(Graph(system(hardware))), Engine(Graph(system(hardware)))
    value = system(hardware)
    digests = (Digests(value), Digests(stock.graph.system))
    traces = set()
    for run in range(700):
        seed = run_seed(1, run)
        end = fast.run(Taped(seed), 200)
        nodes: list[Node[Any]] = []
        again = stock.run_stock(Taped(seed), 200, nodes.append)
        tape, state = Tape(seed), value.initial()
        for node in nodes[:-1]:
            assert digests[0][state] == digests[1][node.state]
            moves = value.moves(state)
            state = value.apply(state, moves[tape.below(len(moves))])
        assert digests[0][state] == digests[1][again.node.state]
        assert value.digest(state) == fast.graph.system.digest(end.node.state)
        assert end[1:] == again[1:]
        assert end.node.ended is again.node.ended
        traces.add(end.trace)
    assert len(traces) > 300


def test_loops_may_be_mixed_on_one_engine() -> None:
    engine = Engine(Graph(system()))
    ends = [
        (engine.run if run % 3 else engine.run_stock)(Taped(run_seed(2, run // 2)), 200)
        for run in range(40)
    ]

    assert [end.trace for end in ends[::2]] == [end.trace for end in ends[1::2]]


def test_forgetting_nodes_changes_nothing() -> None:
    small, large = Engine(Graph(system(), max_nodes=5)), Engine(Graph(system()))
    for run in range(30):
        expected = large.run(Taped(run_seed(3, run)), 200)
        actual = small.run(Taped(run_seed(3, run)), 200)
        assert expected[1:] == actual[1:]
        assert expected.node.ended is actual.node.ended


def test_run_that_hits_its_limit_has_not_ended() -> None:
    end = Engine(Graph(system())).run(Polite(), 3)

    assert (None, 3) == (end.node.ended, end.steps)


def test_polite_run_ends_well() -> None:
    assert Ended.HOLDS is Engine(Graph(system())).run(Polite(), 200).node.ended


@pytest.mark.parametrize("loop", ["run", "run_stock"])
def test_mistake_is_raised_as_it_was_and_the_engine_goes_on(loop: str) -> None:
    wrong = little((("ldr", FLAG), ("msr", "ttbr0_el1", 5)), (("ldr", FLAG),))
    engine = Engine(Graph(wrong))
    for _ in range(2):
        with pytest.raises(ScenarioError, match="no msr of int to ttbr0_el1") as caught:
            getattr(engine, loop)(Polite(), 200)
        assert "its value is a Ttbr" in (caught.value.hint or "")


def test_tape_is_the_same_on_every_python() -> None:
    tape = Tape(run_seed(0, 0))

    assert [87, 22, 48, 77, 80, 32] == [tape.below(100) for _ in range(6)]
    assert all(0 <= tape.below(n) < n for n in range(1, 2_000))
