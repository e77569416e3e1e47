"""Campaigns whose processes are killed at random, and what is left of them: `nox -s faults`.

Orchestrator and workers are killed by SIGKILL at random moments, again and again, and the campaign
is gone on with. In the end its report has to have the bytes of one that nothing happened to, and no
row may be lost in between.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

from simbbm.campaign.stored.plan import read_plan
from simbbm.campaign.stored.store import Store
from simbbm.core.errors import UsageError

SIMBBM = (sys.executable, "-m", "simbbm")
PLAN = """\
seed = 3
runs = {runs}
batch = 100

[[sweep]]
scenarios = ["bbm_minimal::good"]
twins = true
stop = "never"

[[sweep]]
scenarios = ["bbm_minimal::no_invalidation"]
strategies = ["pos"]
"""


class Killed(NamedTuple):
    """What has become of a campaign."""

    kills: int
    reports: tuple[bytes, bytes]
    """Of the one that was killed, and of the other."""
    lost: int
    """Rows that were there once, and later were not."""


def campaign(store: Path, plan: Path, *more: str) -> subprocess.Popen[bytes]:
    """Begin, or go on."""
    command = [*SIMBBM, "campaign", "run", str(plan), "--store", str(store), "-j", "2", *more]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, stdout=quiet, stderr=quiet, start_new_session=True)


def report(store: Path) -> bytes:
    """The report of a campaign."""
    command = [*SIMBBM, "campaign", "report", str(store), "--json"]
    return subprocess.run(command, capture_output=True, check=False).stdout


def rows(store: Path, plan: Path) -> int:
    """How many runs are kept."""
    try:
        with Store.reading(store) as kept:
            return sum(kept.sum(arm)[0] for arm in range(len(read_plan(plan).arms)))
    except UsageError:
        return 0  # it has not begun


def workers_of(parent: int) -> list[int]:
    """The processes that a process has started, and those that these have."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            child = int(path.parent.name)
            found += [child, *workers_of(child)]
    return found


def killed(folder: Path, kills: int, seed: int, runs: int, most: float = 3.0) -> Killed:
    """Run a campaign that is killed so often, and another one in peace."""
    plan = folder / "plan.toml"
    plan.write_text(PLAN.format(runs=runs))
    random = Random(seed)
    made, lost, before = 0, 0, 0
    while made < kills and before < _all(plan):
        process = campaign(folder / "a.db", plan)
        for victim in _victims(process, random, kills - made, most):
            try:
                os.kill(victim, signal.SIGKILL)
            except ProcessLookupError:
                continue
            made += 1
        process.wait()
        now = rows(folder / "a.db", plan)
        lost += max(0, before - now)
        before = now
    for store in ("a.db", "b.db"):
        campaign(folder / store, plan).wait()
    return Killed(made, (report(folder / "a.db"), report(folder / "b.db")), lost)


def _victims(
    process: subprocess.Popen[bytes], random: Random, left: int, most: float
) -> Iterator[int]:
    """Whom to kill next, each after a while; the last is the orchestrator, if it has not ended."""
    for _ in range(min(left - 1, random.randrange(3))):
        time.sleep(random.uniform(0, most))
        workers = workers_of(process.pid)
        if process.poll() is not None:
            return
        if workers:
            yield random.choice(workers)
    time.sleep(random.uniform(0, most))
    if process.poll() is None:
        yield process.pid


def _all(plan: Path) -> int:
    return sum(arm.runs or 0 for arm in read_plan(plan).arms)


def main() -> None:
    """Kill campaigns until that many processes were killed; end with 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=int, default=20_000)
    asked = parser.parse_args()
    made = wrong = 0
    while made < asked.kills:
        with tempfile.TemporaryDirectory() as folder:
            found = killed(Path(folder), min(40, asked.kills - made), asked.seed, asked.runs)
        same = found.reports[0] == found.reports[1] != b""
        made, wrong, asked.seed = made + found.kills, wrong + (not same), asked.seed + 1
        wrong += found.lost > 0
        told = f"{made} kills, {found.lost} rows lost, reports {'equal' if same else 'DIFFER'}"
        print(told, flush=True)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
