"""The SimPy engine: the same states as applying moves to the value, whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pytest
import simpy

from simbbm.arm64.descriptor import leaf
from simbbm.arm64.features import CONCRETE, DELAYED, EAGER, Hardware
from simbbm.core.choice import Chooser, Polite, Tape, run_seed
from simbbm.core.engine import Engine, RunEnd
from simbbm.core.errors import ScenarioError
from simbbm.core.graph import Ended, Graph, Node
from simbbm.core.system import Move
from simbbm.core.trace import trace_digest
from tests.explore.toys import Toy
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


class Traced:
    """An engine traced as SimPy's guide says ("Monitoring", "Event tracing"), by its own code."""

    def __init__(self, graph: Graph[Any]) -> None:
        self.engine = Engine(graph)
        self.events: list[tuple[float, Any]] = []
        """When it is processed, and each event."""
        self.nodes: list[Node[Any]] = []
        """Before each event."""
        environment: Any = self.engine.environment
        environment.step = self._tracing(environment, environment.step)

    def _tracing(self, env: Any, env_step: Callable[[], None]) -> Callable[[], None]:
        def tracing_step() -> None:
            if len(env._queue):
                time, _, _, event = env._queue[0]
                self.events.append((time, event))
                self.nodes.append(env.node)
            env_step()

        return tracing_step

    def run(self, chooser: Chooser, max_steps: int) -> RunEnd:
        self.events.clear()
        self.nodes.clear()
        return self.engine.run(chooser, max_steps)

    @property
    def moves(self) -> list[tuple[Move, Node[Any]]]:
        """The turns among the events, each with the node in which it was given."""
        pairs = zip(self.events, self.nodes, strict=True)
        return [(e.value, node) for (_, e), node in pairs if isinstance(e.value, Move)]


@pytest.mark.parametrize("hardware", [DELAYED, CONCRETE, EAGER])
def test_states_are_those_that_applying_moves_gives_watched_or_not(hardware: Hardware) -> None:
    alone, traced = Engine(Graph(system(hardware))), Traced(Graph(system(hardware)))
    value = system(hardware)
    digests = (Digests(value), Digests(traced.engine.graph.system))
    traces = set()
    for run in range(700):
        seed = run_seed(1, run)
        end = alone.run(Taped(seed), 200)
        again = traced.run(Taped(seed), 200)
        tape, state = Tape(seed), value.initial()
        for given, node in traced.moves:
            assert digests[0][state] == digests[1][node.state]
            moves = value.moves(state)
            move = moves[tape.below(len(moves))]
            assert move.label == given.label
            state = value.apply(state, move)
        assert len(traced.moves) == end.steps
        assert digests[0][state] == digests[1][again.node.state]
        assert value.digest(state) == alone.graph.system.digest(end.node.state)
        assert end[1:] == again[1:]
        assert end.node.ended is again.node.ended
        traces.add(end.trace)
    assert len(traces) > 300


def test_each_turn_takes_one_unit_of_time_in_a_process_of_its_agent() -> None:
    traced = Traced(Graph(system()))
    environment = traced.engine.environment
    running: list[Any] = []
    follow = traced.engine.graph.follow

    def spy(node: Node[Any], k: int) -> Node[Any]:
        running.append((node.moves[k].agent, environment.active_process))
        return follow(node, k)

    traced.engine.graph.follow = spy  # type: ignore[method-assign]
    end = traced.run(Taped(run_seed(6, 0)), 200)

    assert [*range(1, end.steps + 1)] == [t for t, e in traced.events if isinstance(e.value, Move)]
    assert all(isinstance(process, simpy.Process) for _, process in running)
    assert len(running) == end.steps
    assert len({agent for agent, _ in running}) == len({id(process) for _, process in running})
    assert len(set(running)) == len({agent for agent, _ in running})


def test_schedule_may_be_watched_too() -> None:
    engine = Engine(Graph(system()))
    environment: Any = engine.environment
    seen: list[Any] = []
    schedule = environment.schedule

    def tracing(event: Any, *args: Any, **kwargs: Any) -> None:
        seen.append(event.value)
        schedule(event, *args, **kwargs)

    expected = engine.run(Polite(), 200)
    environment.schedule = tracing

    assert expected == engine.run(Polite(), 200)
    assert expected.trace == trace_digest(m.label for m in seen if isinstance(m, Move))


def test_another_model_is_watched_as_well() -> None:
    toy = Toy({"cpu0": 3, "cpu1": 2, "printer": 1})
    traced = Traced(Graph(toy))
    seen = set()
    for run in range(60):
        end = traced.run(Taped(run_seed(4, run)), 200)
        assert end[1:] == Engine(Graph(toy)).run(Taped(run_seed(4, run)), 200)[1:]
        assert end.node.state == tuple(move.agent for move, _ in traced.moves)
        seen.add(end.node.state)
    assert len(seen) > 20


def test_watching_may_begin_and_end_between_runs() -> None:
    traced, ends = Traced(Graph(system())), []
    environment: Any = traced.engine.environment
    for run in range(40):
        watch = environment.__dict__.pop("step", None) if run % 3 else None
        ends.append(traced.engine.run(Taped(run_seed(2, run // 2)), 200))
        if watch:
            environment.step = watch

    assert [end.trace for end in ends[::2]] == [end.trace for end in ends[1::2]]
    assert traced.events


def test_processes_of_others_share_the_environment() -> None:
    """Somebody who looks every five units of time sees where the run is, and changes nothing."""
    engine = Engine(Graph(system()))
    expected = engine.run(Polite(), 200)
    environment, seen = engine.environment, []

    def look() -> Generator[simpy.Event, Any, None]:
        for _ in range(3):
            yield environment.timeout(5)
            seen.append((environment.now, environment.node))

    environment.process(look())

    assert expected == engine.run(Polite(), 200)
    assert [5, 10, 15] == [now for now, _ in seen]
    assert len({id(node) for _, node in seen}) == 3


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


@pytest.mark.parametrize("make", [Engine, Traced])
def test_mistake_is_raised_as_it_was_and_the_engine_goes_on(make: Callable[..., Any]) -> None:
    wrong = little((("ldr", FLAG), ("msr", "ttbr0_el1", 5)), (("ldr", FLAG),))
    engine = make(Graph(wrong))
    for _ in range(2):
        with pytest.raises(ScenarioError, match="no msr of int to ttbr0_el1") as caught:
            engine.run(Polite(), 200)
        assert "its value is a Ttbr" in (caught.value.hint or "")
    # The reader does nothing wrong.
    assert 1 == engine.run(Polite(cpu=1), 1).steps


class Impatient(Taped):
    """Stops everything at its third choice."""

    def choose(self, node: Node[Any]) -> int:
        self.left = getattr(self, "left", 3) - 1
        if not self.left:
            raise KeyboardInterrupt
        return super().choose(node)


@pytest.mark.parametrize("make", [Engine, Traced])
@pytest.mark.parametrize("where", ["chooser", "agent"])
def test_run_that_is_interrupted_leaves_nothing_behind(
    make: Callable[..., Any], where: str
) -> None:
    graph = Graph(system())
    expected = Engine(graph).run(Taped(b"x"), 200)
    engine = make(Graph(Interrupting(system()) if where == "agent" else system()))
    with pytest.raises(KeyboardInterrupt):
        engine.run(Impatient(b"x") if where == "chooser" else Taped(b"x"), 200)
    for _ in range(2):
        assert expected[1:] == engine.run(Taped(b"x"), 200)[1:]


def test_turn_that_a_watcher_interrupts_is_nobodys_later() -> None:
    expected = Engine(Graph(system())).run(Taped(b"x"), 200)
    engine = Engine(Graph(system()))
    environment: Any = engine.environment
    step, left = environment.step, iter([False] * 9 + [True])

    def watch() -> None:
        if next(left, False):
            raise KeyboardInterrupt
        step()

    environment.step = watch
    with pytest.raises(KeyboardInterrupt):
        engine.run(Taped(b"x"), 200)

    assert environment.peek() < simpy.core.Infinity
    for _ in range(2):
        assert expected[1:] == engine.run(Taped(b"x"), 200)[1:]


class Interrupting:
    """A system in which the third move is interrupted, once."""

    def __init__(self, system: Any) -> None:
        self.system = system
        self.left = 3

    def __getattr__(self, name: str) -> Any:
        return getattr(self.system, name)

    def apply(self, state: Any, move: Move) -> Any:
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt
        return self.system.apply(state, move)


def test_tape_is_the_same_on_every_python() -> None:
    tape = Tape(run_seed(0, 0))

    assert [87, 22, 48, 77, 80, 32] == [tape.below(100) for _ in range(6)]
    assert all(0 <= tape.below(n) < n for n in range(1, 2_000))
