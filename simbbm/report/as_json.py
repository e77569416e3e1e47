"""A story as one JSON object: everything that the other reports are made of."""

from __future__ import annotations

from typing import Any

from simbbm.report.explanation import numbers
from simbbm.report.forms import Request
from simbbm.report.rows import Row, encode


class TraceRow(Row, tag="trace", tag_field="type", frozen=True, kw_only=True):
    """A run with all its steps."""

    scenario: str
    params: dict[str, Any]
    verdict: str
    property: str | None
    message: str
    because: list[str]
    steps: int
    loop: int | None
    """Of a livelock: the step whose state the last step returns to."""
    digest: str
    cpus: list[str]
    events: list[dict[str, Any]]
    """Each with step, cpu, agent, label, text, function, notes; `telling`: never left out."""
    allowances: dict[str, list[str]] | None
    """Freedoms of the hardware: used, needed, undecided."""
    chances: list[float] | None
    """Before each step and at the end: how likely a uniform scheduler fails like this."""
    no_return: int | None
    """The step from which on nothing can prevent it."""


def as_json(request: Request) -> str:
    """Return the trace as one line."""
    story = request.case.story
    witness = story.witness
    row = TraceRow(
        scenario=witness.scenario,
        params=dict(witness.params),
        verdict=witness.verdict,
        property=witness.property,
        message=story.message,
        because=list(story.because),
        steps=len(story.events),
        loop=witness.loop,
        digest=story.digest,
        cpus=list(story.cpus),
        events=[e._asdict() | {"telling": e.step in story.telling} for e in story.events],
        **numbers(request.case.explained),
    )
    return encode(row) + "\n"
