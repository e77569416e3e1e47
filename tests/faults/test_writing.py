"""What is written is written whole, beside, and then takes its name; or not at all."""

from __future__ import annotations

import errno
import os
import re
import resource
import stat
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from simbbm.explore.witness.recording import load, save
from simbbm.host.writing import write
from tests.cli.commandline import Cli
from tests.faults.conftest import RECORDED

ROOT = Path(__file__).parent.parent.parent


def full(*_: object) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_what_is_there_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write(path, b"one")
    path.chmod(0o640)
    write(path, b"two")

    assert b"two" == path.read_bytes()
    assert 0o640 == stat.S_IMODE(path.stat().st_mode)
    assert [path] == [*tmp_path.iterdir()]


@pytest.mark.parametrize("fails", ["os.fsync", "pathlib.Path.replace"])
def test_a_full_disk_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    path = tmp_path / "file"
    write(path, b"one")
    monkeypatch.setattr(fails, full)

    with pytest.raises(OSError, match="No space left"):
        write(path, b"two")

    assert (b"one", [path]) == (path.read_bytes(), [*tmp_path.iterdir()])


def test_ctrl_c_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "file", b"two")

    assert not [*tmp_path.iterdir()]


def test_a_new_file_takes_nobodys_place(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write(path, b"one", new=True)

    with pytest.raises(FileExistsError):
        write(path, b"two", new=True)

    assert (b"one", [path]) == (path.read_bytes(), [*tmp_path.iterdir()])


@pytest.mark.parametrize("there", [True, False])
def test_a_link_is_replaced_and_not_followed(tmp_path: Path, there: bool) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    if there:
        target.write_bytes(b"somebody else's")
    link.symlink_to(target)

    write(link, b"ours")

    assert b"ours" == link.read_bytes()
    assert not link.is_symlink()
    assert there == target.exists()
    assert not there or b"somebody else's" == target.read_bytes()


@pytest.mark.parametrize("link", ["{}", ".{}.{pid}", ".{}"])
def test_a_link_in_a_witness_folder_is_not_followed(tmp_path: Path, link: str) -> None:
    """Neither where the name of what is written first can be foreseen, nor that of the content."""
    witness, folder = load(RECORDED), tmp_path / "two"
    (tmp_path / "one").mkdir()
    name = save(witness, tmp_path / "one").name
    target, planted = tmp_path / "target", folder / link.format(name, pid=os.getpid())
    target.write_bytes(b"somebody else's")
    folder.mkdir()
    planted.symlink_to(target)

    path = save(witness, folder)

    assert not path.is_symlink()
    assert witness == load(path)
    assert b"somebody else's" == target.read_bytes()
    assert {path, planted} == {*folder.iterdir()}


def test_not_even_if_the_name_could_be_foreseen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secrets.token_hex", lambda _: "foreseen")
    target, planted = tmp_path / "target", tmp_path / ".simbbm-foreseen.part"
    target.write_bytes(b"somebody else's")
    planted.symlink_to(target)

    with pytest.raises(FileExistsError):
        write(tmp_path / "file", b"ours")

    assert b"somebody else's" == planted.read_bytes()


def test_what_is_no_file_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)

    write(pipe, b"one")

    assert b"one" == os.read(reader, 9)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    os.close(reader)


WRITES = {
    "write_text": r"\.write_(text|bytes)\(",
    "open": r"open\([^)]*[\"'][wax]b?[+]?[\"']",
    "os.open": r"O_(WRONLY|RDWR|CREAT)",
}
ALLOWED = {"writing.py", "terminal.py"}
"""The latter writes to /dev/null what nobody hears."""


OTHERS = 'path.write_text("x")  path.open("wb")'


@pytest.mark.parametrize("name", WRITES)
def test_nothing_else_writes_files(name: str) -> None:
    files = [p for p in (ROOT / "simbbm").rglob("*.py") if p.name not in ALLOWED]

    assert len(files) > 100
    assert not [str(p) for p in files if re.search(WRITES[name], p.read_text())]
    assert re.search(WRITES[name], (ROOT / "simbbm" / "host" / "writing.py").read_text() + OTHERS)


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


@pytest.mark.parametrize(
    "command",
    [
        ("replay", "keep.json", "--refresh", "keep.json"),
        ("shrink", "keep.json", "-o", "keep.json"),
        ("new", "mine.py"),
    ],
)
def test_no_room_at_all_costs_no_file_and_no_answer(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    keep = tmp_path / "keep.json"
    keep.write_bytes(RECORDED.read_bytes())
    done = subprocess.run(
        [sys.executable, "-m", "simbbm", *command],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        preexec_fn=limited,
        check=False,
    )

    assert (2, f"simbbm: cannot write {command[-1]}: File too large\n") == (
        done.returncode,
        done.stderr,
    )
    assert RECORDED.read_bytes() == keep.read_bytes()
    assert [keep] == [*tmp_path.iterdir()]
    assert ("VIOLATED:no_size_change_seen" in done.stdout) == (command[0] != "new")


def test_a_folder_that_is_not_there_is_said_before_there_is_anything_to_write(
    simbbm: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("simbbm.explore.counterexample.shrink"), "shrink", full)

    assert simbbm.refused("shrink", RECORDED, "-o", "no/x.json").startswith("cannot write no/x")
