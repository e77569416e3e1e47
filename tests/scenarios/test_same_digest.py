"""Same seed, same digest: in every process, under every hash seed, on every Python that is here."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from simbbm.arm64 import rows
from simbbm.core.trace import trace_digest
from simbbm.explore.runs.play import Run
from simbbm.explore.runs.run import Runner
from simbbm.model import Model
from tests.scenarios.everything import GOOD

ROOT = Path(__file__).parent.parent.parent
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
HASH_SEEDS = ("0", *(pytest.param(s, marks=pytest.mark.quality) for s in ("1", "42")), "random")

# Uses nothing but the standard library and the model: any Python can run it, also one into which
# nothing is installed.
PROGRAM = """
from simbbm import discovery
from simbbm.core.choice import run_seed
from simbbm.core.graph import Graph
from simbbm.core.trace import trace_digest
from simbbm.explore.strategies.pct import Pct
from simbbm.explore.strategies.random_walk import RandomWalk
from simbbm.model import Model

for name, params in (
    ("linear_map_split::good", {}),
    ("linear_map_split::good", {"cpus": 4, "layout": "contpmd", "flush": "pages", "ets2": "yes"}),
    ("linear_map_split::good", {"cpus": 2, "layout": "pud", "tlb": "concrete"}),
    ("linear_map_split::m10_no_dsb_after_tlbi", {}),
    ("linear_map_split::m21_stores_unpublished", {"layout": "pmd"}),
    ("bbm_minimal::no_invalidation", {}),
):
    graph = Graph(Model(discovery.find(name), params).system)
    for number, plan in enumerate((RandomWalk(), RandomWalk(cpu_first=True), Pct(3, 300))):
        for run in range(3):
            chooser = plan.chooser(run_seed(5, run), number)
            node, labels = graph.initial, []
            while node.ended is None and len(labels) < 2000:
                k = chooser.choose(node)
                labels.append(node.moves[k].label)
                node = graph.follow(node, k)
            state = graph.system.digest(node.state)
            print(name, plan.name, run, node.ended, len(labels), trace_digest(labels), state)
"""


def output(python: str, hash_seed: str) -> list[str]:
    """What the program prints under this Python and hash seed."""
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    command = [python, "-B", "-c", PROGRAM]
    done = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@cache
def expected() -> list[str]:
    """What it prints here."""
    return output(sys.executable, "0")


def is_available(python: str) -> bool:
    """Whether there is such a command and it runs; a shim may be there that does not."""
    try:
        return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def test_program_makes_runs_that_differ() -> None:
    lines = expected()

    assert len(lines) == 6 * 3 * 3
    assert len({line.split()[5] for line in lines}) > 40


@pytest.mark.parametrize("hash_seed", HASH_SEEDS)
def test_hash_seed_changes_nothing(hash_seed: str) -> None:
    assert expected() == output(sys.executable, hash_seed)


FORGETTING = [
    ({"cpus": 2, "layout": "contpmd"}, 200),
    ({"cpus": 2, "layout": "pud", "tlb": "concrete"}, 200),
]


@pytest.mark.parametrize(("params", "remembered"), FORGETTING, ids=["closure", "concrete"])
def test_forgetting_changes_nothing(
    params: dict[str, Any], remembered: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A graph drops what it has computed before it fills memory; its runs stay what they are.

    What a run has kept stays, too: its states are those of keys that nobody else uses any more.
    """
    began = Counter[bool]()
    anew = rows.RowKeys.anew

    def counted(keys: rows.RowKeys) -> rows.RowKeys:
        began[keys.rows.count >= remembered] += 1
        return anew(keys)

    def traces() -> list[tuple[str, str]]:
        model = Model(GOOD, params)
        runner = Runner(model, "default", seed=0)
        runs = [runner.play(runner.chooser(number), record=True) for number in range(30)]
        return [(run.digest, digests(model, run)) for run in runs]

    def digests(model: Model, run: Run) -> str:
        return trace_digest(model.system.digest(step.after.state) for step in run.played())

    monkeypatch.setattr(rows.RowKeys, "anew", counted)
    remembers_all = traces()
    assert not began
    monkeypatch.setattr(rows, "MAX_REMEMBERED", remembered)

    assert remembers_all == traces()
    assert began[True] > 3


@pytest.mark.parametrize("version", PYTHONS)
def test_python_changes_nothing(version: str) -> None:
    if not is_available(f"python{version}"):
        pytest.skip(f"python{version} is not here")
    assert expected() == output(f"python{version}", "random")
