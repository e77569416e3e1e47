"""What a witness is: one run of one scenario, as data.

A counterexample is a witness whose verdict is VIOLATED or STUCK; there is no second class. Its
schedule stands in it field by field, as files have it.
"""

from __future__ import annotations

import msgspec

from simbbm.check.verdict import Verdict
from simbbm.explore.runs.schedule import Decision
from simbbm.host.reading import STEPS_MAX, is_one_line

SCHEMA = "simbbm-witness/1"
STATE_EVERY = 8
"""Steps from one recorded state digest to the next."""


class Found(msgspec.Struct, frozen=True):
    """Where the run came from. Not needed to replay it."""

    strategy: str
    seed: int
    number: int


class Witness(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one scenario."""

    schema: str = SCHEMA
    scenario: str
    params: dict[str, int | str]
    decisions: tuple[Decision, ...]
    states: tuple[str, ...] = ()
    """The state's digest before steps 0, 8, 16, …: they show where a replay first diverges."""
    verdict: Verdict
    property: str | None
    message: str = ""
    steps: int
    loop: int | None = None
    """Of a livelock: the step whose state the last step returns to; None: the run has no loop."""
    digest: str
    """Of the trace; a token keeps its beginning only."""
    found: Found | None = None
    version: str = ""
    image: str = ""
    """Of machine code: the kernel image that the run was made on (`Programs.identity`)."""


def mistake(witness: Witness) -> str | None:
    """Say what makes a witness impossible, if somebody else wrote it; None if nothing does."""
    if not 0 <= witness.steps <= STEPS_MAX:
        return f"it has {witness.steps:,} steps, and a run has 0 to {STEPS_MAX:,}"
    steps = [decision.step for decision in witness.decisions]
    if steps != sorted(set(steps)) or (steps and not 0 <= steps[0] <= steps[-1] < witness.steps):
        return "its decisions are out of order"
    if witness.loop is not None and not 0 <= witness.loop < witness.steps:
        return f"there is no step {witness.loop} to go back to"
    if len(witness.states) > -(-witness.steps // STATE_EVERY):
        return "it has more states than steps"
    failed = witness.verdict in (Verdict.VIOLATED, Verdict.STUCK)
    if failed != (witness.property is not None):
        return f"it is {witness.verdict} {'of no' if failed else 'and has a'} property"
    names = [witness.scenario, witness.property or "", *witness.params]
    names += [witness.image]
    names += [value for value in witness.params.values() if isinstance(value, str)]
    names += [text for d in witness.decisions for text in (d.label, d.instead_of)]
    if not all(map(is_one_line, names)):
        return "a name in it is longer than a line"
    return None
