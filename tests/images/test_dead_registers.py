"""What registers hold that nothing looks at: CPUs that are alike stay alike, verdicts the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from simbbm.binary.a64.uses import EVERY
from simbbm.binary.code.liveness import Liveness
from simbbm.discovery import find
from simbbm.explore.search.prove import Proof, Prover
from simbbm.model import Model
from tests.images.small import without
from tests.images.test_scenario import WAIT, written

SPLIT = "linear_map_split_to_ptes"
MISTAKES = [
    {},
    without(WAIT, "tlbi vmalle1"),
    without(WAIT, "msr ttbr1_el1, x4"),
    without(WAIT, "sevl"),
    without(SPLIT, "b.ne others"),
]


def proof(scenario: str, cpus: int = 2) -> Proof:
    return Prover(Model(find(scenario), {"cpus": cpus})).prove()


def test_cpus_that_were_told_apart_are_alike_again(tmp_path: Path) -> None:
    found = proof(written(tmp_path / "vmlinuz"), cpus=3)

    assert found.verdict == "PROVED"
    assert "symmetry" in found.reductions


def test_a_number_that_is_kept_tells_cpus_apart(tmp_path: Path) -> None:
    kept = without("cpu_install_idmap", "stp x29, x30", "add x9, x9, x1\n        stp x29, x30")
    found = proof(written(tmp_path / "vmlinuz", **kept), cpus=3)

    assert found.verdict == "PROVED"
    assert "symmetry" not in found.reductions


@pytest.mark.parametrize("mistake", range(len(MISTAKES)))
def test_verdicts_are_those_without_clearing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mistake: int
) -> None:
    scenario = written(tmp_path / "vmlinuz", **MISTAKES[mistake])
    cleared = proof(scenario)
    monkeypatch.setattr(Liveness, "at", lambda *_: EVERY)
    kept = proof(scenario)

    assert (cleared.verdict, cleared.property) == (kept.verdict, kept.property)
    assert len(cleared.run or ()) == len(kept.run or ())
    assert cleared.states <= kept.states
