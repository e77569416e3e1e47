"""The folder of a report: index.html, a page for each counterexample, and what they are made of.

A folder belongs to a report if report.json says so; with any other file in it, it is somebody
else's and left alone (files whose names begin with a dot are not looked at: `.git`, `.nojekyll`).
A further command with the same folder adds its part, or replaces it.

Every file is written whole or not at all, pages before the index that links to them, and pages that
nothing links to any more are removed last. So whoever looks, at any time, finds no broken link, and
whoever is interrupted leaves what can be gone on with.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from simbbm.core.errors import UsageError
from simbbm.host import reading
from simbbm.host.reading import quoted
from simbbm.host.writing import write
from simbbm.report.html.index import index
from simbbm.report.html.parts import Part, PartName, Report

DATA, INDEX, PAGES = "report.json", "index.html", "counterexamples"
_MADE = re.compile("([0-9a-f]{12,64})[.](html|json)")
_HINT = "name a new folder, or an empty one"


class Page(NamedTuple):
    """A counterexample: its page, and its witness as a file beside that."""

    html: str
    witness: bytes


class Folder:
    """A folder that a report may be written to; UsageError if it must not or cannot be."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.report()
        above = next(p for p in (path.absolute(), *path.absolute().parents) if os.path.lexists(p))
        if not reading.is_folder(above):
            raise UsageError(f"cannot write a report to {quoted(path)}: not a folder", _HINT)
        if not os.access(above, os.W_OK | os.X_OK):
            raise UsageError(f"cannot write a report to {quoted(path)}: Permission denied")

    def report(self) -> Report:
        """The report that is there."""
        if not reading.is_folder(self.path):
            return Report()
        data = self.path / DATA
        if not reading.is_file(data):
            if [name for name in _names(self.path) if not name.startswith(".")]:
                told = f"{quoted(self.path)} has files in it that are no report of simbbm"
                raise UsageError(told, _HINT)
            return Report()
        try:
            return reading.json(reading.content(data), Report)
        except UsageError as error:
            told = f"{quoted(data)}: not a report of this version of simbbm: {error.message}"
            raise UsageError(told, "remove that folder, or name another") from None

    def write(self, command: PartName, part: Part, pages: Mapping[str, Page]) -> None:
        """Add a part and its pages, in place of what it was; OSError if that fails."""
        data = msgspec.json.encode(self.report().with_part(command, part))
        report = reading.json(data, Report)  # what the next command will find
        self.path.mkdir(parents=True, exist_ok=True)
        write(self.path / DATA, msgspec.json.format(data, indent=1) + b"\n")
        folder = self.path / PAGES
        folder.mkdir(exist_ok=True)
        for name, page in pages.items():
            write(folder / f"{name}.json", page.witness)
            write(folder / f"{name}.html", page.html.encode())
        write(self.path / INDEX, index(report).encode())
        linked = report.pages()
        for name in _names(folder):
            made = _MADE.fullmatch(name)
            if made and made[1] not in linked:
                (folder / name).unlink(missing_ok=True)


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names are all that is wanted
    except OSError as error:
        raise UsageError(f"{quoted(folder)}: {error.strerror}") from None
