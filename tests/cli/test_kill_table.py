"""`simbbm check --kill-table`: the same for any number of workers, and what is missing is said."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from signal import SIGINT, raise_signal
from typing import Any

import pytest

from simbbm.campaign.pool import Pool
from simbbm.explore.strategies.kill import COMPARED, CONTROL
from tests.cli.commandline import Cli

M07, M10 = "deep::m07_count_before_switch", "linear_map_split::m10_no_dsb_after_tlbi"
FEW = ("--kill-table", "--trials", "6", "--runs", "20")
FIELDS = ("scenario", "strategy", "trials", "runs", "seed")


def test_rows_are_of_bad_twins_and_the_same_for_any_number_of_jobs(simbbm: Cli) -> None:
    rows = simbbm.rows("check", "bbm_minimal", M10, *FEW, "--seed", "3", "-j", "2")

    assert rows == simbbm.rows("check", "bbm_minimal", M10, *FEW, "--seed", "3", "-j", "1")
    assert {"kill"} == {row["type"] for row in rows}
    bad = ("bbm_minimal::live_change", "bbm_minimal::no_invalidation", M10)
    assert [(twin, column, 6, 20, 3) for twin in bad for column in (*COMPARED, CONTROL)] == [
        tuple(row[field] for field in FIELDS) for row in rows
    ]
    assert rows != simbbm.rows("check", "bbm_minimal", M10, *FEW, "--seed", "4")


def test_what_is_not_found_within_the_cap_is_null(simbbm: Cli) -> None:
    rows = {row["strategy"]: row for row in simbbm.rows("check", M07, *FEW)}
    walk, control, default = rows["random"], rows[CONTROL], rows["default"]

    assert [None] * 3 == [walk[key] for key in ("median", "low", "high")]
    assert (0, 0) == (walk["found"], control["found"])
    assert ("delayed", "eager") == (walk["params"]["hardware"], control["params"]["hardware"])
    assert default["found"] == 6
    assert default["low"] <= default["median"] <= default["high"] <= 20


def test_the_table_says_which_and_how_sure(simbbm: Cli) -> None:
    shown = simbbm.ok("check", M07, M10, *FEW, "--runs", "8", COLUMNS="130")
    rows = {
        (row["scenario"], row["strategy"]): row
        for row in simbbm.rows("check", M07, M10, *FEW, "--runs", "8")
    }
    medians, _, intervals = shown.partition("95 % intervals of these medians")

    def line(part: str, twin: str) -> list[str]:
        name = twin.partition("::")[2]
        (found,) = (text for text in part.splitlines() if text.split()[:1] == [name])
        return found.replace("> 8", ">8").split()[1:]

    for twin in (M07, M10):
        entries = [rows[twin, column] for column in (*COMPARED, CONTROL)]
        assert list(map(median, entries)) == line(medians, twin)
        assert list(map(interval, entries)) == line(intervals, twin)
    assert {"-", ">8"} < {*line(medians, M07), *line(medians, M10)}
    assert "6 campaigns each, of up to 8 runs, seeds 0 to 5." in shown
    assert "It misses 2 of 2 twins." in shown


def median(row: dict[str, Any]) -> str:
    if not row["found"]:
        return "-"
    return ">8" if row["median"] is None else f"{row['median']:g}"


def interval(row: dict[str, Any]) -> str:
    if row["low"] is None:
        return "-"
    return f"{row['low']}+" if row["high"] is None else f"{row['low']}-{row['high']}"


def test_a_narrow_terminal_has_names_on_lines_of_their_own(simbbm: Cli) -> None:
    lines = simbbm.ok("check", M10, *FEW, COLUMNS="100").splitlines()

    assert f"  {M10.partition('::')[2]}" in lines
    assert all(len(line) <= 100 for line in lines)


def test_a_strategy_restricts_the_columns(simbbm: Cli) -> None:
    rows = simbbm.rows("check", M10, *FEW, "--strategy", "pct")

    assert ["pct:depth=3", CONTROL] == [row["strategy"] for row in rows]
    (row, _) = simbbm.rows("check", M10, *FEW, "--strategy", "default")
    assert row in simbbm.rows("check", M10, *FEW)


def test_a_users_twin_without_hardware_has_no_control(simbbm: Cli, mine: Path) -> None:
    mine.write_text(
        mine.read_text()
        .replace("hardware: ", "hardness: ")
        .replace("hardware_for(hardware", "hardware_for(hardness")
    )

    assert CONTROL not in {row["strategy"] for row in simbbm.rows("check", mine, *FEW)}
    assert "control" not in simbbm.ok("check", mine, *FEW)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("bbm_minimal::good", "--kill-table"), "--kill-table: there is no bad twin among these"),
        (("bbm_minimal", "--trials", "6"), "--trials is of --kill-table"),
        (("bbm_minimal", "--kill-table", "--trials", "5"), "Invalid value for '--trials'"),
        ((M10, "--kill-table", "--time", "3s"), "--kill-table has no use for --time"),
        ((M10, "--kill-table", "--max-states", "9"), "--kill-table has no use for --max-states"),
        ((M10, "--kill-table", "--require-proof"), "--kill-table has no use for --require-proof"),
        ((M10, "--kill-table", "--strategy", "clever"), "no strategy clever"),
    ],
)
def test_what_does_not_fit_is_refused(simbbm: Cli, args: tuple[str, ...], said: str) -> None:
    assert simbbm.refused("check", *args).startswith(said)


def test_an_authors_mistake_does_not_stop_the_others(simbbm: Cli, mine: Path) -> None:
    mine.write_text(mine.read_text().replace('["move.tlbi.vaae1is"]', '["move.tlbi.vae1is"]'))
    given = ("check", mine, "bbm_minimal::live_change", *FEW)

    result = simbbm(*given, COLUMNS="130")
    error, *found = simbbm.rows(*given, code=2)

    assert result.exit_code == 2
    assert "no_tlbi  error in the scenario\n" in result.stdout
    assert "live_change " in result.stdout.partition("95 %")[2]
    assert f"simbbm: {error['message']}\n" in result.stderr
    assert "no_tlbi drops move.tlbi.vae1is, but no step is called that" in error["message"]
    assert len(COMPARED) + 1 == len(found)


def test_ctrl_c_keeps_what_was_found(simbbm: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    submit, begun = Pool.submit, count()

    def interrupted(self: Pool, *asked: Any) -> Any:
        if next(begun) % 2:
            raise_signal(SIGINT)
        return submit(self, *asked)

    monkeypatch.setattr(Pool, "submit", interrupted)
    given = ("check", "bbm_minimal", M10, *FEW, "-j", "1")

    shown = simbbm.ok(*given, code=130, COLUMNS="130")

    assert "live_change " in shown.partition("95 %")[2]
    assert "  no_invalidation  interrupted\n" in shown
    assert "2 of 3 twins: no answer." in shown
    *found, error = simbbm.rows(*given, code=130)
    assert len(COMPARED) + 1 == len(found)
    assert "bbm_minimal::no_invalidation: interrupted" == error["message"]


def test_a_lost_process_costs_its_own_row(simbbm: Cli, mine: Path) -> None:
    """It dies where the twin's machine is built, and nowhere else."""
    deadly = "from multiprocessing import parent_process\nimport os\n\n\n@scenario("
    dies = "    if parent_process():\n        os.kill(os.getpid(), 9)\n    regime = "
    text = mine.read_text().replace("@scenario(", deadly).replace("    regime = ", dies)
    mine.write_text(text)

    shown = simbbm.ok("check", mine, "bbm_minimal", *FEW, "-j", "1", code=3, COLUMNS="130")

    assert "no_tlbi  its process was lost (killed by signal 9)\n" in shown
    assert "live_change " in shown.partition("95 %")[2]
    assert "1 of 3 twins: no answer." in shown


def test_progress_goes_to_stderr(simbbm: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simbbm.cli.logs.SECONDS_BETWEEN_LINES", 0.0)

    result = simbbm("check", "bbm_minimal", *FEW, "--log-format", "json")

    said = [json.loads(line) for line in result.stderr.splitlines() if '"kill table"' in line]
    assert [(1, 2), (2, 2)] == [(line["twins"], line["of"]) for line in said]
    assert "kill table" not in result.stdout
