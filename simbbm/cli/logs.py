"""Logs and progress, on stderr: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any

from simbbm.host.terminal import stderr, visible

if TYPE_CHECKING:
    from simbbm.campaign.stress import Progress
    from simbbm.explore.search.breadth_first import Progress as SearchProgress

SECONDS_BETWEEN_LINES = 10.0
SECONDS_BEFORE_ESTIMATE = 2.0

OnProgress = Callable[["Progress"], object]


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
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("runs"),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=Console(file=stderr()), transient=True) as bar:
        shown = _described(name)
        task = bar.add_task(shown, total=None)

        def show(now: Progress) -> None:
            failed = f"  {now.failures} failed" if now.failures else ""
            bar.update(
                task,
                completed=now.runs,
                total=now.runs_requested,
                description=f"{shown}{failed}",
            )

        yield show


@contextmanager
def searching(
    name: str, log_format: str, *, alone: bool = True, longest: Callable[[], int] = lambda: 0
) -> Iterator[Callable[[SearchProgress], object]]:
    """Show how far a search is while it runs; of several, a terminal shows only their names.

    `longest` gives about how many steps the runs of a scenario take: how far a search has to go.
    """
    about: list[int] = []

    def how_far(now: SearchProgress) -> str:
        if not about and now.seconds >= SECONDS_BEFORE_ESTIMATE:
            about.append(longest())
        return _how_far(now, about[0] if about else 0)

    if log_format == "console" and _on_terminal(sys.stderr):
        if not alone:
            yield lambda _: None
            return
        from rich.console import Console

        shown = _described(name)
        with Console(file=stderr()).status(shown) as status:
            yield lambda now: status.update(f"{shown}  {how_far(now)}")
    else:
        said = monotonic()

        def show(now: SearchProgress) -> None:
            nonlocal said
            if monotonic() - said >= SECONDS_BETWEEN_LINES:
                said = monotonic()
                log = configure(log_format)
                log.info("searching", scenario=name, so_far=how_far(now))

        yield show


def _how_far(now: SearchProgress, about: int) -> str:
    rate = now.states / now.seconds if now.seconds else 0.0
    estimate = f" of about {about}" if about else ""
    left = f"{now.frontier:,} left at distance {now.depth}{estimate}"
    return f"{now.states:,} states, {left}, {rate:,.0f} states/s"


def _lines(name: str, log_format: str) -> OnProgress:
    said = monotonic()

    def show(now: Progress) -> None:
        nonlocal said
        if monotonic() - said >= SECONDS_BETWEEN_LINES:
            said = monotonic()
            log = configure(log_format)
            log.info("sampling", scenario=name, runs=now.runs, failures=now.failures)

    return show


def _on_terminal(stream: Any = None) -> bool:
    """Whether colours and bars are welcome."""
    return bool((stream or sys.stderr).isatty()) and not (
        stream is None and os.environ.get("NO_COLOR")
    )
