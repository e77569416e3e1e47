"""stop_machine's rendezvous and the polls of the flag are SimPy events, traced SimPy's way."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from simbbm import discovery
from simbbm.core.choice import Polite, run_seed
from simbbm.core.engine import Engine
from simbbm.core.graph import Graph
from simbbm.core.system import Move
from simbbm.explore.strategies.named import strategy
from simbbm.model import Model

PAGE = Path(__file__).parents[2] / "simbbm/guide/python.md"
PARAMS = {"layout": "pages", "cpus": 3}


def trace(env: Any, callback: Callable[[float, Any], None]) -> None:
    """Call this before each event is processed: event tracing, of SimPy's guide "Monitoring"."""
    env_step = env.step

    @wraps(env_step)
    def tracing_step() -> None:
        if len(env._queue):
            t, _prio, _eid, event = env._queue[0]
            callback(t, event)
        env_step()

    env.step = tracing_step


def engine_of(scenario_id: str) -> Engine[Any]:
    return Engine(Graph(Model(discovery.find(scenario_id), PARAMS).system))


def traced(engine: Engine[Any]) -> list[tuple[float, str, str]]:
    """Time, agent and label of every turn that the engine will give from now on."""
    events: list[tuple[float, str, str]] = []

    def note(t: float, event: Any) -> None:
        if isinstance(event.value, Move):
            events.append((t, event.value.agent, event.value.label))

    trace(engine.environment, note)
    return events


def test_rendezvous_and_polls_are_events() -> None:
    engine = engine_of("linear_map_split::good")
    expected = engine.run(Polite(), 10_000)
    events = traced(engine)
    assert expected == engine.run(Polite(), 10_000)
    assert expected.steps == len(events)

    for agent in ("cpu0", "cpu1", "cpu2"):
        labels = [label for _, who, label in events if who == agent]
        waits = [
            label
            for label in labels
            if label.startswith(f"{agent}:cpu_stopper_work/multi_cpu_stop.wait")
        ]
        acks = [label for label in labels if f"{agent}:multi_cpu_stop/ack_state" in label]
        assert len(waits) >= 3
        assert 4 == len(acks)
    # All are counted in before anybody's interrupts are off: MULTI_STOP_PREPARE comes first.
    first_acks = [t for t, _, label in events if label.endswith("multi_cpu_stop/ack_state.ldaddal")]
    masked = [t for t, _, label in events if label.endswith("multi_cpu_stop.daifset")]
    assert 3 == len(first_acks) == len(masked)
    assert max(first_acks) < min(masked)


def test_polls_of_the_flag_come_between_its_two_stores() -> None:
    engine = engine_of("linear_map_split::good")
    events = traced(engine)
    engine.run(Polite(), 10_000)

    polls = [t for t, who, label in events if who != "cpu0" and "wait_for_zero.ldxr" in label]
    cleared = [t for t, who, _ in events if who == "cpu0.drain[flag]"]
    assert len(polls) >= 4
    assert {"cpu1", "cpu2"} == {who for _, who, label in events if "wait_for_zero.ldxr" in label}
    assert 2 == len(cleared)
    assert cleared[0] < min(polls) < cleared[1] < max(polls)


def test_every_strategy_runs_the_same_watched() -> None:
    """Another model with other agents, and a failure."""
    for scenario_id in ("linear_map_split::good", "stuck_cpu::stuck_cpu"):
        scenario = discovery.find(scenario_id)
        alone, watched = (Engine(Graph(Model(scenario).system)) for _ in range(2))
        events = traced(watched)
        for number in range(12):
            plan, seed = strategy("default"), run_seed(3, number)
            expected = alone.run(plan.chooser(seed, number), 2_000)
            events.clear()
            assert expected[1:] == watched.run(plan.chooser(seed, number), 2_000)[1:]
            assert expected.steps == len(events)


def test_what_the_page_shows_is_what_it_prints(capsys: pytest.CaptureFixture[str]) -> None:
    text = PAGE.read_text(encoding="utf-8").partition("## Watch it as SimPy events")[2]
    code, _, after = text.partition("```python")[2].partition("```")
    exec(code, {})

    printed = capsys.readouterr().out.splitlines()
    told = after.partition("from `")[2].partition("`")[0]
    assert told == printed[0]
    assert all("multi_cpu_stop" in line for line in printed)
