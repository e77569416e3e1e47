"""Steps per second of this checkout in terms of another's: `paired_steps.py ANOTHER_CHECKOUT`.

Each has its own `.venv`. Processes take turns, and a ratio is the median of the pairs' ratios, so
that what else the machine does meets both alike.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from statistics import median

HERE = Path(__file__).parents[2]
PAIRS = 7
MEASURE = """
import json, sys
from time import perf_counter
sys.path.insert(0, "tests/bench")
from bench_steps import new_runner

def speed(runner, numbers, began):
    steps = sum(runner.engine.run(runner.chooser(n), 100_000).steps for n in numbers)
    return steps / (perf_counter() - began)

speeds = {}
for strategy in ("random", "default"):
    for runs in (100, 1_000):
        began = perf_counter()
        speeds[f"{strategy}, cold, first {runs} runs"] = speed(
            new_runner(strategy), range(runs), began
        )
    runner = new_runner(strategy)
    speed(runner, range(3_000), 0)
    speeds[f"{strategy}, warm"] = speed(runner, range(3_000, 3_600), perf_counter())
print(json.dumps(speeds))
"""


def measure(root: Path) -> dict[str, float]:
    """One process that measures the checkout at `root`."""
    command = [str(root / ".venv" / "bin" / "python"), "-c", MEASURE]
    speeds: dict[str, float] = json.loads(subprocess.check_output(command, cwd=root))
    return speeds


def main() -> None:
    """Measure in turn, and print the table."""
    other = Path(sys.argv[1])
    pairs = [(measure(HERE), measure(other)) for _ in range(PAIRS)]
    print(f"{'':32}{'here':>12}{'there':>12}{'ratio':>8}")
    for name in pairs[0][0]:
        here, there = (median(pair[i][name] for pair in pairs) for i in (0, 1))
        ratio = median(a[name] / b[name] for a, b in pairs)
        print(f"{name:32}{here:12,.0f}{there:12,.0f}{ratio:8.2f}")


if __name__ == "__main__":
    main()
