"""A file that a witness names is a program of somebody's, and is run only if the user names it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import msgspec
import pytest

from simbbm import discovery
from simbbm.explore.witness.recording import load, token
from tests.cli.commandline import Cli
from tests.faults.conftest import RECORDED

EVIL = 'from pathlib import Path\nPath("ran").touch()\n'


@pytest.fixture
def evil(simbbm: Cli) -> Path:
    """A file that says so when it is run."""
    path = simbbm.directory / "evil.py"
    path.write_text(EVIL)
    (simbbm.directory / "w").mkdir()
    discovery._user_module.cache_clear()  # a file is run once a process
    (simbbm.directory / "link.py").symlink_to(path)
    return path


@pytest.mark.parametrize("command", ["replay", "show", "shrink"])
@pytest.mark.parametrize(
    "name",
    ["{}/evil.py::x", "./evil.py::x", "w/../evil.py::x", "link.py::x", "evil.py::x~remove~a.isb"],
)
def test_no_file_is_run_that_nobody_named(
    simbbm: Cli, evil: Path, spoil: Any, command: str, name: str
) -> None:
    named = name.format(evil.parent)
    witness = msgspec.structs.replace(load(RECORDED), scenario=named)
    (simbbm.directory / "other.py").write_text("")

    for given in (spoil(scenario=named), token(witness)):
        for allowed in ((), ("--allow-file", "other.py")):
            told = simbbm.refused(command, given, *allowed)
            assert f"a witness of {named}: that file is a program, and not run unasked" in told
            assert "--allow-file " in told
    assert not Path("ran").exists()

    simbbm.refused(command, spoil(scenario=named), "--allow-file", "w/../evil.py")
    assert Path("ran").exists()


def test_what_is_pasted_is_allowed(simbbm: Cli, mine: Path) -> None:
    """The commands that are printed name the file, and so does the user who pastes them."""
    mine = mine.rename(mine.with_name("my own.py"))
    shown = simbbm.ok("explore", f"{mine.name}::no_tlbi")
    replay = next(line for line in shown.splitlines() if "replay with: " in line)
    _, *words = shlex.split(replay.partition("replay with: ")[2])

    assert ["--allow-file", "my own.py"] == words[-2:]
    assert "REPRODUCED" in simbbm.ok(*words)
    shown = simbbm.ok("show", *words[1:])
    assert shown.splitlines()[-1].endswith("--allow-file 'my own.py'")
    simbbm.ok(
        *shlex.split(simbbm.ok("shrink", *words[1:]).partition("show with:   simbbm ")[2])[:4]
    )


def test_what_is_shipped_needs_nothing(simbbm: Cli) -> None:
    shown = simbbm.ok("explore", "bbm_minimal::live_change")

    assert "--allow-file" not in shown
    assert "REPRODUCED" in simbbm.ok("replay", RECORDED)


def test_a_litmus_test_is_no_program(simbbm: Cli) -> None:
    row = {"name": "T", "threads": [["r1 = ld x"]], "init": {"map": {"x": "leaf(pa)"}}}
    Path("t.jsonl").write_text(json.dumps(row | {"condition": "0:r1=0"}))
    shown = simbbm.ok("litmus", "t.jsonl", "--outcomes")

    assert "REPRODUCED" in simbbm.ok("replay", shown.partition("simbbm show ")[2].split()[0])
