"""Logs and progress, on stderr: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from simbbm.host.terminal import stderr, visible

if TYPE_CHECKING:
    from simbbm.campaign.answers.searches import SoFar, Tell
SECONDS_BETWEEN_LINES = 10.0
WIDE = 110
"""Columns of a terminal that has room for a bar beside the numbers."""


class HowFar(Protocol):
    """How far a campaign is."""

    @property
    def runs(self) -> int:
        """Runs that were made."""

    @property
    def runs_requested(self) -> int | None:
        """Runs that are to be made; None if that depends on the time they take."""

    @property
    def failures(self) -> int:
        """Runs that failed."""

    @property
    def told(self) -> str:
        """What was found, in words."""


OnProgress = Callable[[HowFar], object]


def configure(log_format: str) -> Any:
    """Send every log to stderr, for people or as JSON; return a logger.

    To be called where something may be logged: structlog takes longer to import than many a search.
    """
    import structlog

    renderer: Any = structlog.processors.JSONRenderer()
    if log_format == "console":
        renderer = structlog.dev.ConsoleRenderer(colors=_on_terminal())
    structlog.configure(
        processors=[
            _shown,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S"),
            renderer,
        ],
        logger_factory=lambda *_: structlog.PrintLogger(stderr()),
        cache_logger_on_first_use=False,
    )
    return structlog.get_logger()


def _shown(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Show what a terminal would obey: colours come later."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = visible(value)
    return event


def _described(text: str) -> str:
    """Somebody's text where rich would look for markup."""
    from rich.markup import escape

    return escape(visible(text))


@contextmanager
def progress(name: str, log_format: str) -> Iterator[OnProgress]:
    """Show how far a campaign is while it runs; nothing of it is left when it has ended."""
    if log_format == "console" and _on_terminal(sys.stderr):
        with _bar(name) as show:
            yield show
    else:
        yield _lines(name, log_format)


@contextmanager
def _bar(name: str) -> Iterator[OnProgress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(file=stderr())
    columns = (
        TextColumn("{task.description}"),
        *([BarColumn(bar_width=20)] if console.width >= WIDE else []),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}/s"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console, transient=True) as bar:
        shown = _described(name)
        task = bar.add_task(shown, total=None, rate=0)

        def show(now: HowFar) -> None:
            found = f"  {now.told}" if now.told else ""
            bar.update(
                task,
                completed=now.runs,
                total=now.runs_requested,
                description=f"{shown}{found}",
                rate=f"{bar.tasks[0].speed or 0:,.0f}",
            )

        yield show


class SearchView:
    """How far searches are, while they run; of several a terminal shows only their names."""

    def __init__(self, log_format: str) -> None:
        self._log_format = log_format
        self._live = log_format == "console" and _on_terminal(sys.stderr)
        self._said = monotonic()

    @contextmanager
    def searching(self, name: str) -> Iterator[Tell]:
        """One search, in this process."""
        if self._live:
            with self._status(name) as update:
                yield lambda text: update(f"{_described(name)}  {text()}")
        else:
            yield lambda text: self._now_and_then(name, text)

    @contextmanager
    def waiting(self, names: str) -> Iterator[None]:
        """Several, elsewhere."""
        if self._live:
            with self._status(names):
                yield
        else:
            yield

    def heard(self, so_far: SoFar) -> None:
        """Log how far one of several is."""
        if not self._live:
            self._log(so_far.scenario, so_far.text)

    @contextmanager
    def _status(self, name: str) -> Iterator[Callable[[str], object]]:
        from rich.console import Console

        with Console(file=stderr()).status(_described(name)) as status:
            yield status.update

    def _now_and_then(self, name: str, text: Callable[[], str]) -> None:
        if monotonic() - self._said >= SECONDS_BETWEEN_LINES:
            self._said = monotonic()
            self._log(name, text())

    def _log(self, name: str, so_far: str) -> None:
        configure(self._log_format).info("searching", scenario=name, so_far=so_far)


def _lines(name: str, log_format: str) -> OnProgress:
    said = monotonic()

    def show(now: HowFar) -> None:
        nonlocal said
        if monotonic() - said >= SECONDS_BETWEEN_LINES:
            said = monotonic()
            log = configure(log_format)
            log.info("sampling", of=name, runs=now.runs, failures=now.failures, found=now.told)

    return show


def _on_terminal(stream: Any = None) -> bool:
    """Whether colours and bars are welcome."""
    return bool((stream or sys.stderr).isatty()) and not (
        stream is None and os.environ.get("NO_COLOR")
    )
