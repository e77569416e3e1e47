"""How many runs each strategy needs to find each bad twin: the table that the default rests on.

It is the one of `check --all --kill-table`: a cell is the median, over thirty campaign seeds,
of the runs up to the first expected failure. A campaign is given up after a thousand, so that a
median beyond them counts as that many, which is too few.
"""

from __future__ import annotations

import json
from functools import cache
from math import exp, log
from typing import Any

import pytest
from click.testing import CliRunner

from simbbm.check.verdict import Verdict
from simbbm.cli.app import simbbm
from simbbm.explore.search.breadth_first import Limits
from simbbm.explore.search.prove import Prover
from simbbm.explore.strategies.kill import COMPARED, CONTROL, Trials
from simbbm.model import Model
from tests.quality.campaigns import show
from tests.scenarios.everything import ROUNDS, SHIPPED

pytestmark = [pytest.mark.quality, pytest.mark.timeout(3_600)]

CAP = Trials().cap
ORDERED = ("pct:depth=2", "pct:depth=3", "pos")
BAD = {s.id: s for s in SHIPPED if not s.expect.holds}


@cache
def table() -> dict[str, dict[str, dict[str, Any]]]:
    """The whole table: twins, and what each column says of them; printed row by row."""
    rows: dict[str, dict[str, dict[str, Any]]] = {}
    found = CliRunner().invoke(simbbm, ["check", "--all", "--kill-table", "--json"])
    assert found.exit_code == 0, found.output
    for entry in map(json.loads, found.stdout.splitlines()):
        rows.setdefault(entry["scenario"], {})[entry["strategy"]] = entry
    show("", header=[n.replace("depth", "d").replace("budget", "b") for n in (*COMPARED, CONTROL)])
    for twin, row in rows.items():
        show(twin, *(entry["median"] or f"> {CAP}" for entry in row.values()))
    return rows


def runs(entry: dict[str, Any]) -> float:
    """The median, or the cap if it lies beyond."""
    return float(entry["median"] or CAP)


def test_table_has_every_bad_twin() -> None:
    assert list(BAD) == list(table())


def test_default_finds_nearly_every_twin_within_50_runs() -> None:
    medians = {twin: runs(row["default"]) for twin, row in table().items()}
    late = {n: median for n, median in medians.items() if median > 50 and n not in ROUNDS}

    assert len(late) <= 0.05 * len(BAD), late


def test_orders_find_deep_twins_in_a_hundredth_of_a_random_walks_runs() -> None:
    """By geometric mean; walks that were given up count with CAP, so the truth is more."""
    deep = [row for twin, row in table().items() if twin.startswith("deep::")]
    factors = {
        name: exp(sum(log(runs(row["random"]) / runs(row[name])) for row in deep) / len(deep))
        for name in COMPARED
    }

    show("deep twins: random / strategy", *factors.values(), header=list(factors))
    assert len(deep) >= 6
    assert max(factors[name] for name in ORDERED) >= 100


def test_eager_hardware_finds_none_of_the_hardwares_bugs() -> None:
    """A search of every state says which no schedule there shows, past other failures."""
    controls = {twin: row[CONTROL] for twin, row in table().items() if CONTROL in row}
    missed = {twin for twin, entry in controls.items() if not entry["found"]}
    absent = set()
    for twin, entry in controls.items():
        proof = Prover(Model(BAD[twin], entry["params"]), Limits(seconds=60)).prove()
        assert proof.verdict is not Verdict.INCONCLUSIVE, twin
        if (proof.verdict, proof.property) not in BAD[twin].expect.failures:
            absent.add(twin)

    show("eager hardware", "misses", len(missed), "of", len(controls))
    assert len(absent) >= 20
    assert missed == absent
