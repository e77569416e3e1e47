"""`simbbm run`, and what every failing run leaves behind."""

from pathlib import Path

import pytest

from simbbm.report.rows import VerdictRow
from tests.cli.commandline import Cli

FIELDS = """
scenario params mode verdict property expect expected message seconds runs runs_requested failures
first_failure states transitions steps length certified reductions coverage seed strategy geometry
witness token allowances digest version
"""
CONTRACT = FIELDS.split()

BAD = "bbm_minimal::live_change"


def test_rows_have_every_field_of_the_contract() -> None:
    assert set(CONTRACT) <= set(VerdictRow.__struct_fields__)


def test_a_run_that_holds(simbbm: Cli) -> None:
    row = simbbm.row("run", "bbm_minimal::good", "--seed", "0x2a")

    assert set(CONTRACT) <= set(row)
    assert ("verdict", "run", "HOLDS", True, 42, "scaled") == tuple(
        row[k] for k in ("type", "mode", "verdict", "expected", "seed", "geometry")
    )
    assert [None] * 5 == [row[k] for k in ("witness", "token", "property", "states", "coverage")]
    assert row["params"] == {"noabort": "none", "hardware": "delayed"}
    assert not Path(".simbbm").exists()


def test_a_run_that_fails_leaves_a_witness_that_replays(simbbm: Cli) -> None:
    row = simbbm.row("run", BAD)

    assert ("VIOLATED", "no_size_change_seen", True) == (
        row["verdict"],
        row["property"],
        row["expected"],
    )
    assert row["length"] == row["steps"]
    assert Path(row["witness"]).is_absolute()
    for named in (row["witness"], row["token"]):
        assert simbbm.row("replay", named)["digest"] == row["digest"]
    assert Path(".simbbm/.gitignore").read_text() == "*\n"


def test_text_ends_with_the_command_that_replays(simbbm: Cli) -> None:
    lines = simbbm.ok("run", BAD).splitlines()

    assert lines[0] == f"{BAD}: VIOLATED:no_size_change_seen (as expected)"
    *_, last = lines
    command = last.partition("replay with: simbbm ")[2].split()
    assert "REPRODUCED" in simbbm.ok(*command)


def test_a_run_of_a_bad_twin_that_holds_convicts_nobody(simbbm: Cli) -> None:
    row = simbbm.row("run", BAD, "-p", "noabort=all")

    assert ("HOLDS", None) == (row["verdict"], row["expected"])


def test_a_good_one_that_fails_is_unexpected(simbbm: Cli) -> None:
    given = ("run", "linear_map_split::good", "-p", "noabort=none")

    assert "NOT EXPECTED, expected is HOLDS" in simbbm.ok(*given, code=1)
    assert simbbm.row(*given, code=1)["expected"] is False


def test_max_steps_is_inconclusive(simbbm: Cli) -> None:
    row = simbbm.row("run", "bbm_minimal::good", "--max-steps", "5", code=3)

    assert ("INCONCLUSIVE", None, 5) == (row["verdict"], row["expected"], row["steps"])
    assert "max_steps=5" in row["message"]


def test_stuck_says_who_waits_for_what(simbbm: Cli) -> None:
    shown = simbbm.ok("run", "linear_map_split::m04_flag_starts_at_zero")

    assert "STUCK:terminates" in shown
    assert "cpu0 waits in " in shown
    assert "cpu1 waits in scondary_cpu_wait/wait_for_zero.wfe: no event, its exclusive" in shown


def test_several_are_run_and_the_worst_is_the_exit_code(simbbm: Cli) -> None:
    rows = simbbm.rows("run", "bbm_minimal", "bbm_minimal::good", "--max-steps", "3", code=3)

    assert len({row["scenario"] for row in rows}) == len(rows) > 1


def test_trace_prints_each_step(simbbm: Cli) -> None:
    row = simbbm.row("run", "bbm_minimal::good")
    lines = simbbm.ok("run", "bbm_minimal::good", "--trace").splitlines()
    steps = [r for r in simbbm.rows("run", "bbm_minimal::good", "--trace") if r["type"] == "step"]

    assert [str(n) for n in range(row["steps"])] == [x.split()[0] for x in lines[: row["steps"]]]
    assert any("change: tlbi vaae1is, x" in line for line in lines)
    assert list(range(row["steps"])) == [s["step"] for s in steps]


def test_output_writes_the_witness_of_any_run(simbbm: Cli) -> None:
    simbbm.ok("run", "bbm_minimal::good", "-o", "w.json")

    assert simbbm.row("replay", "w.json")["result"] == "REPRODUCED"
    assert not Path(".simbbm").exists()


@pytest.mark.parametrize("command", [("run",), ("stress", "--runs", "20", "-j", "1")])
def test_a_witness_that_cannot_be_written_is_a_warning(
    simbbm: Cli, command: tuple[str, ...]
) -> None:
    Path("file").write_text("")

    result = simbbm(*command, BAD, "--json", "--witness-dir", "file/witness")
    shown = simbbm(*command, BAD, "--witness-dir", "file/witness").stdout

    assert result.exit_code == 0
    assert "simbbm: warning: no witness written to file/witness" in result.stderr
    assert '"witness":null,"token":"sb3' in result.stdout
    assert "replay with: simbbm replay sb3" in shown


def test_witness_dir_is_used(simbbm: Cli) -> None:
    row = simbbm.row("run", BAD, "--witness-dir", "kept")

    assert Path(row["witness"]).parent == Path("kept").absolute()


def test_same_seed_same_digest(simbbm: Cli) -> None:
    def digest(*args: str) -> str:
        return str(simbbm.row("run", "bbm_minimal::good", *args)["digest"])

    assert digest("--seed", "7") == digest("--seed", "0x7")
    assert len({digest("--seed", str(n)) for n in range(5)}) > 1
    assert digest("--strategy", "polite") == digest("--strategy", "polite", "--seed", "9")


def test_an_assertion_that_fails_is_a_violation_with_a_witness(simbbm: Cli, mine: Path) -> None:
    text = mine.read_text().replace("await cpu.ldr(X)\n", "assert await cpu.ldr(X) != 0\n")
    mine.write_text(text)
    line = text.splitlines().index("    assert await cpu.ldr(X) != 0") + 1

    row = simbbm.row("explore", f"{mine}::good", code=1)

    assert ("VIOLATED", "no_panic") == (row["verdict"], row["property"])
    assert f"cpu1 panics: assertion failed at mine.py:{line}" == row["message"]
    assert "REPRODUCED" in simbbm.ok("replay", row["witness"], "--allow-file", mine)
    assert f"assertion failed at mine.py:{line}" in simbbm.ok(
        "show", row["witness"], "--allow-file", mine
    )
