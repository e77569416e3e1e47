"""A counterexample as a sequence diagram of Mermaid, which Markdown pages draw.

A diagram of hundreds of steps helps nobody: what the end depends on is drawn, and the rest is
counted, unless everything is asked for. A program's steps are notes on its CPU's line; what
hardware does is an arrow from the hardware's. Dotted arrows lead to a step from the write that it
reads from, or from the store that it drains. A livelock is a loop.
"""

from __future__ import annotations

from collections.abc import Iterator

from simbbm.core.trace import HARDWARE, TraceEvent
from simbbm.host.amounts import amount
from simbbm.report.folding import told_shortly
from simbbm.report.forms import Request
from simbbm.report.told.story import Story

_ESCAPED = {character: f"#{ord(character)};" for character in "#;<>%$"} | {"\n": " ", "\r": " "}
"""A semicolon ends a statement; a hash begins a comment, or a character by its number; two per cent
signs begin a directive, two dollars a formula; what stands in angle brackets may be HTML."""


def as_mermaid(request: Request) -> str:
    """Return the diagram, without the fence that goes around it on a page."""
    lines = _lines(request.case.story, everything=request.everything)
    return "".join(f"{line}\n" for line in ("sequenceDiagram", *lines))


def _lines(story: Story, *, everything: bool) -> Iterator[str]:
    yield f"  title {escaped(story.witness.scenario)}"
    for cpu, name in enumerate(story.cpus):
        yield f"  participant cpu{cpu} as {escaped(name)}"
    yield "  participant hw as hardware"
    quiet: list[TraceEvent] = []
    indent = "  "
    for event in story.events:
        if event.step == story.witness.loop:
            yield from _left_out(quiet, indent)
            quiet = []
            yield f"{indent}loop for ever, from step {event.step} on"
            indent = "    "
        if not everything and event.step not in story.telling:
            quiet.append(event)
            continue
        yield from _left_out(quiet, indent)
        quiet = []
        yield from (indent + arrow for arrow in _arrows(story, event))
        yield indent + _step(event)
    yield from _left_out(quiet, indent)
    if indent != "  ":
        yield "  end"
    yield f"  Note over cpu0,hw: {'<br/>'.join(map(escaped, _end(story)))}"


def _left_out(quiet: list[TraceEvent], indent: str) -> Iterator[str]:
    for part in told_shortly(quiet):
        said = f"Note over cpu0,hw: {escaped(part)}" if isinstance(part, str) else _step(part)
        yield indent + said


def _arrows(story: Story, event: TraceEvent) -> Iterator[str]:
    """From the lines on which stands what a step reads from, or what it brings to memory."""
    for source in story.sources.get(event.step, ()):
        if (line := _line(story.events[source])) != _line(event):
            yield f"{line}-->>{_line(event)}: from step {source}"


def _line(event: TraceEvent) -> str:
    return "hw" if event.is_hardware else f"cpu{event.cpu}"


def _step(event: TraceEvent) -> str:
    text = event.told
    if event.is_hardware:
        return f"hw->>cpu{event.cpu}: {event.step} {escaped(text.removeprefix(HARDWARE).strip())}"
    function = f"{event.function}: " if event.function else ""
    return f"Note over cpu{event.cpu}: {event.step} {escaped(function + text)}"


def _end(story: Story) -> Iterator[str]:
    witness = story.witness
    property_ = f" {witness.property}" if witness.property else ""
    yield f"{witness.verdict}{property_} after {amount(len(story.events), 'step')}"
    if witness.property:
        yield from story.message.split("; ")
        yield from story.because


def escaped(text: str) -> str:
    """A text that Mermaid shows as it is."""
    return "".join(_ESCAPED.get(character, character) for character in text)
