"""What the shell is offered for a word that is not complete yet."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

GOOD = "check linear_map_split::good"


def offered(line: str, *, shell: str = "bash") -> list[str]:
    """The answers; bash splits the line at colons and equals signs, others do not."""
    words = line.split(" ")
    if shell == "bash":
        words = [part for word in words for part in re.split("(:+|=)", word) if part]
    environment = os.environ | {
        "_SIMBBM_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": " ".join(["simbbm", *words]),
        "COMP_CWORD": str(len(words)),
    }
    command = [sys.executable, "-m", "simbbm"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, done.stderr)
    return [answer.partition(",")[2] for answer in done.stdout.split()]


@pytest.mark.parametrize(
    ("typed", "answers"),
    [
        ("--drop split_p", ["split_pud.dsb.ishst", "split_pmd.dsb.ishst"]),
        ("--drop=split_pm", ["split_pmd.dsb.ishst"]),
        ("--drop x.y --delay flush_tlb_all.i", ["flush_tlb_all.isb"]),
        ("--weaken split_pmd.d", ["split_pmd.dsb.ishst=dmb.ishst"]),
        ("--weaken split_pmd.dsb.ishst=", ["dmb.ishst"]),
        ("--insert split_pmd.dsb.ishst=is", ["isb"]),
        ("--insert before:split_pm", ["split_pmd.dsb.ishst"]),
        ("--swap split_pud.dsb.ishst=split_pm", ["split_pmd.dsb.ishst"]),
        ("--drop nosuch", []),
        ("-p layout=mi", ["mixed"]),
    ],
)
def test_steps_and_what_may_stand_there(typed: str, answers: list[str]) -> None:
    assert answers == offered(f"{GOOD} {typed}")


def test_a_scenario_that_is_not_there_has_no_steps() -> None:
    assert [] == offered("check linear_map_split::god --drop s")
    assert [] == offered("check --drop s")
