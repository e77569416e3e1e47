"""Litmus states per second, beside bare SimPy timeouts in the same interpreter."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from statistics import median

import simpy

from simbbm.litmus.notation.reader import read_file
from simbbm.litmus.run import run

ROUNDS = 3
TIMEOUTS = 200_000
OWN = Path(__file__).parents[1] / "litmus" / "own"


def litmus_states(files: list[Path]) -> tuple[int, float]:
    """States of all tests, and seconds."""
    tests = [line.test for file in files for line in read_file(file) if line.test]
    start = time.perf_counter()
    states = sum(run(test).states for test in tests)
    return states, time.perf_counter() - start


def simpy_timeouts() -> tuple[int, float]:
    """Bare timeouts of one process, and seconds."""
    environment = simpy.Environment()

    def ticks() -> simpy.events.ProcessGenerator:
        for _ in range(TIMEOUTS):
            yield environment.timeout(1)

    environment.process(ticks())
    start = time.perf_counter()
    environment.run()
    return TIMEOUTS, time.perf_counter() - start


def main() -> None:
    """Print the table."""
    files = [Path(name) for name in sys.argv[1:]] or sorted(OWN.glob("*.jsonl"))
    rates: dict[str, list[float]] = {"SimPy timeouts": [], "litmus states": []}
    for _ in range(ROUNDS):
        for name, (count, seconds) in {
            "SimPy timeouts": simpy_timeouts(),
            "litmus states": litmus_states(files),
        }.items():
            rates[name].append(count / seconds)
    base = median(rates["SimPy timeouts"])
    print(f"{'':24}{'per second':>12}{'ratio':>8}")
    for name, found in rates.items():
        print(f"{name:24}{median(found):>12,.0f}{median(found) / base:>8.2f}")


if __name__ == "__main__":
    main()
