"""Cold time to a counterexample beside Spin's: whole processes, in turn.

The rival is real: `park_and_split.pml` says in Promela what `park_and_split.py` says to simbbm, and
pan has as many states and transitions as an unreduced search, of the protocol and of its mutant m10
(`counts`, `pan`; also tests/explore/test_against_spin.py). Spin's time is that of `spin -a`, the C
compiler and pan, at the level of optimisation that is best for it; with
`-w16`, since pan's default table of states takes 0.1 s to allocate.

`simbbm explore` also plays the counterexample again, writes it down, and says what it needs and how
likely it is; *the nearest* is the search alone, in a process of its own. What is compared is the
same protocol. The whole one, `linear_map_split::m10_no_dsb_after_tlbi`, has no rival: it stands
beside it. Modules are compiled: the first round, which is not counted, writes .pyc files even if
PYTHONDONTWRITEBYTECODE is set.

Skipped where Debian's `spin` or a C compiler is missing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import NamedTuple

from simbbm import discovery
from simbbm.check.verdict import Verdict
from simbbm.explore.search.breadth_first import Search
from simbbm.explore.search.reductions.reduced_system import ReducedSystem
from simbbm.model import Model

HERE = Path(__file__).resolve().parent
PROMELA, SCENARIO = HERE / "park_and_split.pml", HERE / "park_and_split.py"
MODELS = {"good": (), "no_dsb_after_tlbi": ("-DM10",)}
"""The protocol and its mutant: a scenario's name, and what the Promela model is told."""
ROUNDS = 5
CPUS = 3
WANTED = 0.6
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
SIMBBM = str(Path(sys.executable).with_name("simbbm"))
NEAREST = """
import sys
from simbbm import discovery
from simbbm.explore.search.breadth_first import Search
from simbbm.explore.search.reductions.reduced_system import ReducedSystem
from simbbm.model import Model
model = Model(discovery.find(sys.argv[1]), {"cpus": int(sys.argv[2])})
[failure] = Search(ReducedSystem(model.system, symmetry=True, ample=False)).run().failures
print(failure.verdict)
"""


class Counts(NamedTuple):
    """How large a graph of states is."""

    states: int
    transitions: int


class Time(NamedTuple):
    """Seconds that processes took."""

    wall: float
    cpu: float


def missing() -> str:
    """What is not there and has to be; empty if everything is."""
    absent = [name for name in ("spin", "cc") if shutil.which(name) is None]
    return f"{' and '.join(absent)} not found (Debian: apt-get install spin gcc)" if absent else ""


def counts(name: str, cpus: int) -> Counts:
    """Our graph, searched without reductions, past every violation."""
    system = Model(discovery.find(f"{SCENARIO}::{name}"), {"cpus": cpus}).system
    nothing = frozenset({(Verdict.STUCK, "nothing")})
    found = Search(ReducedSystem(system, symmetry=False, ample=False), wanted=nothing).run()
    assert found.complete
    return Counts(found.states, found.transitions)


def pan(name: str, cpus: int, folder: str) -> Counts:
    """Pan's graph, without reductions; it counts the initial state as a transition."""
    build(name, cpus, folder, "-O0", "-DNOREDUCE", model=("-DWHOLE",))
    done = subprocess.run(["./pan"], cwd=folder, check=True, capture_output=True, text=True)
    found = {
        kind: int(line.split()[0])
        for line in done.stdout.splitlines()
        for kind in ("states, stored", "transitions (=")
        if kind in line
    }
    return Counts(found["states, stored"], found["transitions (="] - 1)


def build(
    name: str, cpus: int, folder: str, *options: str, model: tuple[str, ...] = ()
) -> list[list[str]]:
    """Make pan; return the commands."""
    commands = [
        ["spin", f"-DN={cpus}", *MODELS[name], *model, "-a", str(PROMELA)],
        ["cc", "-w", "-DSAFETY", *options, "-o", "pan", "pan.c"],
    ]
    for command in commands:
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return commands


def timed(commands: list[list[str]], folder: str, said: str) -> Time:
    """How long these take one after the other; the last has to have said something."""
    began, before = perf_counter(), os.times()
    for command in commands:
        done = subprocess.run(
            command, cwd=folder, env=ENVIRONMENT, check=True, capture_output=True, text=True
        )
    after = os.times()
    assert said in done.stdout, done.stdout
    user = after.children_user - before.children_user
    return Time(perf_counter() - began, user + after.children_system - before.children_system)


def measured(folder: str) -> dict[str, tuple[list[list[str]], str]]:
    """What is measured: commands, and what the last of them says."""
    name, whole = "no_dsb_after_tlbi", "linear_map_split::m10_no_dsb_after_tlbi"
    twin = f"{SCENARIO}::{name}"
    spin = {
        f"spin, cc {level}, pan": (
            [*build(name, CPUS, folder, level), ["./pan", "-w16"]],
            "violated",
        )
        for level in ("-O0", "-O2")
    }
    explore = {
        "the same: simbbm explore": [SIMBBM, "explore", twin, "-p", f"cpus={CPUS}"],
        "the same: the nearest": [sys.executable, "-c", NEAREST, twin, str(CPUS)],
        "m10: simbbm explore": [SIMBBM, "explore", whole],
        "m10: cpus=2 layout=pmd": [SIMBBM, "explore", whole, "-p", "cpus=2", "-p", "layout=pmd"],
        "m10: the nearest": [sys.executable, "-c", NEAREST, whole, str(CPUS)],
    }
    return spin | {n: ([command], "VIOLATED") for n, command in explore.items()}


def main() -> None:
    """Compare the graphs, measure, and print the table."""
    if reason := missing():
        print(f"skipped: {reason}")
        return
    with TemporaryDirectory() as folder:
        for name in MODELS:
            for cpus in (2, 3, 4):
                ours, theirs = counts(name, cpus), pan(name, cpus, folder)
                assert ours == theirs, (name, cpus, ours, theirs)
                states = f"{ours.states:,} states, {ours.transitions:,} transitions"
                print(f"{name} cpus={cpus}: {states}, pan's are as many")
        each = measured(folder)
        rounds = [
            {n: timed(c, folder, s) for n, (c, s) in each.items()} for _ in range(1 + ROUNDS)
        ][1:]  # The first writes .pyc files.
    print(f"\ncpus={CPUS}, Python {sys.version.split()[0]}, medians of {ROUNDS} rounds; wanted of")
    print(f"`the same: simbbm explore` is at most {WANTED} of Spin's best\n")
    print(f"{'':36}{'wall ms':>9}{'CPU ms':>9}{'wall':>8}{'CPU':>8}")
    for name in each:
        wall, cpu = (median(r[name][i] for r in rounds) * 1e3 for i in (0, 1))
        ratios = [median(r[name][i] / best(r, i) for r in rounds) for i in (0, 1)]
        print(f"{name:36}{wall:9.0f}{cpu:9.0f}{ratios[0]:8.2f}{ratios[1]:8.2f}")


def best(measured: dict[str, Time], i: int) -> float:
    """Spin's best time in a round: wall or CPU."""
    return min(time[i] for name, time in measured.items() if name.startswith("spin"))


if __name__ == "__main__":
    main()
