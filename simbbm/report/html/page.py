"""The page: its data, and the one file that it becomes (`document`).

Its data stands in a script element that is not run, without a `<` in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from markupsafe import Markup, escape

from simbbm.arm64.agents import CTX, DRAIN, DVM, EVICT, WALK
from simbbm.arm64.context import Shared
from simbbm.arm64.state import Machine
from simbbm.core.system import STEP
from simbbm.core.trace import HARDWARE
from simbbm.explore.counterexample.explanation import Explanation
from simbbm.host.amounts import amount
from simbbm.report.explanation import sentences
from simbbm.report.folding import SHOWN_WHOLE
from simbbm.report.forms import Request
from simbbm.report.html.arrows import DELIVERS, Arrow, arrows
from simbbm.report.html.document import document, shown
from simbbm.report.html.moment import Moments
from simbbm.report.html.plots import likelihood
from simbbm.report.html.tables import Box, layout
from simbbm.report.html.tracks import Tracks
from simbbm.report.told.case import Case
from simbbm.report.told.story import Story
from simbbm.report.told.telling import Replayed

STYLES = ("base.css", "plots.css", "page.css")
SCRIPTS = ("theme.js", "data.js", "timeline.js", "tables.js", "cpus.js", "page.js")
"""In the order in which they need one another."""
KINDS = {
    STEP: "step",
    DRAIN: "drain",
    WALK: "walk",
    EVICT: "walk",
    CTX: "register",
} | dict.fromkeys(DVM, "tlbi")
"""What is drawn alike; else it is an `event`: an interrupt, a WFE's event stream."""


class PageData(msgspec.Struct, frozen=True, kw_only=True):
    """What the page's script draws. Texts that may be met again are numbers of `values`."""

    steps: int
    loop: int | None
    """The step to which a run that goes round for ever comes back."""
    failed: bool
    """With its last step a property is broken, or nobody can go on."""
    short: bool
    """It is long and fails: at first only steps are shown that its end depends on."""
    cpus: tuple[str, ...]
    events: list[tuple[int, str, int, int, int, int]]
    """Of each step: CPU, kind, text, routine, notes, label."""
    kernel: dict[str, str]
    """Where the kernel has the routines: file, and function where that has another name."""
    telling: list[int]
    arrows: tuple[Arrow, ...]
    boxes: tuple[Box, ...]
    words: list[tuple[str, str]]
    """Parts that are words of memory, with their names."""
    values: list[Any]
    tracks: dict[str, list[int]]


def as_html(request: Request) -> str:
    """Return what was asked for as one HTML file."""
    return page(request.case, everything=request.everything, replay=request.replay)


def page(
    case: Case,
    *,
    everything: bool = False,
    replay: str = "",
    beside: Sequence[tuple[str, str]] = (),
) -> str:
    """Return a witness as one HTML file.

    `everything`: no step is hidden at first; `replay`: the command that replays it; `beside`:
    files that it links to, each with the words for the link.
    """
    data = page_data(case.story, case.run, everything=everything)
    return rendered(case.story, data, case.explained, replay, beside)


def page_data(story: Story, run: Replayed, *, everything: bool = False) -> PageData:
    """Return what the page of a run draws."""
    shared, steps = run.shared, run.steps
    states = run.states
    boxes = layout(shared, states)
    moments, tracks = Moments(shared, boxes), Tracks()
    for before, state in zip([None, *states], states, strict=False):
        tracks.add(moments.parts(state, before))
    events = [
        (
            event.cpu,
            KINDS.get(step.move.kind, "event"),
            tracks.number(event.text.removeprefix(f"{HARDWARE} ")),
            tracks.number(event.function),
            tracks.number("; ".join(event.notes)),
            tracks.number(event.label),
        )
        for event, step in zip(story.events, steps, strict=True)
    ]
    found = arrows(shared, steps, story.sources)
    telling = set(story.telling)
    telling |= {a.earlier for a in found if a.how == DELIVERS and a.later in telling}
    return PageData(
        steps=len(steps),
        loop=story.witness.loop,
        failed=story.problem is not None and story.witness.loop is None,
        short=len(steps) > SHOWN_WHOLE and story.problem is not None and not everything,
        cpus=story.cpus,
        events=events,
        kernel={
            event.function: where
            for event in story.events
            if (where := story.kernel_has(event.function))
        },
        telling=sorted(telling),
        arrows=found,
        boxes=boxes,
        words=[*_words(shared, states)],
        values=tracks.values,
        tracks=tracks.by_part,
    )


def _words(shared: Shared, states: list[Machine]) -> Iterator[tuple[str, str]]:
    """The words of memory that change."""
    if not states:
        return
    start = states[0].memory.data
    changed = {
        address
        for data in {id(s.memory.data): s.memory.data for s in states}.values()
        for address, _ in data.items() ^ start.items()
    }
    yield from ((f"w{address}", shared.name(address)) for address in sorted(changed))


def rendered(
    story: Story,
    data: PageData,
    explained: Explanation | None = None,
    replay: str = "",
    beside: Sequence[tuple[str, str]] = (),
) -> str:
    """The page with that data."""
    witness = story.witness
    curve = explained.curve if explained else None
    steps = amount(len(story.events), "step")
    if witness.loop is not None:
        steps += f", the last {len(story.events) - witness.loop} of them over and over"
    return document(
        "page.html.j2",
        STYLES,
        SCRIPTS,
        scenario=shown(witness.scenario),
        params=[shown(f"{name}={value}") for name, value in witness.params.items()],
        failed=story.problem is not None,
        verdict=shown(f"{witness.verdict} {witness.property or ''}".strip()),
        steps=steps,
        told=[shown(part) for part in story.message.split("; ") if part],
        because=[shown(text) for text in story.because],
        explained=[shown(text) for text in sentences(explained)] if explained else [],
        chances=likelihood(curve.chances) if curve else None,
        meaning=shown(story.meaning),
        replay=shown(replay),
        beside=shown(beside),
        digest=story.digest,
        with_links=_with_links,
        data=_embedded(data),
    )


def _with_links(text: str) -> Markup:
    """A text in which steps are links to them."""
    linked = re.sub(r"\bstep (\d+)\b", r'<a href="#step-\1">step \1</a>', str(escape(text)))
    return Markup(linked)  # noqa: S704 - it has been escaped


def _embedded(data: PageData) -> Markup:
    """Data as JSON that no parser of HTML takes for an end of anything."""
    text = msgspec.json.encode(shown(msgspec.to_builtins(data))).decode()
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - it has been escaped


__all__ = ["PageData", "page", "page_data", "rendered"]
