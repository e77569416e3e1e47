"""Replay: follow a witness through its scenario, and say whether it still shows what it showed."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from simbbm.check.verdict import Verdict
from simbbm.core.graph import Node
from simbbm.explore.witness import Witness
from simbbm.scenario import Scenario


class Result(StrEnum):
    """What became of a witness."""

    REPRODUCED = "REPRODUCED"
    STALE = "STALE"
    DIVERGED = "DIVERGED"


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay showed; `step`, `expected` and `got` say where and how it went astray."""

    result: Result
    how: str = "exact"
    step: int | None = None
    expected: str | None = None
    got: tuple[str, ...] = ()
    """The labels that were enabled instead, or the digest that was found."""
    verdict: Verdict | None = None
    property: str | None = None
    message: str = ""
    steps: int = 0
    digest: str | None = None


class ReplayStep(NamedTuple):
    """One step of a replay: `before.moves[k]` leads to `after`."""

    step: int
    before: Node[Any]
    k: int
    after: Node[Any]


def replay(witness: Witness, scenario: Scenario) -> Replay:
    """Follow the decisions exactly; compare states on the way and the trace at the end."""
    raise NotImplementedError((witness, scenario))


def steps_of(witness: Witness, scenario: Scenario) -> Iterator[ReplayStep]:
    """The steps of a witness, one by one; raise ReplayDivergence where it no longer fits."""
    raise NotImplementedError((witness, scenario))
