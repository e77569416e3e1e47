"""Step names, and edits of a scenario without a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.commandline import Cli

GOOD = "linear_map_split::good"
BBM = "bbm_minimal::good"
SMALL = ("-p", "cpus=2", "-p", "layout=pmd")


def test_each_name_means_one_step_and_is_short(simbbm: Cli) -> None:
    rows = simbbm.rows("steps", GOOD, *SMALL)
    names = [row["step"] for row in rows]

    assert len(names) == len({*names}) > 60
    assert {"split_pmd.dsb.ishst", "scondary_cpu_wait.sevl"} <= {*names}
    assert {"stop_machine/set_state.ldr", "ack_state/set_state.ldr"} <= {*names}
    [barrier] = [row for row in rows if row["step"] == "split_pmd.dsb.ishst"]
    assert ["dmb.ishst"] == barrier["weaker"]
    assert barrier["kernel"] == "mmu.c:split_pmd"


def test_steps_stand_under_their_routine_with_the_kernels_function(simbbm: Cli) -> None:
    lines = simbbm.ok("steps", GOOD, *SMALL).splitlines()

    at = lines.index("split_pmd  mmu.c:split_pmd")
    assert lines[at + 1] == "    split_pmd.dsb.ishst  --weaken ...=dmb.ishst"


@pytest.mark.parametrize("command", ["check", "explore"])
def test_an_edit_is_part_of_the_id(simbbm: Cli, command: str) -> None:
    row = simbbm.row(command, GOOD, *SMALL, "--drop", "split_pmd.dsb.ishst", code=1)

    assert row["scenario"] == f"{GOOD}~remove~split_pmd.dsb.ishst"
    assert (row["verdict"], row["property"]) == ("VIOLATED", "no_fault_on_live_map")
    assert simbbm.row("replay", row["witness"])["result"] == "REPRODUCED"


def test_weaker_and_later_steps(simbbm: Cli) -> None:
    weaker = simbbm.row("explore", GOOD, *SMALL, "--weaken", "split_pmd.dsb.ishst=dmb.ishst")
    assert weaker["verdict"] == "PROVED"
    late = simbbm.row(
        "explore", GOOD, *SMALL, "--delay", "idmap_cpu_set_reserved_ttbr1.isb#1", code=1
    )
    assert late["property"] == "no_size_change_seen"


def test_a_run_and_a_sample_have_them_too(simbbm: Cli) -> None:
    for command in (("run", GOOD), ("stress", GOOD, "--runs", "20", "-j1")):
        row = simbbm.rows(*command, *SMALL, "--weaken", "split_pmd.dsb.ishst=dmb.ishst")[-1]
        assert row["scenario"].endswith("~weaken:dmb.ishst~split_pmd.dsb.ishst")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ((GOOD, "--drop", "split_pmd.dsb"), "nearest: split_pmd.dsb.ishst"),
        ((GOOD, "--weaken", "split_pmd.dsb.ishst"), "write STEP=OP"),
        ((GOOD, "--insert", "split_pmd.dsb.ishst"), "write [before:]STEP=OP"),
        ((GOOD, "--insert", "split_pmd.dsb.ishst=dsb.is"), "did you mean dsb.ish?"),
        ((GOOD, "--insert", "split_pmd.dsb=isb"), "nearest: split_pmd.dsb.ishst"),
        ((GOOD, "--insert", "before:split_pmd.dsb=isb"), "nearest: split_pmd.dsb.ishst"),
        ((GOOD, "--swap", "split_pmd.dsb.ishst="), "is not STEP=STEP"),
        ((GOOD, "--swap", "split_pmd.dsb.ishst=split_pmd.dmb"), "nearest: split_pmd.dsb.ishst"),
        ((GOOD, "--swap", "flush_tlb_all.dsb=flush_tlb_all.isb"), "nearest: flush_tlb_all.dsb.ish"),
        ((BBM, "--swap", "change.dsb.ish=change.dsb.ishst#1"), "the two do not follow each other"),
        ((BBM, "--delay", "change.isb"), "delays change.isb, but no step comes after it"),
        ((GOOD, "--weaken", "split_pmd.dsb.ishst=dsb.sy"), "weaker forms of it: dmb.ishst"),
        (("linear_map_split", "--drop", "x"), "an edit is of one scenario"),
    ],
)
def test_wrong_edits_are_refused(simbbm: Cli, given: tuple[str, ...], told: str) -> None:
    assert told in simbbm.refused("explore", *given)


def test_an_edit_needs_a_scenario(simbbm: Cli) -> None:
    assert "an edit is of a scenario" in simbbm.refused("check", "--drop", "x")


@pytest.mark.parametrize(
    ("edit", "verdict"),
    [
        (("--insert", "before:change.str#2=isb"), "PROVED"),
        (("--insert", "change.tlbi.vaae1is#2=dsb.ish"), "PROVED"),
        (("--swap", "change.dsb.ish=change.str#2"), "VIOLATED"),
        (("--swap", "change.tlbi.vaae1is#1=change.tlbi.vaae1is#2"), "PROVED"),
        (("--swap", "change.str#1=change.dsb.ishst#1"), "VIOLATED"),
    ],
)
def test_steps_are_added_and_change_places(
    simbbm: Cli, edit: tuple[str, ...], verdict: str
) -> None:
    row = simbbm.row("explore", BBM, *edit, code=int(verdict == "VIOLATED"))

    assert verdict == row["verdict"]
    if row["witness"]:
        assert simbbm.row("replay", row["witness"])["result"] == "REPRODUCED"
        assert simbbm.row("shrink", row["witness"])["witness"]
        assert "step" in simbbm.ok("show", row["witness"])


def test_a_twin_takes_the_same_edits(simbbm: Cli, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(TWINS)

    rows = simbbm.rows("check", file)
    assert {"late": "VIOLATED", "same": "PROVED", "weak": "VIOLATED", "twice": "PROVED"} == {
        row["scenario"].partition("::")[2]: row["verdict"]
        for row in rows
        if row["type"] == "verdict"
    }
    assert all(row["expected"] for row in rows if row["type"] == "verdict")


TWINS = """
from simbbm_scenarios.bbm_minimal import good

BROKEN = "VIOLATED:no_size_change_seen"
late = good.twin("Made, then waited for.", expect=BROKEN, swap={"change.dsb.ish": "change.str#2"})
weak = good.twin("Nobody waits.", expect=BROKEN, weaken={"change.dsb.ish": "dmb.ish"})
same = good.twin("The last DSB later.", expect="HOLDS", delay=["change.dsb.ishst#2"])
twice = good.twin("Waits twice.", expect="HOLDS", insert={"before:change.str#2": "dsb.ish"})
"""
