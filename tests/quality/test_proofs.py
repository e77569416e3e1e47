"""Proofs of the merged protocol at the sizes that it is to be proved at, and what they visited."""

from __future__ import annotations

import subprocess
import sys

import pytest

from simbbm.check.verdict import Verdict
from simbbm.explore.search.prove import Prover
from simbbm.model import Model
from tests.scenarios.everything import GOOD

pytestmark = pytest.mark.quality

SIZES = [
    {"cpus": 3, "layout": "mixed"},
    {"cpus": 4, "layout": "mixed"},
    {"cpus": 6, "layout": "mixed"},
    {"cpus": 8, "layout": "pmd"},
    *({"cpus": 3, "layout": layout} for layout in ("contpmd", "pud", "pud39", "contpte", "pages")),
    *({"cpus": 3, "layout": "pmd", "geometry": g} for g in ("scaled4", "4k", "16k", "64k")),
    {"cpus": 3, "layout": "pud", "geometry": "4k"},
    {"cpus": 3, "layout": "pmd", "flush": "pages"},
    {"cpus": 3, "layout": "mixed", "image": "high"},
    {"cpus": 3, "layout": "mixed", "ets2": "yes"},
    {"cpus": 3, "layout": "mixed", "noabort": "all"},
]


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("params", SIZES, ids=lambda p: " ".join(f"{k}={v}" for k, v in p.items()))
def test_good_is_proved(params: dict[str, object]) -> None:
    proof = Prover(Model(GOOD, params)).prove()
    landmarks = sum(proof.landmarks.values())

    print(f"{params}: {proof.states:,} states, {proof.seconds:.1f} s, {landmarks:,} half split")  # noqa: T201
    assert Verdict.PROVED is proof.verdict
    assert landmarks > 0 or params["layout"] == "pages"


@pytest.mark.timeout(1200)
def test_a_block_of_512_tables_of_pages_is_proved_in_two_gib() -> None:
    """In a process of its own, whose memory is the search's."""
    size = ["-p", "cpus=2", "-p", "layout=pud", "-p", "geometry=4k"]
    asked = ["explore", "linear_map_split::good", *size, "--max-memory", "2g"]
    done = subprocess.run(
        [sys.executable, "-m", "simbbm", *asked], capture_output=True, text=True, check=False
    )
    assert "PROVED" in done.stdout
