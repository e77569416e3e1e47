"""Replays in other processes: under another hash seed, by another Python, in another order."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from simbbm.explore.runs.run import Runner
from simbbm.explore.witness.recording import token, witness_from
from simbbm.model import Model
from simbbm.scenario import Scenario

ROOT = Path(__file__).parent.parent.parent
HASH_SEEDS = ("0", "1", "42", "random")
PYTHONS = ("3.11", "3.12", "3.13", "3.14")

PROGRAM = """
import sys
from simbbm import discovery
from simbbm.explore.runs.replay import model_of, replay
from simbbm.explore.witness.recording import from_token

known = {}
for line in sys.stdin:
    witness = from_token(line)
    name = witness.scenario
    if name not in known:
        known = {name: model_of(witness, discovery.find(name))}
    result = replay(witness, known[name])
    print(result.result, result.how, result.digest, result.steps)
"""


class Recorded(NamedTuple):
    """A token, and what a replay of it must say."""

    token: str
    says: str


def record(scenarios: Iterable[Scenario], runs: int, seed: int) -> list[Recorded]:
    """The first runs of each scenario, whatever their verdict."""
    found = []
    for scenario in scenarios:
        runner = Runner(Model(scenario), "default", seed)
        for number in range(runs):
            run = runner.play(runner.chooser(number), record=True)
            says = f"REPRODUCED exact {run.digest} {run.steps}"
            found.append(Recorded(token(witness_from(run)), says))
    return found


def replayed(
    recorded: Sequence[Recorded], hash_seed: str, workers: int = 1, python: str = sys.executable
) -> list[str]:
    """What replays say, in order, when so many processes share them."""
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    shards = [recorded[n::workers] for n in range(workers)]
    processes = [
        subprocess.Popen(
            [python, "-B", "-W", "error", "-c", PROGRAM],
            env=environment,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in shards
    ]
    said = [""] * len(recorded)
    for n, (process, shard) in enumerate(zip(processes, shards, strict=True)):
        output, _ = process.communicate("".join(f"{one.token}\n" for one in shard))
        assert process.returncode == 0
        said[n::workers] = output.splitlines()
    return said


def missing(python: str) -> str | None:
    """Say why a Python cannot run replays: it is not here, or lacks what they need."""
    command = [python, "-c", "import msgspec, simpy"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return f"{python} is not here"
    if done.returncode == 0:
        return None
    return f"{python} cannot be used: {(done.stderr.splitlines() or ['?'])[-1]}"
