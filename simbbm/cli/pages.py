"""Pages of counterexamples, each made by a process of its own if there are several.

Whoever imports this imports all that a page is made with: once, before those processes begin.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from simbbm.campaign.processes import available_cpus
from simbbm.campaign.tasks import SideBySide
from simbbm.cli.exits import Exit
from simbbm.cli.logs import SearchView
from simbbm.core.errors import SimbbmError
from simbbm.explore.witness.recording import Witness
from simbbm.host.defects import defect, whole_traceback
from simbbm.ids import user_file
from simbbm.recorded import recorded
from simbbm.report.html.page import page
from simbbm.report.told.case import Case

STATES = 5_000
"""How far each search for what a counterexample needs may go, as for `show`."""
CURVE_STATES = 20_000
"""How far the one for its probabilities may go: enough for most shipped mistakes on 3 CPUs."""


class PageWanted(NamedTuple):
    """A page to be made, in a form that can be sent to another process."""

    name: str
    witness: Witness
    replay: str
    explained: bool

    def __str__(self) -> str:
        return f"page of {self.witness.scenario}"


class PageMade(NamedTuple):
    """A page, or why there is none."""

    html: str | None
    why: str = ""
    exit: Exit = Exit.EXPECTED


def page_of(wanted: PageWanted) -> PageMade:
    """Make one page. What goes wrong costs this page, and no other."""
    file = user_file(wanted.witness.scenario)
    try:
        found = recorded(wanted.witness, [file] if file else [], "")
        case = Case(wanted.witness, lambda: found, states=STATES, curve_states=CURVE_STATES)
        if not wanted.explained:
            case.explained = None
        html = page(
            case,
            replay=wanted.replay,
            beside=(("../index.html", "report"), (f"{wanted.name}.json", "witness file")),
        )
    except MemoryError:
        return PageMade(None, "out of memory", Exit.INTERNAL)
    except Exception as error:
        if whole_traceback():
            raise
        told = error if isinstance(error, SimbbmError) else defect(error)
        return PageMade(None, str(told), Exit.INTERNAL)
    return PageMade(html)


def no_page(wanted: PageWanted, why: str, *, interrupted: bool) -> PageMade:  # noqa: ARG001 - as SideBySide calls it
    """What there is of a page whose process ended before it was made."""
    return PageMade(None, why, Exit.INTERRUPTED if interrupted else Exit.INTERNAL)


def made(wanted: Sequence[PageWanted], jobs: int | None, log_format: str) -> list[PageMade]:
    """Make all pages; those that were not begun when Ctrl-C came are interrupted as well."""
    jobs = jobs or available_cpus()
    found: list[PageMade] = []
    try:
        if len(wanted) < 2 or jobs == 1:
            found.extend(map(page_of, wanted))
        else:
            found.extend(SideBySide(page_of, no_page, wanted, jobs, SearchView(log_format).waiting))
    except KeyboardInterrupt:
        pass
    left = wanted[len(found) :]
    return found + [no_page(each, "interrupted", interrupted=True) for each in left]
