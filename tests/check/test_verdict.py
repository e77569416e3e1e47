"""Verdicts and the expectations that they are held against."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simbbm.check.catalogue import CATALOGUE
from simbbm.check.verdict import Expectation, Verdict
from simbbm.core.errors import ScenarioError

FAILURES = st.sampled_from(
    [f"{'STUCK' if name == 'terminates' else 'VIOLATED'}:{name}" for name in CATALOGUE]
)


@given(st.one_of(st.just(["HOLDS"]), st.lists(FAILURES, min_size=1, max_size=3)))
def test_expectation_reads_what_it_writes(parts: list[str]) -> None:
    text = "|".join(parts)

    assert text == str(Expectation.parse(text))
    assert (text == "HOLDS") == Expectation.parse(text).holds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "holds",
        "VIOLATED",
        "VIOLATED:",
        "VIOLATED:nothing",
        "VIOLATED:terminates",
        "STUCK:no_panic",
        "HOLDS|STUCK:terminates",
        "PROVED:no_panic",
        "VIOLATED:no_panic|",
    ],
)
def test_expectation_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ScenarioError, match="expectation"):
        Expectation.parse(text)


@pytest.mark.parametrize(
    ("expected", "verdict", "name", "met"),
    [
        ("HOLDS", Verdict.PROVED, None, True),
        ("HOLDS", Verdict.SAMPLED, None, True),
        ("HOLDS", Verdict.HOLDS, None, True),
        ("HOLDS", Verdict.INCONCLUSIVE, None, None),
        ("HOLDS", Verdict.VIOLATED, "no_panic", False),
        ("HOLDS", Verdict.STUCK, "terminates", False),
        ("VIOLATED:no_panic", Verdict.VIOLATED, "no_panic", True),
        ("VIOLATED:no_panic", Verdict.VIOLATED, "no_tlb_conflict", False),
        ("VIOLATED:no_panic", Verdict.STUCK, "terminates", False),
        ("VIOLATED:no_panic", Verdict.PROVED, None, False),
        ("VIOLATED:no_panic", Verdict.SAMPLED, None, False),
        ("VIOLATED:no_panic", Verdict.HOLDS, None, None),
        ("VIOLATED:no_panic", Verdict.INCONCLUSIVE, None, None),
        ("VIOLATED:no_panic|STUCK:terminates", Verdict.STUCK, "terminates", True),
    ],
)
def test_verdict_meets_its_expectation_or_says_nothing(
    expected: str, verdict: Verdict, name: str | None, met: bool | None
) -> None:
    assert met is Expectation.parse(expected).met_by(verdict, name)
