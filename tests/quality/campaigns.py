"""Campaigns as the command line runs them, and what they came to as a table.

Run with `-n0 -s` to see the tables: pytest's workers keep what tests print to themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from simbbm.campaign.stress import StressRequest, StressResult, stress
from simbbm.check.verdict import Verdict
from simbbm.scenario import Scenario


def sample(scenario: Scenario, runs: int, **more: Any) -> StressResult:
    """Make that many runs, or as many as it takes to fail, on all cores."""
    params = {name: more.pop(name) for name in list(more) if name not in _OPTIONS}
    return stress(StressRequest(scenario_id=scenario.id, params=params, runs=runs, **more))


_OPTIONS = StressRequest.__struct_fields__


def was_caught(scenario: Scenario, result: StressResult) -> bool:
    """Whether a campaign failed in one of the expected ways."""
    return (result.verdict, result.property) in scenario.expect.failures


def held(result: StressResult, runs: int) -> bool:
    """Whether every run that was asked for was made and none failed."""
    return result.verdict is Verdict.SAMPLED and result.runs == runs and not result.failures


def show(title: str, *cells: object, header: Sequence[str] = ()) -> None:
    """Print one row of a table, below its header if it has one."""
    if header:
        _print("", *header)
    _print(title, *cells)


def _print(title: str, *cells: object) -> None:
    print(f"{title:44}" + "".join(f"{_shown(cell):>14}" for cell in cells))  # noqa: T201 - a table


def _shown(cell: object) -> str:
    if isinstance(cell, float):
        return f"{cell:,.1f}"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)
