"""`simbbm shrink`, and what `show` and `explore` say of what a counterexample needs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.commandline import Cli

M11 = "linear_map_split::m11_no_isb_before_tlbi"
NEEDED = ["speculative walk", "walk cache", "late TTBR"]


@pytest.fixture
def witness(simbbm: Cli) -> str:
    row = simbbm.row("stress", M11, "-p", "cpus=3", "-p", "layout=pmd", "--runs", "100", "-j", "1")
    return str(row["witness"])


def test_shrink_writes_a_small_witness_and_says_how_small(simbbm: Cli, witness: str) -> None:
    row = simbbm.row("shrink", witness, "-o", "small.json")
    shown = simbbm.ok("shrink", witness, "-o", "small.json")

    assert ("shrink", M11, "VIOLATED", "no_size_change_seen") == (
        row["type"],
        row["scenario"],
        row["verdict"],
        row["property"],
    )
    assert row["length"] < row["length_before"]
    assert row["certified"] is True
    assert row["allowances"] == NEEDED
    assert row["surprises"] == 0
    assert row["params_before"]["cpus"] == 3
    assert row["params"]["cpus"] == 2
    assert Path(row["witness"]) == simbbm.directory / "small.json"
    assert f"  {row['length_before']} -> {row['length']} steps, certified minimal" in shown
    assert "  cpus=3 -> 2" in shown
    assert f"  needs {', '.join(NEEDED)}: without any one of them no schedule fails" in shown
    assert f"token:       {row['token']}" in shown
    assert "show with:   simbbm show small.json" in shown
    replayed = simbbm.row("replay", "small.json")
    assert ("REPRODUCED", "exact", row["digest"]) == (
        replayed["result"],
        replayed["how"],
        replayed["digest"],
    )


def test_shrink_takes_a_token_and_finds_a_place_itself(simbbm: Cli, witness: str) -> None:
    small = simbbm.row("shrink", witness)
    again = simbbm.ok("shrink", small["token"])

    assert Path(small["witness"]).parent == simbbm.directory / ".simbbm" / "witness"
    assert Path(small["witness"]).name in again
    assert f"  {small['length']} -> {small['length']} steps" in again
    assert "parameters as before" in again


def test_with_few_states_it_is_only_locally_minimal(simbbm: Cli, witness: str) -> None:
    row = simbbm.row("shrink", witness, "--max-states", "10")

    assert row["certified"] is False
    assert row["allowances"] == []
    assert row["no_return"] is None
    shown = simbbm.ok("shrink", witness, "--max-states", "10")
    assert "locally minimal" in shown
    assert "was not decided within 10 states" in shown


def test_a_run_that_holds_is_refused(simbbm: Cli) -> None:
    simbbm.ok("run", "bbm_minimal::good", "-o", "good.json")

    assert "a witness of HOLDS: only a failure can be shrunk" in simbbm.refused(
        "shrink", "good.json"
    )


def test_a_witness_that_is_stale_is_one_line_and_exit_code_4(simbbm: Cli, witness: str) -> None:
    data = json.loads(Path(witness).read_text(encoding="utf-8"))
    data["property"] = "no_tlb_conflict"
    Path("stale.json").write_text(json.dumps(data), encoding="utf-8")

    said = simbbm.refused("shrink", "stale.json", code=4)

    assert f"{M11} does not fail like this any more" in said


def test_show_and_explore_say_what_it_needs_and_since_when_it_is_certain(simbbm: Cli) -> None:
    given = ("linear_map_split::m09_no_tlbi", "-p", "cpus=2", "-p", "layout=pmd")
    row = simbbm.row("explore", *given)
    explored = simbbm.ok("explore", *given)
    shown = simbbm.ok("show", row["witness"])
    trace = simbbm.row("show", row["witness"], "--as", "json")

    assert ["speculative walk", "walk cache"] == row["allowances"] == trace["allowances"]["needed"]
    assert -1 == row["no_return"] == trace["no_return"]
    assert [1.0] * (row["length"] + 1) == trace["chances"]
    for text in (explored, shown):
        assert "needs speculative walk, walk cache: without any one of them no schedule" in text
        assert "every schedule fails like this" in text


def test_show_gives_up_where_there_are_too_many_states(simbbm: Cli, witness: str) -> None:
    shown = " ".join(simbbm.ok("show", witness, "--max-states", "5").split())

    assert "whether it has to was not decided within 5 states" in shown
    assert "how likely it is was not found out: more than 5 states" in shown


def test_check_explains_the_first_counterexample_that_was_not_expected(simbbm: Cli) -> None:
    mine = simbbm.directory / "mine.py"
    simbbm.ok("new", mine)
    text, edited = re.subn(
        'expect="VIOLATED[^"]*"', 'expect="HOLDS"', mine.read_text(encoding="utf-8")
    )
    mine.write_text(text, encoding="utf-8")

    assert edited
    shown = simbbm.ok("check", mine, code=1)
    assert "The first counterexample that was not expected" in shown
    assert "fails like this" in shown
