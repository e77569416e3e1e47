"""Small commands beside Python importing what they stand on: whole processes, in turn."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

ROUNDS = 21
SIMBBM = str(Path(sys.executable).with_name("simbbm"))
TWIN = "linear_map_split::m01_only_boot_cpu_runs_fn"
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "python -c 'import simpy'": [sys.executable, "-c", "import simpy"],
    "simbbm --version": [SIMBBM, "--version"],
    "simbbm run bbm_minimal::good": [SIMBBM, "run", "bbm_minimal::good"],
    "simbbm run linear_map_split::good": [SIMBBM, "run", "linear_map_split::good"],
    "simbbm check (a shallow twin)": [SIMBBM, "check", TWIN],
    "python -c 'import simpy, click, rich'": [sys.executable, "-c", "import simpy, click, rich"],
}
SHOW = "simbbm show (after explore)"
WANTED = {"simbbm run bbm_minimal::good": 3.0, "simbbm check (a shallow twin)": 4.0, SHOW: 2.0}
BASE = "python -c 'import simpy'"
BASES = {SHOW: "python -c 'import simpy, click, rich'"}
"""What a command is compared with, if it is not `BASE`."""


def seconds(command: list[str], folder: str) -> float:
    """How long a process takes, from its start to its end."""
    began = perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return perf_counter() - began


def main() -> None:
    """Measure, and print the table."""
    with TemporaryDirectory() as folder:
        seconds([SIMBBM, "explore", TWIN], folder)
        (witness,) = Path(folder, ".simbbm", "witness").glob("*.json")
        commands = COMMANDS | {SHOW: [SIMBBM, "show", str(witness)]}
        for command in commands.values():
            seconds(command, folder)
        rounds = [{n: seconds(c, folder) for n, c in commands.items()} for _ in range(ROUNDS)]
    print(f"Python {sys.version.split()[0]}, medians of {ROUNDS} rounds")
    print(f"{'':36}{'ms':>8}{'ratio':>8}{'wanted':>10}")
    for name in commands:
        taken = median(r[name] for r in rounds) * 1e3
        ratio = median(r[name] / r[BASES.get(name, BASE)] for r in rounds)
        wanted = f"<= {WANTED[name]}" if name in WANTED else ""
        print(f"{name:36}{taken:8.0f}{ratio:8.2f}{wanted:>10}")


if __name__ == "__main__":
    main()
