"""Every command and every block of code on the pages and in README is run."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

import click
import pytest

from simbbm.cli.app import simbbm as app
from simbbm.cli.commands.guide import pages
from tests.guide.places import ROOT
from tests.guide.runner import FENCE, Block, Session, agrees, blocks, inline

PAGES = {"README": (ROOT / "README.md").read_text(encoding="utf-8"), **pages()}
BLOCKS = {name: blocks(name, text) for name, text in PAGES.items()}
WITH_BLOCKS = [name for name, found in BLOCKS.items() if found]
INLINE = {command: name for name, text in PAGES.items() for command in inline(text)}
LANGUAGES = {"sh", "console", "python", "json", "yaml", "ini", "toml", "csv"}

NOT_RUN = {
    "python3 -m venv": "sets up what the tests run in; the gate does it",
    "pip install": "likewise",
    ".ci/run": "likewise",
    ".venv/bin": "likewise",
    "nox -": "sessions of their own, minutes each",
    "python tests/quality/mutate.py": "likewise",
    "python -m tests.quality.mutations": "minutes, and an image of Debian's with its symbols",
    "simbbm check --all --kill-table": "some minutes; its options are read",
    "simbbm ablate linear_map_split::good idmap::good": "a quarter of an hour; likewise",
    "simbbm stress linear_map_split::good -p cpus=8": "worker processes; likewise",
    "simbbm check linear_map_split::good --cross-check": "half a minute; likewise",
    "simbbm check history": "half a minute; likewise",
    "simbbm prove linear_map_split::good": "half a minute; likewise",
    "simbbm show WITNESS --as litmus": "few runs can be said so: tests/report/test_as_litmus.py",
    "simbbm verify it.certificate": "half a minute; likewise",
}
"""By how they begin, and why."""

SMALLER = {
    "pytest tests/litmus/test_rows.py -n0": f"pytest {ROOT}/tests/litmus/test_rows.py --co -q -n0",
    "pytest tests/binary/test_oracle.py": f"pytest {ROOT}/tests/binary/test_oracle.py --co -q -n0",
    "-p cpus=4 --certificate FILE": "--certificate it.certificate",
    "-k NAME": "-k dmb-before-tlbi",
    "check --cross-check": "check bbm_minimal --cross-check",
    "check --html DIR": "check bbm_minimal --html site",
    "check FILE -p hardware=eager": "check bbm_minimal::good -p hardware=eager",
    "ablate vmlinuz::linear_map_split": "ablate bbm_minimal::good",
    "survey box.json": "survey gb10",
    "check late_cpu stuck_cpu": "check stuck_cpu",
    "litmus FILE": "litmus told.jsonl",
    "stress ID --store FILE": "stress bbm_minimal::good --runs 50 -j 1 --store kept.db",
    "stress ID --store runs.db": "stress bbm_minimal::good --runs 50 -j 1 --store runs.db",
    "ID…": "bbm_minimal::good",
    "ID": "bbm_minimal::good",
    "FILE": "mine.py",
    "FOLDER": ".",
    "NAME": "told",
    "FORM": "mermaid",
    "PAGE": "trust",
    "IMAGE": "vmlinuz",
}
"""What is put in the place of a page's placeholders, and of what would take long."""


def not_run(command: str) -> bool:
    """Whether it is on the list of those."""
    return any(part in command for part in NOT_RUN)


@pytest.mark.parametrize("name", WITH_BLOCKS)
def test_blocks_of_a_page_do_what_it_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    session = Session(tmp_path)
    wrong = [
        told
        for block in BLOCKS[name]
        if not any(not_run(command) for command, _ in block.commands)
        for told in session.play(block)
    ]

    assert not wrong, "\n\n".join(wrong)


def test_python_on_the_pages_is_typed(tmp_path: Path) -> None:
    found = [block for every in BLOCKS.values() for block in every if block.language == "python"]
    files = [tmp_path / f"{block.name.replace('-', '_')}.py" for block in found]
    for file, block in zip(files, found, strict=True):
        file.write_text(block.text, encoding="utf-8")
    settings = tmp_path / "mypy.ini"
    settings.write_text(f"[mypy]\nmypy_path = {ROOT}:{ROOT / 'scenarios'}\n", encoding="utf-8")
    # In a process of its own: mypy raises the recursion limit of the one that it is imported in.
    options = ["--config-file", str(settings), "--cache-dir", str(ROOT / ".mypy_cache")]
    said = subprocess.run(
        [sys.executable, "-m", "mypy", *options, *map(str, files)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert len(found) >= 6
    assert said.stdout.startswith("Success"), said.stdout + said.stderr


NIGHTLY = 'runs = 20\n[[sweep]]\nscenarios = ["bbm_minimal::good"]\n'


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """Somebody with a scenario file, a litmus file, and a campaign that has ended."""
    session = Session(tmp_path_factory.mktemp("reader"))
    litmus, _ = (b for b in BLOCKS["litmus"] if b.markers.get("file"))
    session.put("told.jsonl", litmus.text)
    session.put("nightly.toml", NIGHTLY)
    with chdir(session.directory):
        session.run("simbbm campaign run nightly.toml -j 1")
    return session


@pytest.mark.parametrize("command", [c for c in INLINE if not not_run(c)])
def test_a_command_in_a_sentence_can_be_typed(
    command: str, reader: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(reader.directory)
    monkeypatch.setenv("NO_COLOR", "1")
    for long, short in SMALLER.items():
        command = command.replace(long, short)
    if command.startswith("simbbm "):
        if is_mentioned(command):
            return
        (reader.directory / "mine.py").unlink(missing_ok=True)
        if not command.startswith("simbbm new"):
            reader.run("simbbm new mine.py")
    code, out = reader.run(command)

    assert 0 == code, out


def is_mentioned(command: str) -> bool:
    """Whether it only names a command, or one with an option, which have to exist."""
    _, name, *words = command.split()
    context = click.Context(app)
    sub = app.get_command(context, name)
    assert sub is not None, f"there is no command {name}"
    if not words:
        return True
    try:
        sub.make_context(name, [*words])
    except (click.MissingParameter, click.BadOptionUsage):
        options = {option for parameter in sub.params for option in parameter.opts}
        assert all(word in options for word in words if word.startswith("-")), command
        return True
    return False


def commands() -> set[str]:
    """All commands on the pages."""
    every = (block for found in BLOCKS.values() for block in found)
    return {*INLINE, *(command for block in every for command, _ in block.commands)}


def test_what_is_not_run_is_little_and_its_options_are_read() -> None:
    left = {command for command in commands() if not_run(command)}
    different = {command.removeprefix(".venv/bin/") for command in left}

    assert all(any(part in command for command in left) for part in NOT_RUN), "no longer on a page"
    for command in left:
        if command.startswith("simbbm "):
            typed = re.sub(r'"[^"]*"', "1", command.replace("NAME", "random"))
            assert not is_mentioned(typed)
    assert len(different) < 30


def test_every_block_has_a_language_that_is_run() -> None:
    every = [block for found in BLOCKS.values() for block in found]

    assert [] == [block.name for block in every if block.language not in LANGUAGES]
    assert all(
        2 * len(BLOCKS[n]) == len(re.findall("^```", t, re.MULTILINE)) for n, t in PAGES.items()
    )
    unused = [b.name for b in every if b.language in {"json", "yaml", "ini"} and not b.markers]
    assert [] == unused


def test_commands_that_are_indented_would_not_be_seen() -> None:
    indented = [
        f"{name}: {line}"
        for name, text in PAGES.items()
        for line in FENCE.sub("", text).splitlines()
        if line.startswith("    simbbm ")
    ]

    assert [] == indented


@pytest.mark.parametrize(
    ("expected", "out", "alike"),
    [
        ("a  b\n", "a b\n", True),
        ("a\n...\nz\n", "a\nb c\nz\n", True),
        ("a\n...\n", "a\n", True),
        ("ok 0.1 s\n", "ok   12.34 s\n", True),
        ("at .simbbm/witness/123.json\n", "at .simbbm/witness/abc.json\n", True),
        ("ok\n", "FAIL\n", False),
        ("3 states\n", "4 states\n", False),
        ("", "something\n", False),
    ],
)
def test_what_is_printed_is_compared(expected: str, out: str, *, alike: bool) -> None:
    assert alike is agrees(expected, out)


def test_a_page_that_is_wrong_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (
        "```console\n$ simbbm list bbm_minimal::nosuch\n```\n"
        "```console\n$ simbbm --version\nsimbbm 99\n```\n"
    )
    wrong: list[list[str]] = [Session(tmp_path).play(block) for block in blocks("p", text)]

    assert "ends with 2, not 0" in wrong[0][0]
    assert "and not\nsimbbm 99" in wrong[1][0]
    assert isinstance(blocks("p", text)[0], Block)
