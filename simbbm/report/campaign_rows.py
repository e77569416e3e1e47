"""Rows of campaigns that are kept, beside those of their verdicts."""

from __future__ import annotations

from typing import Any

from simbbm.report.rows import Row


class CampaignRow(Row, tag="campaign", tag_field="type", frozen=True, kw_only=True):
    """A campaign that is kept, as a whole; a verdict row follows for each arm."""

    arms: int
    runs: int
    runs_requested: int | None
    failures: int
    findings: int
    unexpected: int
    """Arms whose verdict is not the expected one."""
    inconclusive: int
    """Arms without an answer."""
    complete: bool
    """Whether every arm has its answer."""
    steps: int
    digest: str
    """Of all runs, in whatever order they were made."""
    seed: int
    batch: int
    adaptive: bool
    rounds: list[list[int]] | None
    """Of an adaptive campaign: how many runs each arm was given, round by round."""
    version: str


class FindingRow(Row, tag="finding", tag_field="type", frozen=True, kw_only=True):
    """A failure made small, which failing runs of some arms come to."""

    scenario: str
    params: dict[str, Any]
    verdict: str
    property: str
    message: str
    length: int
    certified: bool
    """Whether no shorter run fails like this."""
    arms: list[int]
    """In which arms it was met: numbers of the verdict rows, from 0."""
    strategies: list[str]
    shrunk: int
    """How many failing runs were made small and came to it."""
    witness: str | None
    """The name of its file, in the folder beside the store."""
    token: str
