"""A campaign that is kept beside a bare loop of its runs, in CPU time; and what it leaves.

Wanted: at most 5 % more than the loop, and less than 50 MB for 1,000,000 runs.
`--memory` makes 1,000,000 runs with one worker, and prints how large that gets meanwhile.
"""

from __future__ import annotations

import argparse
import gc
import pickle
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from simbbm import discovery
from simbbm.campaign import chunks
from simbbm.campaign.stored.conduct import conduct
from simbbm.campaign.stored.plan import parsed, planned
from simbbm.campaign.stored.store import Store
from simbbm.explore.runs.run import Runner
from simbbm.model import Model

ID, PARAMS, RUNS, ROUNDS = "linear_map_split::good", "cpus = 3, layout = 'mixed'", 20_000, 4
WANTED = 1.05
PLAN = """\
runs = {runs}
[[sweep]]
scenarios = ["{id}"]
params = {{ {params} }}
"""


class Here(Executor):
    """An executor that does everything at once in this process, whose CPU time is then all of it.

    What would go through a pipe is pickled, there and back.
    """

    def submit(self, function: Callable[..., Any], /, *args: Any) -> Future[Any]:  # type: ignore[override]  # no keywords
        """Call a function now."""
        answer = Future[Any]()
        function, args = pickle.loads(pickle.dumps((function, args)))
        answer.set_result(pickle.loads(pickle.dumps(function(*args))))
        return answer


def campaign(folder: Path) -> float:
    """CPU seconds of a campaign that is kept."""
    began = time.process_time()
    text = PLAN.format(runs=RUNS, id=ID, params=PARAMS)
    plan = planned(parsed(text, "plan.toml"))
    with Store.writing(folder / "plan.db", plan) as store:
        ending = conduct(plan, store, Here(), 1)
    assert ending.complete
    return time.process_time() - began


def loop() -> float:
    """CPU seconds of its runs alone."""
    began = time.process_time()
    runner = Runner(Model(discovery.find(ID), {"cpus": 3, "layout": "mixed"}), "default", 0)
    for number in range(RUNS):
        runner.play(runner.chooser(number))
    return time.process_time() - began


def overhead() -> None:
    """Compare both, in turn, each as often before the other as after it."""
    pairs = []
    for number in range(ROUNDS):
        with TemporaryDirectory() as folder:
            both: list[tuple[str, Callable[[], float]]] = [
                ("loop", loop),
                ("campaign", partial(campaign, Path(folder))),
            ]
            taken = {name: _alone(f) for name, f in (both if number % 2 else both[::-1])}
            size = Path(folder, "plan.db").stat().st_size
        pairs.append((taken["loop"], taken["campaign"]))
    ratio = median(kept / bare for bare, kept in pairs)
    bare, kept = (median(pair[i] for pair in pairs) for i in (0, 1))
    print(f"{RUNS:,} runs of {ID}: loop {bare:.1f} s, campaign {kept:.1f} s of CPU")
    print(f"ratio {ratio:.3f} (wanted: <= {WANTED}); the store has {size / 1e6:.1f} MB")


def _alone(measured: Callable[[], float]) -> float:
    """Measure what finds nothing of another one's, neither machines nor garbage."""
    chunks._kept.clear()
    gc.collect()
    return measured()


def memory() -> None:
    """Make very many runs of something small, and look at the worker meanwhile."""
    with TemporaryDirectory() as folder:
        plan = Path(folder, "plan.toml")
        params = "noabort = 'none'"
        plan.write_text(PLAN.format(runs=1_000_000, id="bbm_minimal::good", params=params))
        command = [sys.executable, "-m", "simbbm", "campaign", "run", str(plan), "-j", "1"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None:
            time.sleep(15)
            sizes = sorted(_sizes(process.pid))
            print(f"{time.process_time():.0f} RSS in MiB: {', '.join(f'{s:.0f}' for s in sizes)}")
        print(f"the store has {Path(folder, 'plan.db').stat().st_size / 1e6:.1f} MB")


def _sizes(parent: int) -> list[float]:
    """The sizes of a process and all below it."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            fields = (path / "stat").read_text().rpartition(")")[2].split()
            size = int((path / "statm").read_text().split()[1]) * resource.getpagesize() / 2**20
        except OSError:
            continue
        if int(path.name) == parent:
            found.append(size)
        elif int(fields[1]) == parent:
            found += _sizes(int(path.name))
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memory", action="store_true")
    memory() if parser.parse_args().memory else overhead()
