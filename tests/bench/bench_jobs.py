"""`-j 2` beside `-j 1`, in turn: one campaign with all that it costs, and the whole of `check`.

Every worker builds a machine of its own and comes to know its states by itself: a small campaign
spends a good part of its time on that, with one worker as with two. `check` searches scenarios side
by side, each in a process that starts cold. The machine has to be idle; where it is not quite,
"best" (the quickest of each over all rounds) is nearer to the truth.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from simbbm.campaign.processes import available_cpus
from simbbm.campaign.stress import StressRequest, StressResult, stress

ROUNDS = {10_000: 7, 100_000: 3}
"""How many rounds for campaigns of how many runs."""
WANTED = 1.8
CHECK = [str(Path(sys.executable).with_name("simbbm")), "check"]
CHECKS = 3


def campaign(runs: int, jobs: int) -> StressResult:
    """Run the campaign on that many workers."""
    request = StressRequest(
        scenario_id="linear_map_split::good",
        params={"layout": "mixed", "cpus": 3},
        runs=runs,
        jobs=jobs,
    )
    return stress(request)


def check(jobs: int, folder: str) -> float:
    """How long the whole of `simbbm check` takes."""
    began = perf_counter()
    subprocess.run([*CHECK, "-j", str(jobs)], cwd=folder, check=True, capture_output=True)
    return perf_counter() - began


def main() -> None:
    """Measure, and print the tables."""
    campaigns()
    with TemporaryDirectory() as folder:
        rounds = [(check(1, folder), check(2, folder)) for _ in range(CHECKS)]
    one, two = (median(pair[i] for pair in rounds) for i in (0, 1))
    ratio = median(a / b for a, b in rounds)
    best = min(a for a, _ in rounds) / min(b for _, b in rounds)
    print(f"{'check':>9}{CHECKS:11}{one:11.2f}{two:11.2f}{ratio:11.2f}{best:11.2f}")


def campaigns() -> None:
    """Measure campaigns, and print their table."""
    print(f"linear_map_split::good, {available_cpus()} CPUs here, ratio wanted: >= {WANTED}")
    names = "rounds", "s, -j 1", "s, -j 2", "ratio", "best", "steps/s 2"
    print(f"{'runs':>9}" + "".join(f"{name:>11}" for name in names))
    for runs, count in ROUNDS.items():
        rounds = [(campaign(runs, 1), campaign(runs, 2)) for _ in range(count)]
        one, two = (median(pair[i].seconds for pair in rounds) for i in (0, 1))
        ratio = median(a.seconds / b.seconds for a, b in rounds)
        best = min(a.seconds for a, _ in rounds) / min(b.seconds for _, b in rounds)
        speed = rounds[0][0].steps / two
        print(f"{runs:9,}{count:11}{one:11.2f}{two:11.2f}{ratio:11.2f}{best:11.2f}{speed:11,.0f}")
        assert len({result.digest for pair in rounds for result in pair}) == 1


if __name__ == "__main__":
    main()
