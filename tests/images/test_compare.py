"""`simbbm compare --prove`, `--ablate`: two images of ours, and one with a mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from simbbm.changes import Change
from simbbm.core.errors import UsageError
from simbbm.discovery import find
from simbbm.explore.beside.searched import ablation_differences, named
from simbbm.explore.counterexample.ablate import Ablator
from simbbm.explore.search.breadth_first import NO_LIMITS
from simbbm.model import Model
from tests.cli.commandline import Cli
from tests.images.small import without
from tests.images.test_scenario import WAIT, written

FLUSH = "flush_tlb_kernel_range"


def model(path: Path, name: str, **functions: str) -> Model:
    return Model(find(written(path / name, **functions)))


def test_verdicts_that_differ_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    simbbm = Cli(tmp_path)
    good = written(tmp_path / "a").partition("::")[0]
    bad = written(tmp_path / "b", **without(WAIT, "tlbi vmalle1")).partition("::")[0]

    assert "both are PROVED" in simbbm.ok("compare", "--prove", good, good)
    head, *rows = simbbm.rows("compare", "--prove", good, bad, code=1)
    assert head["verdicts"] == ["PROVED", "VIOLATED no_size_change_seen"]
    assert [row["after"] for row in rows if row["kind"] == "verdict"] == head["verdicts"][1:]
    assert "--prove or --ablate" in simbbm.refused("compare", good, good, "-p", "cpus=2")


def test_steps_are_named_by_their_place_among_those_of_their_name() -> None:
    steps = ["f+0x10.dsb.ish", "f+0x8.dsb.ish", "g+0x4.dsb.ish"]

    assert {
        name: change.step for name, change in named([Change(s, "remove") for s in steps]).items()
    } == {
        "f.dsb.ish remove": "f+0x8.dsb.ish",
        "f.dsb.ish remove #2": "f+0x10.dsb.ish",
        "g.dsb.ish remove": "g+0x4.dsb.ish",
    }


def test_a_step_that_one_image_can_spare_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only = "split_pmd.dsb.ishst"
    monkeypatch.setattr(
        Ablator,
        "singles",
        lambda self: [Change(s, "remove") for s in self.steps.values() if ".dsb.ishst" in s],
    )
    twice = without("split_pmd", "dsb ishst", "nop\n        dsb ishst\n        dsb ishst")
    found = ablation_differences((model(tmp_path, "a"), model(tmp_path, "b", **twice)), NO_LIMITS)

    assert [(d.name, d.before, d.after) for d in found] == [
        (f"{only} remove", "load-bearing no_fault_on_live_map", "redundant"),
        (f"{only} remove #2", None, "redundant"),
    ]
    assert found[1].place_before is None


def test_an_image_that_fails_as_it_is_cannot_be_ablated(tmp_path: Path) -> None:
    bad = model(tmp_path, "b", **without(WAIT, "sevl"))
    with pytest.raises(UsageError, match="fails as it is"):
        ablation_differences((bad, bad), NO_LIMITS)
