"""What `simbbm litmus --json` writes."""

from __future__ import annotations

from simbbm.report.rows import Row


class LitmusRow(Row, tag="litmus", tag_field="type", frozen=True, kw_only=True):
    """One test."""

    name: str
    verdict: str | None
    reached: bool | None
    ok: bool | None
    inconclusive: str | None = None
    unsupported: str | None = None
    states: int | None = None
    seconds: float | None = None
    feature: str | None = None
    window: int | None = None
    source: str | None = None
    """`program` if its threads were run as programs."""
    witness: str | None = None
    """Absolute path, of an execution that ends in the condition."""
    token: str | None = None


class OutcomeRow(Row, tag="litmus-outcome", tag_field="type", frozen=True, kw_only=True):
    """One final state of a test."""

    name: str
    outcome: str
    reached: bool
    witness: str | None
    token: str | None


class ObservationRow(Row, tag="litmus-observation", tag_field="type", frozen=True, kw_only=True):
    """How often the condition holds in the final states of a test."""

    name: str
    observation: str
    positive: int
    negative: int
    complete: bool


class SummaryRow(Row, tag="litmus-summary", tag_field="type", frozen=True, kw_only=True):
    """All tests."""

    total: int
    forbidden_ok: int
    forbidden: int
    allowed_ok: int
    allowed: int
    unsupported: int
    inconclusive: int
    malformed: int
    """Lines that are no test; `total` does not count them."""
    states: int
    seconds: float
    feature: str | None = None
    source: str | None = None
