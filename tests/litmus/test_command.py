"""`simbbm litmus`: rows, sums, outcomes, the page, exit codes, and complaints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simbbm.campaign.answers import conformance
from simbbm.campaign.tasks import SideBySide
from simbbm.litmus import score
from simbbm.report.rows import LitmusRow, SummaryRow
from tests.cli.commandline import Cli
from tests.litmus.rows import OWN, row

ROW = "name verdict reached ok inconclusive unsupported states seconds"
SUMMARY = "total forbidden_ok forbidden allowed_ok allowed unsupported inconclusive"
MP = (["st x = 1", "st y = 1"], ["r0 = ld y", "r1 = ld x"])
MAP = {"x": "leaf(pa1)", "y": "leaf(pa2)"}
REORDERED = "1:r0=1 & 1:r1=0"


def mp(name: str, verdict: str | None, **more: Any) -> dict[str, Any]:
    """Message passing without barriers: its outcome is allowed."""
    more = {"verdict_ets2": verdict, "condition": REORDERED} | more
    return row(*MP, name=name, verdict=verdict, map=MAP, **more)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a test puts its rows."""
    return tmp_path / "rows.jsonl"


def write(file: Path, *rows: dict[str, Any] | str) -> Path:
    lines = [line if isinstance(line, str) else json.dumps(line) for line in rows]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def test_rows_have_every_field_of_the_contract() -> None:
    assert set(ROW.split()) <= set(LitmusRow.__struct_fields__)
    assert set(SUMMARY.split()) <= set(SummaryRow.__struct_fields__)


def test_own_rows_as_text(simbbm: Cli) -> None:
    path = next(path for path in OWN if path.stem == "context")
    *rows, score, spent = simbbm.ok("litmus", path).splitlines()

    assert all(line.endswith("  ok") for line in rows)
    assert f"{len(rows)} tests" in spent
    assert score.startswith("forbidden never reached ")
    assert not Path(".simbbm").exists()


def test_rows_and_sum_as_json(simbbm: Cli, file: Path) -> None:
    write(file, mp("a", "allowed"), mp("b", "forbidden", condition="1:r0=2"), mp("c", None))
    *rows, total = simbbm.rows("litmus", file)

    assert [(r["name"], r["verdict"], r["reached"], r["ok"]) for r in rows] == [
        ("a", "allowed", True, True),
        ("b", "forbidden", False, True),
        ("c", None, True, None),
    ]
    assert all(r["type"] == "litmus" and r["states"] > 1 for r in rows)
    assert [total[key] for key in SUMMARY.split()] == [3, 1, 1, 1, 1, 0, 0]
    assert total["type"] == "litmus-summary"


def test_wrong_rows_are_exit_1_and_show_how(simbbm: Cli, file: Path) -> None:
    write(file, mp("soundness", "forbidden"), mp("completeness", "allowed", condition="1:r0=2"))
    told = simbbm.ok("litmus", file, code=1)
    first, second, _ = simbbm.rows("litmus", file, code=1)

    assert told.count("WRONG") == 2
    assert "show with: simbbm show .simbbm/witness/" in told
    assert (first["ok"], second["ok"], second["witness"]) == (False, False, None)
    assert "VIOLATED never_reached" in simbbm.ok("show", first["witness"])
    for named in (first["witness"], first["token"]):
        assert simbbm.row("replay", named)["result"] == "REPRODUCED"


def test_unsupported_rows_are_counted_and_exit_1(simbbm: Cli, file: Path) -> None:
    write(file, row(["ic iallu", "r1 = ld x"], verdict="allowed"), mp("a", "allowed"))
    rows = simbbm.rows("litmus", file, code=1)

    assert [r["ok"] for r in rows[:2]] == [False, True]
    assert (rows[0]["reached"], "instruction fetch" in rows[0]["unsupported"]) == (None, True)
    assert [rows[2][key] for key in ("unsupported", "allowed", "allowed_ok")] == [1, 2, 1]
    assert "UNSUPPORTED" in simbbm.ok("litmus", file, code=1)


def test_a_limit_is_exit_3(simbbm: Cli, file: Path) -> None:
    write(file, mp("a", "forbidden", condition="1:r0=2"))
    found, total = simbbm.rows("litmus", file, "--max-states", 4, code=3)

    assert (found["reached"], found["ok"], total["inconclusive"]) == (None, None, 1)
    assert "within" in found["inconclusive"]
    assert "INCONCLUSIVE" in simbbm.ok("litmus", file, "--max-states", 4, code=3)
    assert "INCONCLUSIVE" in simbbm.ok("litmus", file, "--max-seconds", "0.000001s", code=3)


def test_bad_lines_are_complained_about_and_the_others_run(simbbm: Cli, file: Path) -> None:
    write(file, row(["r1 = lod x"], name="bad"), mp("a", "allowed"), "nonsense")
    result = simbbm("litmus", file, Path("absent.jsonl"))

    assert result.exit_code == 2
    assert "a " in result.stdout.splitlines()[0]
    assert "malformed 2" in result.stdout
    absent, bad, nonsense = result.stderr.splitlines()
    assert "absent.jsonl: cannot be read" in absent
    assert "rows.jsonl:1: bad: P0 op 0: `r1 = lod x`" in bad
    assert bad.endswith("(the nearest is `r1 = ld x`)")
    assert "rows.jsonl:3: not JSON" in nonsense
    kinds = [r["type"] for r in simbbm.rows("litmus", file, code=2)]
    assert kinds == ["error", "error", "litmus", "litmus-summary"]


def test_2_wins_over_1(simbbm: Cli, file: Path) -> None:
    write(file, "nonsense", mp("a", "forbidden"))

    assert simbbm("litmus", file).exit_code == 2


def test_ets2(simbbm: Cli, file: Path) -> None:
    ops = ["st pte(x) = leaf(pa1)", "dsb ish", "r1 = ld x"]
    made = row(ops, map={"x": "INV"}, condition="fault(P0@2)", verdict="allowed")
    disputed = {"verdict_ets2": "allowed", "disputed": ["herd-ETS2 vs REMS-ETS"], "name": "d"}
    write(file, made | {"verdict_ets2": "forbidden"}, made | disputed)
    base, ets2 = (simbbm.rows("litmus", file, *more) for more in ((), ("--feature", "ets2")))

    assert [(r["verdict"], r["reached"], r["ok"]) for r in base[:2]] == [
        ("allowed", True, True)
    ] * 2
    assert [(r["verdict"], r["reached"], r["ok"]) for r in ets2[:2]] == [
        ("forbidden", False, True),
        (None, False, None),
    ]
    assert [r["feature"] for r in ets2] == ["ets2"] * 3


def test_window(simbbm: Cli, file: Path) -> None:
    write(file, mp("a", "allowed"))

    assert simbbm.rows("litmus", file, "--window", 1, code=1)[0]["reached"] is False
    assert simbbm.rows("litmus", file, "--window", 2)[0]["reached"] is True
    assert "0" in simbbm.refused("litmus", file, "--window", 0)


def test_outcomes_as_herd_shows_them(simbbm: Cli, file: Path) -> None:
    write(file, mp("a", "allowed"), mp("b", "forbidden", condition="1:r0=2"))
    lines = simbbm.ok("litmus", file, "--outcomes").splitlines()

    assert lines[:2] == ["Test a Allowed", "States 4"]
    assert sorted(line for line in lines if line.startswith("* ")) == ["* 1:r0=1; 1:r1=0"]
    assert f"Condition exists ({REORDERED})" in lines
    assert "Observation a Sometimes 1 3" in lines
    assert "Observation b Never 0 4" in lines
    for line in lines:
        if line.strip().startswith("simbbm show"):
            assert simbbm.ok("show", line.split()[-1])


def test_outcomes_as_json(simbbm: Cli, file: Path) -> None:
    write(file, mp("a", "allowed"))
    rows = simbbm.rows("litmus", file, "--outcomes")
    outcomes = [r for r in rows if r["type"] == "litmus-outcome"]

    assert [r["reached"] for r in outcomes] == [False, False, True, False]
    assert all(simbbm.row("replay", r["token"])["result"] == "REPRODUCED" for r in outcomes)
    observed = next(r for r in rows if r["type"] == "litmus-observation")
    assert (observed["observation"], observed["positive"], observed["negative"]) == (
        "Sometimes",
        1,
        3,
    )


def test_report(simbbm: Cli, file: Path) -> None:
    write(file, mp("a", "allowed", tags=["R7", "po"]), mp("b", "forbidden", tags=["R7"]))
    page = simbbm.ok("litmus", file, "--report", code=1)
    base, _, ets2 = page.partition("## FEAT_ETS2")

    for part in (base, ets2):
        assert "| R7 | 0/1 | 1/1 |" in part
        assert "| po | 0/0 | 1/1 |" in part
        assert "* `b`: forbidden, and reached: 1:r0=1; 1:r1=0" in part
    rows = simbbm.rows("litmus", file, "--report", code=1)
    assert [r["feature"] for r in rows if r["type"] == "litmus-summary"] == [None, "ets2"]


def test_a_report_and_outcomes_are_two_questions(simbbm: Cli, file: Path) -> None:
    write(file, mp("a", "allowed"))

    assert "--report is the score" in simbbm.refused("litmus", file, "--report", "--outcomes")


def test_a_report_has_no_empty_table(simbbm: Cli, file: Path) -> None:
    write(file, mp("a", "allowed", tags=["R7"]))

    assert "| tag |" not in simbbm.ok("litmus", file, "--report")


def test_only(simbbm: Cli, file: Path) -> None:
    write(file, mp("first", "allowed"), mp("second", "allowed"))

    assert [r["name"] for r in simbbm.rows("litmus", file, "--only", "second")[:-1]] == ["second"]
    assert "did you mean second?" in simbbm.refused("litmus", file, "--only", "secnd")


def test_interrupted_runs_keep_what_they_found(
    simbbm: Cli, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(file, mp("first", "allowed"), mp("second", "allowed"))
    whole = score.judge

    def interrupted(line: Any, **options: Any) -> Any:
        if line.name == "second":
            raise KeyboardInterrupt
        return whole(line, **options)

    monkeypatch.setattr("simbbm.campaign.answers.conformance.judge", interrupted)
    told = simbbm.ok("litmus", file, code=130)

    assert "allowed reached 1/1" in told
    assert "interrupted: 1 test was not finished" in told


def test_a_litmus_test_is_a_scenario(simbbm: Cli, file: Path) -> None:
    write(file, mp("a", "allowed"))
    found = simbbm.row("stress", f"{file}::a", "--runs", 200, "-j", 1)

    assert (found["verdict"], found["property"], found["expected"]) == (
        "VIOLATED",
        "never_reached",
        True,
    )
    assert simbbm.row("list", file)["id"] == f"{file}::a"
    assert simbbm.row("run", f"{file}::a", "-p", "ets2=yes")["verdict"] == "HOLDS"


def test_any_number_of_workers_gives_the_same_rows(simbbm: Cli, file: Path) -> None:
    write(file, mp("a", "allowed"), mp("b", "forbidden"), mp("c", None))
    here, elsewhere = (
        [
            {field: value for field, value in found.items() if field != "seconds"}
            for found in simbbm.rows("litmus", file, "--outcomes", "-j", jobs, code=1)
        ]
        for jobs in (1, 2)
    )

    assert len([found for found in here if found.get("witness")]) > 3
    assert here == elsewhere


def test_a_test_whose_worker_was_lost_is_inconclusive(
    simbbm: Cli, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Losing(SideBySide[Any, Any]):
        """Workers of which the second is killed."""

        def __iter__(self) -> Iterator[Any]:
            for number, task in enumerate(self._tasks):
                lost = number == 1
                yield (
                    self._unanswered(task, "killed", interrupted=False)
                    if lost
                    else conformance.judged(task)
                )

    monkeypatch.setattr("simbbm.campaign.tasks.SideBySide", Losing)
    write(file, mp("a", "allowed"), mp("b", "allowed"), mp("c", "allowed"))
    *rows, total = simbbm.rows("litmus", file, "-j", 2, code=3)

    assert [found["ok"] for found in rows] == [True, None, True]
    assert rows[1]["inconclusive"] == "killed"
    assert (total["inconclusive"], total["allowed_ok"], total["allowed"]) == (1, 2, 3)
