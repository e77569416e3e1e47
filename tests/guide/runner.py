"""Runs what pages tell a reader to type, and compares what they say is answered.

A block of `sh` has a command a line; of `console`, commands behind `$ ` and what they print, where
`...` stands for anything. Markers stand right above a block: `<!-- file NAME -->` puts it into a
file, `<!-- exit N -->` is the exit code of its first command, else 0. WITNESS and TOKEN are the
counterexample that was met last.
"""

from __future__ import annotations

import os
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.binary.kernels import LIKE_THE_MODEL, small_kernel
from tests.cli.commandline import Cli
from tests.images.small import small_image

FENCE = re.compile(r"((?:^<!-- [^\n]+ -->\n)*)^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARKER = re.compile(r"<!-- (\S+)(?: (\S+))? -->")
TOKEN = re.compile(r"\bsb\d[0-9a-z]{20,}")
WITNESS = re.compile(r"\S*\.simbbm/witness/\w+\.json|WITNESS")
SECONDS = re.compile(r"\b\d+\.\d+ s\b")
SHELL = set("|;&<>$*'\"`")
"""What only a shell understands."""


FAILING = "simbbm explore bbm_minimal::live_change --json"
"""A counterexample, where a page has none before it speaks of one."""


class Block(NamedTuple):
    """A block of code on a page."""

    page: str
    number: int
    language: str
    text: str
    markers: dict[str, str]

    @property
    def name(self) -> str:
        """By which tests tell it."""
        return f"{self.page}-{self.number}"

    @property
    def commands(self) -> list[tuple[str, str | None]]:
        """Its commands, with what is said that they print; None: nothing is said."""
        if self.language == "sh":
            lines = self.text.replace("\\\n", "").splitlines()
            return [(line, None) for line in lines if line.strip()]
        if self.language == "console":
            text = self.text.replace("\\\n", "")
            _, *parts = re.split(r"^\$ (.+)\n", text, flags=re.MULTILINE)
            return [*zip(parts[::2], parts[1::2], strict=True)]
        return []


def blocks(page: str, text: str) -> list[Block]:
    """The blocks of a page in order."""
    return [
        Block(page, number, language, content, dict(MARKER.findall(markers)))
        for number, (markers, language, content) in enumerate(FENCE.findall(text))
    ]


def inline(text: str) -> Iterator[str]:
    """Commands with arguments that stand within sentences."""
    for code in re.findall(r"`([^`]+)`", FENCE.sub("", text)):
        command = " ".join(code.split())
        if re.match(r"(simbbm|nox|pytest|python3?|pip) \S+ ?", command) and "=" != command[-1]:
            yield command


class Session:
    """A reader's directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._cli = Cli(directory)
        self._token = ""

    def put(self, name: str, text: str) -> None:
        """Write a file."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def run(self, command: str) -> tuple[int, str]:
        """Run one command; exit code and what it prints."""
        if "vmlinuz" in command:
            self._put_kernel(splits="simbbm kernel" not in command)
        if "WITNESS" in command:
            command = command.replace("WITNESS", self._witness())
        if "TOKEN" in command and not self._token:
            self.run(FAILING)
        command = command.replace("TOKEN", self._token)
        if command.startswith("simbbm ") and not SHELL & set(command):
            result = self._cli(*shlex.split(command)[1:])
            code, out = result.exit_code, result.stdout
        else:
            code, out = self._by_shell(command)
        self._token = (TOKEN.findall(out) or [self._token])[-1]
        return code, out

    def _by_shell(self, command: str) -> tuple[int, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-c", f"set -e; {command}"],
            cwd=self.directory,
            env=os.environ | {"PATH": path, "COLUMNS": "100"},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + (done.stderr if done.returncode else "")

    def _put_kernel(self, *, splits: bool) -> None:
        """A kernel of our own, the same as the one before it, and its System.map.

        One that can be proved, or one with more in it.
        """
        built = small_kernel(extra=LIKE_THE_MODEL)
        data = small_image() if splits else built.image()
        for name in ("vmlinuz", "vmlinuz.old"):
            (self.directory / name).write_bytes(data)
        lines = [f"{at:016x} T {name}\n" for name, at in built.symbols.items()]
        self.put("System.map", "".join(lines))

    def _witness(self) -> str:
        """The newest of a shipped scenario; one of the smallest protocol if there is none."""
        folder = self.directory / ".simbbm" / "witness"
        found = [path for path in folder.glob("*.json") if ".py::" not in path.read_text()]
        if not found:
            code, out = self.run(FAILING)
            assert 0 == code, out
            return self._witness()
        newest = max(found, key=lambda path: path.stat().st_mtime_ns)
        return str(newest.relative_to(self.directory))

    def play(self, block: Block) -> list[str]:
        """Do what a block says; return what is not as it says."""
        if name := block.markers.get("file"):
            self.put(name, block.text)
        elif block.language == "python":
            self._python(block)
        wrong = []
        code = int(block.markers.get("exit", 0))
        for command, expected in block.commands:
            got, out = self.run(command)
            if got != code and not (code and "|" in command):
                wrong.append(f"$ {command}\nends with {got}, not {code}:\n{out}")
            if expected is not None and not agrees(expected, out):
                wrong.append(f"$ {command}\nprints\n{out}\nand not\n{expected}")
            code = 0
        return wrong

    def _python(self, block: Block) -> None:
        """Run a module; what pytest would call as well."""
        name = f"block_{block.number}.py"
        self.put(name, block.text)
        for found, function in runpy.run_path(name, run_name="__main__").items():
            if found.startswith("test_"):
                function()


def agrees(expected: str, out: str) -> bool:
    """Whether a page says what is printed, but for blanks, seconds, and names of witnesses."""
    words = [".*" if word == "..." else re.escape(word) for word in _comparable(expected).split()]
    return bool(re.fullmatch(r"\s*".join(words), _comparable(out).strip(), re.DOTALL))


def _comparable(text: str) -> str:
    return SECONDS.sub("T s", TOKEN.sub("TOKEN", WITNESS.sub("WITNESS", text)))
