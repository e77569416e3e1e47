"""`simbbm witness`: lists what was kept, checks it if asked, and removes nothing else."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from simbbm.host import terminal
from tests.cli.commandline import Cli

TWIN = "bbm_minimal::no_invalidation"
KEPT = Path(".simbbm/witness")


@pytest.fixture
def kept(simbbm: Cli) -> Path:
    """A witness of a shipped scenario, which is an hour old."""
    path = Path(simbbm.row("explore", TWIN)["witness"])
    hour_ago = path.stat().st_mtime - 3_700
    os.utime(path, (hour_ago, hour_ago))
    return path


@pytest.fixture
def theirs(simbbm: Cli, mine: Path) -> Path:
    """A witness of a user's scenario."""
    return Path(simbbm.row("explore", f"{mine}::no_tlbi")["witness"])


def files() -> set[str]:
    return {path.name for path in KEPT.iterdir() if not path.name.startswith(".")}


def test_the_newest_come_first(simbbm: Cli, kept: Path, theirs: Path) -> None:
    newest, oldest = simbbm.rows("witness")
    recorded = json.loads(kept.read_text())

    assert str(theirs) == newest["witness"]
    assert str(kept) == oldest["witness"]
    assert 3_700 <= oldest["age"] < 7_000
    assert (TWIN, "VIOLATED", "no_size_change_seen") == tuple(
        oldest[name] for name in ("scenario", "verdict", "property")
    )
    assert (recorded["steps"], recorded["params"]) == (oldest["steps"], oldest["params"])
    assert (None, False, None) == tuple(oldest[name] for name in ("result", "removed", "error"))
    text = simbbm.ok("witness")
    assert f"  {kept.stem}  VIOLATED:no_size_change_seen" in text
    assert "1 hour ago\n" in text
    assert "2 witnesses in .simbbm/witness." in text
    (command,) = (line for line in text.splitlines() if line.startswith("show with: simbbm "))
    assert "no_tlbi" in simbbm.ok(*command.split()[3:])


def test_nothing_is_run_unless_asked(
    simbbm: Cli, kept: Path, theirs: Path, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And of a user's files nothing that is not allowed by name, which is said once."""
    path = simbbm.row("explore", f"{mine}::no_tlbi", "-p", "readers=2")["witness"]
    with monkeypatch.context() as nothing_runs:
        nothing_runs.setattr(sys.modules["simbbm.explore.runs.replay"], "replay", None)
        assert {None} == {row["result"] for row in simbbm.rows("witness")}
    result = simbbm("witness", "--check", "--json")
    rows = {row["witness"]: row["result"] for row in map(json.loads, result.stdout.splitlines())}

    assert {str(kept): "REPRODUCED", str(theirs): None, path: None} == rows
    assert (2, 1) == (result.exit_code, result.stderr.count(f"add --allow-file {mine.name}"))
    allowed = simbbm.rows("witness", "--check", "--allow-file", mine)
    assert ["REPRODUCED"] * 3 == [row["result"] for row in allowed]
    assert 3 == simbbm.ok("witness", "--check", "--allow-file", mine).count("REPRODUCED")


def test_what_does_not_reproduce_is_told_and_cleaned(simbbm: Cli, kept: Path) -> None:
    other = json.loads(kept.read_text()) | {"property": "terminates", "verdict": "STUCK"}
    stale = kept.with_name("stale.json")
    stale.write_text(json.dumps(other))
    rows = simbbm.rows("witness", "--check", code=4)
    assert {"STALE"} == {r["result"] for r in rows if r["witness"].endswith("stale.json")}

    cleaned = {Path(r["witness"]): r for r in simbbm.rows("witness", "--check", "--clean")}
    assert (True, False) == (cleaned[stale.absolute()]["removed"], cleaned[kept]["removed"])
    assert {kept.name} == files()


def test_clean_removes_witnesses_and_nothing_else(simbbm: Cli, kept: Path, theirs: Path) -> None:
    (KEPT / "notes.txt").write_text("mine\n")
    (KEPT / "cut.json").write_text(kept.read_text()[:40])
    (KEPT / "newer.json").write_text('{"schema":"simbbm-witness/9"}')
    (KEPT / "folder").mkdir()
    os.mkfifo(KEPT / "pipe.json")
    (KEPT / "link.json").symlink_to(kept)
    result = simbbm("witness", "--clean")

    assert 2 == result.exit_code
    assert 3 == result.stdout.count("  removed\n")
    assert "3 witnesses in .simbbm/witness, 3 removed, 4 other files left alone." in result.stdout
    for name, why in (
        ("notes.txt", "not a witness, nor JSON"),
        ("cut.json", "truncated"),
        ("newer.json", "a witness of a newer schema"),
        ("pipe.json", "not a witness"),
    ):
        assert f"simbbm: .simbbm/witness/{name}: {why}" in result.stderr
    assert {"notes.txt", "cut.json", "newer.json", "folder", "pipe.json"} == files()
    damaged = simbbm.rows("witness", code=2)
    assert all(row["error"] and row["scenario"] is None for row in damaged)
    assert 4 == len(damaged)


@pytest.mark.parametrize("how", ["{name}", "{stem}", "{path}", ".simbbm/witness/{name}"])
def test_one_is_removed_by_its_name(simbbm: Cli, kept: Path, theirs: Path, how: str) -> None:
    named = how.format(name=kept.name, stem=kept.stem, path=kept)
    row = simbbm.row("witness", "--remove", named)

    assert (str(kept), True) == (row["witness"], row["removed"])
    assert {theirs.name} == files()


def test_what_cannot_be_removed_is_refused_before_anything_is(simbbm: Cli, kept: Path) -> None:
    (KEPT / "cut.json").write_text("{")
    near = kept.stem[:-1] + "x"
    for words, told in (
        (("--remove", kept.name, "--remove", near), f"(did you mean {kept.stem}?)"),
        (("--remove", kept.name, "--remove", "cut"), "cut.json: truncated; it is not removed"),
        (("--remove", kept.name, "--clean"), "leave out --check and --clean"),
        (("--remove", f"elsewhere/{kept.name}"), "has no witness"),
        (("--witness-dir", "no/where"), "there is no folder no/where"),
    ):
        assert told in simbbm.refused("witness", *words)
        assert {"cut.json", kept.name} == files()


def test_nothing_kept_is_said_in_one_line(simbbm: Cli) -> None:
    (line,) = simbbm.ok("witness").splitlines()

    assert line.startswith("no witnesses in .simbbm/witness: failing runs of simbbm run, stress, ")
    assert [] == simbbm.rows("witness")
    Path("empty").mkdir()
    assert "no witnesses in empty: " in simbbm.ok("witness", "--witness-dir", "empty")


@pytest.mark.usefixtures("kept")
def test_a_narrow_terminal_gets_folded_lines(simbbm: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "width", lambda: 40)
    shown = simbbm.ok("witness")

    assert all(len(line) <= 40 for line in shown.splitlines() if "simbbm show" not in line)
    assert "1 hour ago" in " ".join(shown.split())
