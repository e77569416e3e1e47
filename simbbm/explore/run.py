"""One run: a scenario, its parameters, a strategy, a seed and a number give one result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from simbbm.check.verdict import Verdict
from simbbm.explore.strategies import Strategy
from simbbm.scenario import Scenario

MAX_STEPS = 100_000


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """What one run showed. `verdict` is HOLDS, VIOLATED, STUCK, or INCONCLUSIVE (`max_steps`)."""

    verdict: Verdict
    property: str | None
    message: str
    steps: int
    digest: str
    """Of the whole trace: 32 hexadecimal digits, equal on every machine."""
    path: tuple[int, ...] | None = None
    """The index of each move taken, if it was asked for."""
    labels: tuple[str, ...] | None = None
    """Likewise the labels."""


def run_one(
    scenario: Scenario,
    params: Mapping[str, Any],
    strategy: Strategy | str,
    seed: int,
    number: int = 0,
    max_steps: int = MAX_STEPS,
    *,
    record: bool = False,
) -> RunResult:
    """Run number `number` of the campaign with this seed; with its path and labels if `record`."""
    raise NotImplementedError((scenario, params, strategy, seed, number, max_steps, record))
