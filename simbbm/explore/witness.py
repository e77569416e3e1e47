"""Witnesses: replayable records of runs worth keeping, as JSON files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from simbbm.check.verdict import Verdict
from simbbm.explore.run import MAX_STEPS
from simbbm.explore.strategies import Strategy
from simbbm.scenario import Scenario

SCHEMA = "simbbm-witness/1"


class Decision(msgspec.Struct, frozen=True):
    """One step at which the schedule differs from `core.choice.Polite`."""

    step: int
    label: str
    occurrence: int
    """How often the run has taken this label, this time included."""
    instead_of: str = ""
    """What the polite schedule would have done; empty if it came from a token."""


class Found(msgspec.Struct, frozen=True):
    """Where the run was met first. Never needed to replay it."""

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
    digest: str
    """Of the trace; a token keeps its beginning only."""
    found: Found | None = None
    version: str = ""


def witness_of(
    scenario: Scenario,
    params: Mapping[str, Any],
    strategy: Strategy | str,
    seed: int,
    number: int = 0,
    max_steps: int = MAX_STEPS,
) -> Witness:
    """Run again, which is cheap, and record what is needed to come back."""
    raise NotImplementedError((scenario, params, strategy, seed, number, max_steps))


def save(witness: Witness, directory: Path) -> Path:
    """Write a witness under the name of its content; return where."""
    raise NotImplementedError((witness, directory))


def load(path: Path) -> Witness:
    """Read a witness file; raise UsageError with one line if it is none."""
    raise NotImplementedError(path)


def token(witness: Witness) -> str:
    """The witness as one short line of text, without what a replay finds out anyway."""
    raise NotImplementedError(witness)


def from_token(text: str) -> Witness:
    """Read a token; raise UsageError with one line if it is none."""
    raise NotImplementedError(text)


def read(text: str) -> Witness:
    """Read a witness from a token or, if it is not one, from the file of that name."""
    raise NotImplementedError(text)
