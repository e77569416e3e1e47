"""`simbbm replay` and `simbbm show`: a witness is read back, or told apart from what is none."""

import json
from pathlib import Path
from typing import Any

import pytest

from simbbm.report.rows import ReplayRow
from tests.cli.commandline import Cli

BAD = "bbm_minimal::live_change"


@pytest.fixture
def witness(simbbm: Cli) -> Path:
    """A witness of a violation."""
    return Path(simbbm.row("run", BAD, "--strategy", "random")["witness"])


def edit(path: Path, **changes: Any) -> Path:
    """A copy with other fields."""
    changed = path.with_name("changed.json")
    changed.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return changed


def test_replay_reproduces(simbbm: Cli, witness: Path) -> None:
    row = simbbm.row("replay", witness)
    contract = {"witness", "result", "how", "step", "expected", "got", "verdict", "digest"}

    assert contract | {"property"} <= set(ReplayRow.__struct_fields__)
    assert ("replay", str(witness), "REPRODUCED", "exact", None, "VIOLATED") == tuple(
        row[k] for k in ("type", "witness", "result", "how", "step", "verdict")
    )
    assert row["digest"] == json.loads(witness.read_text())["digest"]
    assert simbbm.ok("replay", witness).startswith(f"REPRODUCED {BAD}: VIOLATED:no_size_change_se")


def test_a_witness_that_cannot_be_followed_diverges(simbbm: Cli) -> None:
    simbbm.ok("run", "bbm_minimal::good", "-o", "w.json")
    decision = {"step": 0, "label": "cpu1:reader.nonsense", "occurrence": 1}
    changed = edit(Path("w.json"), decisions=[decision])
    row = simbbm.row("replay", changed, code=4)

    assert ("DIVERGED", 0, "cpu1:reader.nonsense") == (row["result"], row["step"], row["expected"])
    assert row["how"] == "exact"
    assert "cpu1:reader.ldr" in row["got"]
    assert "expected cpu1:reader.nonsense" in simbbm.ok("replay", changed, code=4)
    assert "cpu1:reader.nonsense" in simbbm.refused("show", changed, code=4)


def test_a_witness_that_ends_differently_is_stale(simbbm: Cli, witness: Path) -> None:
    changed = edit(witness, property="no_tlb_conflict")
    row = simbbm.row("replay", changed, code=4)

    assert ("STALE", "VIOLATED:no_tlb_conflict") == (row["result"], row["expected"])
    assert "the scenario has changed, or the witness has" in simbbm.ok("replay", changed, code=4)
    assert simbbm.row("replay", changed, "-o", "none.json", code=4)["token"] is None
    assert not Path("none.json").exists()


def test_a_step_that_is_gone_is_named(simbbm: Cli, witness: Path) -> None:
    gone = {"step": 0, "label": "cpu1:reader.nonsense", "occurrence": 1}
    changed = edit(witness, scenario="bbm_minimal::good", decisions=[gone])
    row = simbbm.row("replay", changed, code=4)

    assert ("STALE", "goal", 0) == (row["result"], row["how"], row["step"])
    assert ("cpu1:reader.nonsense", "HOLDS") == (row["expected"], row["verdict"])
    assert "cpu1:reader.ldr" in row["got"]
    said = simbbm.ok("replay", changed, code=4)
    assert "expected cpu1:reader.nonsense" in said
    assert "does not lead there any more" in said


def test_a_witness_of_an_edited_program_is_refreshed(simbbm: Cli, tmp_path: Path) -> None:
    simbbm.ok("new", "mine.py")
    old = simbbm.row("stress", "mine.py::no_tlbi")["witness"]
    text = (tmp_path / "mine.py").read_text()
    later = text.replace("    await cpu.str(PTE, new)\n", INSERTED)
    assert later != text
    (tmp_path / "later.py").write_text(later)  # a file is read once a process
    old = edit(Path(old), scenario="later.py::no_tlbi")

    row = simbbm.row("replay", old, *LATER)
    assert ("REPRODUCED", "semantic") == (row["result"], row["how"])
    assert f"  refreshed: {row['token']}" in simbbm.ok("replay", old, *LATER).splitlines()
    assert simbbm.row("replay", row["token"], *LATER)["how"] == "exact"
    simbbm.ok("replay", old, "--refresh", "new.json", *LATER)
    again = simbbm.row("replay", "new.json", *LATER)
    assert ("exact", row["digest"], None) == (again["how"], again["digest"], again["token"])
    assert "refreshed" not in simbbm.ok("replay", "new.json", *LATER)
    assert "another way" in simbbm.refused("show", old, *LATER, code=4)
    assert "cannot write no/new.json" in simbbm.refused("replay", old, "-o", "no/new.json", *LATER)


LATER = ("--allow-file", "later.py")
INSERTED = "    await cpu.nop()\n    await cpu.mrs_mpidr()\n    await cpu.str(PTE, new)\n"


def test_a_token_becomes_a_file(simbbm: Cli) -> None:
    token = simbbm.row("run", BAD)["token"]
    simbbm.ok("replay", token, "-o", "w.json")

    assert simbbm.row("replay", "w.json")["how"] == "exact"


@pytest.mark.parametrize("command", ["replay", "show"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda text: text[: len(text) // 2], "truncated"),
        (lambda text: text.replace("simbbm-witness/1", "simbbm-witness/2"), "newer schema"),
        (lambda text: text.replace("simbbm-witness/1", "other/1"), "not a witness"),
        (lambda _: "[]", "not a witness"),
        (lambda _: "", "truncated"),
        (lambda text: text.replace(BAD, "bbm_minimal::gone"), "unknown scenario bbm_minimal::gone"),
        (lambda text: text.replace('"noabort"', '"nothing"'), "has no parameter nothing"),
        (
            lambda text: text.replace('"delayed"', '"lazy"'),
            f"a witness of {BAD}: hardware=lazy: not",
        ),
    ],
)
def test_what_is_no_witness_is_refused(
    simbbm: Cli, witness: Path, command: str, content: Any, message: str
) -> None:
    changed = witness.with_name("changed.json")
    changed.write_text(content(witness.read_text()))

    assert message in simbbm.refused(command, changed)


def test_a_witness_of_a_users_file_says_where_to_replay(
    simbbm: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    simbbm.ok("new", "mine.py")
    witness = simbbm.row("run", "mine.py::no_tlbi")["witness"]
    row = simbbm.row("replay", witness, "--allow-file", "mine.py")
    assert row["result"] == "REPRODUCED"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    assert simbbm.refused("replay", witness) == (
        "a witness of mine.py::no_tlbi: there is no file mine.py "
        "(a file is named as it was given to run: replay from the same directory)"
    )


def test_until_shows_the_way_and_what_could_happen(simbbm: Cli, witness: Path) -> None:
    lines = simbbm.ok("replay", witness, "--until", "2").splitlines()
    *steps, last = simbbm.rows("replay", witness, "--until", "2")

    assert ["0", "1"] == [line.split()[0] for line in lines[:2]]
    assert lines[2] == "at step 2 these could go on:"
    assert [0, 1] == [step["step"] for step in steps]
    assert [f"  {label}" for label in last["got"]] == lines[3:]
    end = json.loads(witness.read_text())["steps"]
    assert f"it ends at step {end}" in simbbm.ok("replay", witness, "--until", end)
    assert "has 7 steps" in simbbm.refused("replay", witness, "--until", "99")


def test_show_in_columns(simbbm: Cli, witness: Path) -> None:
    shown = simbbm.ok("show", witness)

    assert shown == simbbm.ok("show", witness, "--as", "columns")
    assert shown.splitlines()[0] == BAD
    assert shown.splitlines()[-1].startswith("replay with: simbbm replay .simbbm/witness/")
    assert "VIOLATED no_size_change_seen after 7 steps" in shown


def test_show_as_json_has_the_full_trace(simbbm: Cli, witness: Path) -> None:
    row = simbbm.row("show", witness)
    recorded = json.loads(witness.read_text())

    assert json.loads(simbbm.ok("show", witness, "--as", "json")) == row
    assert (row["type"], row["steps"], row["digest"]) == (
        "trace",
        recorded["steps"],
        recorded["digest"],
    )
    assert list(range(row["steps"])) == [event["step"] for event in row["events"]]
    assert {"step", "cpu", "agent", "label", "text", "function", "notes"} <= set(row["events"][0])


def test_show_of_a_token_and_into_a_file(simbbm: Cli, witness: Path) -> None:
    token = simbbm.row("run", BAD)["token"]

    assert simbbm.ok("show", token, "-o", "out.txt") == ""
    assert Path("out.txt").read_text().endswith(f"replay with: simbbm replay {token}\n")
    assert "cannot write no/out: " in simbbm.refused("show", witness, "-o", "no/out")


def test_show_of_a_run_that_holds(simbbm: Cli) -> None:
    simbbm.ok("run", "bbm_minimal::good", "-o", "w.json")

    assert "HOLDS after 19 steps" in simbbm.ok("show", "w.json")
