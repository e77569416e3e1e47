"""A counterexample as text: one column a CPU, one row a step, time runs down.

What hardware does by itself stands in its CPU's column behind a `~`. A routine's name stands above
its steps, the first time with the kernel's file and function that it stands for. Where the columns
would be too narrow, it is a list with one line a step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from textwrap import wrap
from typing import TYPE_CHECKING, NamedTuple

from simbbm.core.trace import TraceEvent
from simbbm.host.amounts import amount
from simbbm.report.explanation import sentences
from simbbm.report.folding import is_shown, stretches
from simbbm.report.forms import Request
from simbbm.report.told.story import Story

if TYPE_CHECKING:
    from simbbm.explore.counterexample.explanation import Explanation

COLUMN_MIN = 24
WIDTH_MAX = 180
MARGIN = 7
"""The mark of the last step, its number, and two blanks."""
LEGEND = "<-N: what is read was written at step N; of a drain (~), the store that was issued there"


class Line(NamedTuple):
    """One line; `style` is `head`, `routine`, `hardware`, `elided`, `bad`, or nothing special."""

    text: str
    style: str = ""


def as_columns(request: Request) -> Iterator[Line]:
    """Return a story as lines for a terminal."""
    return render(
        request.case.story,
        lambda: request.case.explained,
        width=request.width,
        everything=request.everything,
        replay=request.replay,
    )


def render(
    story: Story,
    explained: Callable[[], Explanation | None] = lambda: None,
    *,
    width: int = 100,
    everything: bool = False,
    replay: str = "",
) -> Iterator[Line]:
    """Return a story as lines that are at most `width` wide, where a name allows it.

    `explained` is asked when the picture stands: it may take searches, and the picture none.
    """
    width = min(max(width, 40), WIDTH_MAX)
    yield from _head(story, width)
    column = (width - MARGIN) // max(len(story.cpus), 1)
    if column >= COLUMN_MIN:
        yield from _columns(story, column, everything=everything)
    else:
        yield from _list(story, width, everything=everything)
    yield from _end(story, explained, width, everything=everything)
    if replay:
        yield Line(f"replay with: {replay}")


def _head(story: Story, width: int) -> Iterator[Line]:
    witness = story.witness
    params = " ".join(f"{name}={value}" for name, value in witness.params.items())
    yield from _wrapped(witness.scenario, width, style="head")
    yield from _wrapped(params, width, indent="  ")
    yield Line("")


def _end(
    story: Story, explained: Callable[[], Explanation | None], width: int, *, everything: bool
) -> Iterator[Line]:
    witness = story.witness
    steps = amount(len(story.events), "step")
    if witness.loop is not None:
        yield from _wrapped(f"and so on, for ever, from step {witness.loop}", width, " " * MARGIN)
        steps += f", the last {len(story.events) - witness.loop} of them over and over"
    yield Line("")
    if witness.property is None:
        yield Line(f"{witness.verdict} after {steps}", "head")
        return
    yield Line(f"{witness.verdict} {witness.property} after {steps}", "bad")
    for text in (*story.message.split("; "), *story.because):
        yield from _wrapped(text, width, indent="  ")
    for text in _explanation(story, explained(), everything=everything):
        yield from _wrapped(text, width, indent="  ")
    if any(story.sources.values()):
        yield from _wrapped(f"({LEGEND})", width, indent="  ", style="elided")
    if story.meaning:
        yield from _wrapped(f"({story.meaning})", width, indent="  ", style="elided")


def _explanation(story: Story, explained: Explanation | None, *, everything: bool) -> Iterator[str]:
    """What is found by searching; with the step that seals it, if that was left out above."""
    if explained is None:
        return
    yield from sentences(explained)
    step = explained.curve.no_return if explained.curve else -1
    if 0 <= step < len(story.events) and not is_shown(story, step, everything=everything):
        event = story.events[step]
        where = f"{event.function}: " if event.function else ""
        yield f"step {step} is cpu{event.cpu} {where}{_text(story, event)}"


def _columns(story: Story, column: int, *, everything: bool) -> Iterator[Line]:
    heads = "".join(name.ljust(column) for name in story.cpus)
    yield Line(f"{'step':>{MARGIN - 2}}  {heads}".rstrip(), "head")
    routine: dict[int, str] = {}
    met: set[str] = set()
    for event in stretches(story, everything=everything):
        if isinstance(event, str):
            yield from _wrapped(event, MARGIN + column * len(story.cpus), " " * MARGIN, "elided")
            continue
        indent = " " * (MARGIN + event.cpu * column)
        if event.function and routine.get(event.cpu) != event.function:
            routine[event.cpu] = event.function
            kernel = "" if event.function in met else story.kernel_has(event.function)
            met.add(event.function)
            right = MARGIN + column * len(story.cpus)
            yield from _routine(event.function, kernel, indent, column, right)
        lead = "" if event.is_hardware else "  "
        cell = wrap(
            _text(story, event), column - 1, initial_indent=lead, subsequent_indent=lead + "    "
        )
        style = _style(story, event)
        yield Line(f"{_number(story, event)}{indent[MARGIN:]}{cell[0]}", style)
        yield from (Line(indent + more, style) for more in cell[1:])


def _routine(name: str, kernel: str, indent: str, column: int, right: int) -> Iterator[Line]:
    """A routine's name above its steps; one that is too long begins further to the left."""
    beside = f" ({kernel})" if kernel else ""
    if len(name + beside) < column:
        yield Line(f"{indent}{name}{beside}:", "routine")
        return
    yield Line(f"{indent[: right - len(name) - 1]}{name}:", "routine")
    if kernel:
        yield Line(f"{indent[: right - len(kernel) - 3]} ({kernel})", "routine")


def _list(story: Story, width: int, *, everything: bool) -> Iterator[Line]:
    met: set[str] = set()
    for event in stretches(story, everything=everything):
        if isinstance(event, str):
            yield from _wrapped(event, width, " " * MARGIN, "elided")
            continue
        who = f"cpu{event.cpu} "
        where = f"{event.function}: " if event.function else ""
        if where and event.function not in met:
            kernel = story.kernel_has(event.function)
            where = f"{event.function} ({kernel}): " if kernel else where
            met.add(event.function)
        lead = _number(story, event) + who
        yield from _wrapped(
            where + _text(story, event), width, lead, _style(story, event), " " * len(lead) + "  "
        )


def listed(event: TraceEvent) -> str:
    """Return one event as one line, whatever its width."""
    where = f"{event.function}: " if event.function else ""
    return f"{event.step:>{MARGIN - 2}}  cpu{event.cpu} {where}{event.told}"


def _text(story: Story, event: TraceEvent) -> str:
    """A step, with the steps that it reads from, or that issued what reaches memory."""
    sources = story.sources.get(event.step, ())
    return event.told + (f" <-{','.join(map(str, sources))}" if sources else "")


def _is_last(story: Story, event: TraceEvent) -> bool:
    return story.problem is not None and event is story.events[-1]


def _number(story: Story, event: TraceEvent) -> str:
    mark = ">" if _is_last(story, event) else " "
    return f"{mark}{event.step:>{MARGIN - 3}}  "


def _style(story: Story, event: TraceEvent) -> str:
    if _is_last(story, event):
        return "bad"
    return "hardware" if event.is_hardware else ""


def _wrapped(
    text: str, width: int, indent: str = "", style: str = "", then: str | None = None
) -> Iterator[Line]:
    rest = " " * (len(indent) + 2) if then is None else then
    for line in wrap(
        text, width, initial_indent=indent, subsequent_indent=rest, break_on_hyphens=False
    ):
        yield Line(line, style)
