"""The same campaign gives the same bytes: in other processes, under any hash seed, at any time."""

from __future__ import annotations

import os
import subprocess
import sys

PROGRAM = """
import sys
from simbbm import discovery
from simbbm.explore.runs.run import Runner
from simbbm.explore.witness.recording import token, witness_of
from simbbm.model import Model
import msgspec

for name in ("good", "no_invalidation"):
    model = Model(discovery.find("bbm_minimal::" + name))
    for strategy in ("default", "pct:depth=4"):
        runner = Runner(model, strategy, 0x2A)
        for number in map(int, sys.argv[1:]):
            print(runner.play(runner.chooser(number)).outcome)
    witness = witness_of(model, "default", 0x2A, 3)
    print(msgspec.json.encode(witness), token(witness))
"""
NUMBERS = [str(n) for n in range(40)]


def output(hash_seed: str, numbers: list[str]) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, *numbers],
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_hash_seeds_and_processes_change_nothing() -> None:
    outputs = [output(seed, NUMBERS) for seed in ("0", "1", "42", "random")]
    assert len(outputs[0]) == 2 * (2 * len(NUMBERS) + 1)
    assert all(outputs[0] == other for other in outputs)


def test_the_order_of_runs_changes_nothing() -> None:
    assert sorted(output("0", NUMBERS)) == sorted(output("0", NUMBERS[::-1]))
