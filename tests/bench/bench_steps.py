"""Steps per second of the whole model under SimPy, beside bare SimPy timeouts per second.

Everything is measured in turn, round after round, in one interpreter; a ratio is the median of the
rounds' ratios. A step is one applied move. "cold" starts each measurement with a new machine, which
knows neither programs nor states; "warm" has made many runs before.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

import simpy

from simbbm import discovery
from simbbm.explore.runs.run import Runner
from simbbm.model import Model

ROUNDS = 7
TIMEOUTS = 150_000
WARM_RUNS, WARM_UP = 600, 4_000
PARAMS = {"layout": "mixed", "cpus": 3}
WANTED = {"random": 1.2, "default": 0.8}
"""Steps of the whole model for each bare timeout, at least, when warm."""


class Measured(NamedTuple):
    """What was counted, and in how many seconds."""

    done: int
    seconds: float


def timeouts() -> Measured:
    """Bare SimPy: four processes that wait for one timeout after the other."""
    environment = simpy.Environment()

    def ping() -> Generator[simpy.Event, None, None]:
        while True:
            yield environment.timeout(1)

    for _ in range(4):
        environment.process(ping())
    began = perf_counter()
    for _ in range(TIMEOUTS):
        environment.step()
    return Measured(TIMEOUTS, perf_counter() - began)


def new_runner(strategy: str) -> Runner:
    """A machine that has run nothing."""
    return Runner(Model(discovery.find("linear_map_split::good"), PARAMS), strategy, seed=0)


def steps(runner: Runner, numbers: range) -> Measured:
    """Make these runs; their choosers count."""
    run = runner.engine.run
    began = perf_counter()
    count = sum(run(runner.chooser(n), runner.max_steps).steps for n in numbers)
    return Measured(count, perf_counter() - began)


def cold(strategy: str, runs: int) -> Measured:
    """Make runs on a new machine; building it counts."""
    began = perf_counter()
    runner = new_runner(strategy)
    count = steps(runner, range(runs)).done
    return Measured(count, perf_counter() - began)


def restarts(runner: Runner) -> Measured:
    """Runs of no step: what a run costs besides its steps."""
    began = perf_counter()
    for number in range(WARM_RUNS):
        runner.engine.run(runner.chooser(number), 0)
    return Measured(WARM_RUNS, perf_counter() - began)


class Warm:
    """A warm machine; every measurement goes on with run numbers that it has not made yet."""

    def __init__(self, strategy: str) -> None:
        self.runner = new_runner(strategy)
        self.next = WARM_UP
        steps(self.runner, range(WARM_UP))

    def __call__(self) -> Measured:
        """Measure some more runs."""
        first, self.next = self.next, self.next + WARM_RUNS
        return steps(self.runner, range(first, self.next))


class Watched(Warm):
    """The same with somebody who watches, so that turns go through SimPy's queue."""

    def __init__(self, strategy: str) -> None:
        super().__init__(strategy)
        environment: Any = self.runner.engine.environment
        environment.step = partial(environment.step)


def main() -> None:
    """Measure, and print the table."""
    rows: dict[str, Callable[[], Measured]] = {"bare SimPy timeouts, 4 processes": timeouts}
    for strategy in WANTED:
        rows[f"{strategy}, warm"] = Warm(strategy)
        rows[f"{strategy}, warm, watched"] = Watched(strategy)
        for runs in (10, 100, 1_000):
            rows[f"{strategy}, cold, first {runs} runs"] = partial(cold, strategy, runs)
    # Rows of one round follow one another closely, so that a ratio compares like with like.
    rounds = [{name: row() for name, row in rows.items()} for _ in range(ROUNDS)]
    speeds = [{name: m.done / m.seconds for name, m in measured.items()} for measured in rounds]
    bare = next(iter(rows))
    print(f"Python {sys.version.split()[0]}, linear_map_split::good, {PARAMS}, {ROUNDS} rounds")
    print(f"{'':40}{'per second':>14}{'ratio':>8}{'wanted':>10}")
    for name in rows:
        speed = median(s[name] for s in speeds)
        ratio = median(s[name] / s[bare] for s in speeds)
        strategy, _, warmth = name.partition(", ")
        wanted = f">= {WANTED[strategy]}" if warmth == "warm" else ""
        print(f"{name:40}{speed:14,.0f}{ratio:8.2f}{wanted:>10}")
    for strategy in WANTED:
        runner = new_runner(strategy)
        taken = [restarts(runner) for _ in range(ROUNDS)]
        cost = median(m.seconds / m.done for m in taken) * 1e6
        print(f"a run without a step, {strategy}: {cost:.1f} us")


if __name__ == "__main__":
    main()
