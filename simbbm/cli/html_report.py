"""`--html DIR`: what a command finds, as a report for a browser, beside what it prints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from simbbm.cli.exits import Exit, worst
from simbbm.host.terminal import complain
from simbbm.host.writing import reason

if TYPE_CHECKING:
    from simbbm.explore.witness.kept import Kept
    from simbbm.report.html.parts import Entry, PartName, ReportRow

F = TypeVar("F", bound=Callable[..., Any])
INTERRUPTED = "interrupted"
HOLDS = {Exit.EXPECTED: True, Exit.UNEXPECTED: False}


def html_option(function: F) -> F:
    """Give a command `--html`."""
    return click.option(
        "--html",
        "html",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Also write a report for a browser: DIR/index.html, a page for each counterexample.",
    )(function)


class HtmlReport:
    """The report of one command; without a folder it takes everything and does nothing."""

    def __init__(
        self,
        folder: Path | None,
        part: PartName,
        jobs: int | None = None,
        log_format: str = "console",
    ) -> None:
        """Raise UsageError for a folder that a report must not or cannot be written to."""
        self._folder = None
        if folder is not None:
            from simbbm.report.html.folder import Folder

            self._folder = Folder(folder)
        self._part = part
        self._jobs = jobs
        self._log_format = log_format
        self._entries: list[Entry] = []
        self._kept: dict[str, Kept] = {}

    @property
    def asked(self) -> bool:
        """Whether there is a folder."""
        return self._folder is not None

    def add(self, row: ReportRow, kept: Kept | None = None, *, passed: Exit | None = None) -> None:
        """Note a row with its counterexample; `passed`: what a verdict means for the exit code."""
        if not self.asked:
            return
        from simbbm.explore.witness.files import name_of
        from simbbm.report.html.parts import Entry, constant

        name = None
        if kept:
            name = name_of(kept.witness)
            self._kept[name] = kept
        holds = None if passed is None else HOLDS.get(passed)
        self._entries.append(Entry(row=constant(row), page=name, passed=holds))

    def ended(self, codes: list[Exit]) -> Exit:
        """Write what was found by a command that ends with these codes; return the one for all."""
        unfinished = INTERRUPTED if Exit.INTERRUPTED in codes else ""
        return worst(codes + self.write(unfinished))

    def write(self, unfinished: str = "") -> list[Exit]:
        """Write what was found, and say in one line if that fails; return what becomes of it.

        `unfinished`: why something that was asked for was not looked at. Pages are then made
        without what takes time.
        """
        if self._folder is None:
            return []
        from simbbm.cli.pages import PageWanted, made
        from simbbm.cli.verdicts import allowing
        from simbbm.explore.witness.files import as_file
        from simbbm.report.html.folder import Page
        from simbbm.report.html.parts import Entry, Part

        wanted = []
        for name, kept in self._kept.items():
            replay = f"simbbm replay {kept.token}{allowing(kept.witness.scenario)}"
            wanted.append(PageWanted(name, kept.witness, replay, explained=not unfinished))
        pages, codes = dict[str, Page](), list[Exit]()
        for each, page in zip(wanted, made(wanted, self._jobs, self._log_format), strict=True):
            codes.append(page.exit)
            if page.html is not None:
                pages[each.name] = Page(page.html, as_file(each.witness))
            elif page.exit is not Exit.INTERRUPTED:
                complain(f"warning: no page of {each.witness.scenario}: {page.why}")
        cut = INTERRUPTED if Exit.INTERRUPTED in codes else ""
        entries = (
            Entry(row=e.row, page=e.page if e.page in pages else None, passed=e.passed)
            for e in self._entries
        )
        part = Part(entries=(*entries,), unfinished=unfinished or cut)
        try:
            self._folder.write(self._part, part, pages)
        except OSError as error:
            complain(f"cannot write the report to {self._folder.path}: {reason(error)}")
            codes.append(Exit.USAGE)
        return codes
