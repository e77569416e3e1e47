"""Is the yardstick sharp? Switch off one rule of the machine at a time: the tests must notice.

The rules and what to expect follow the published ablation table: what is missing admits forbidden
outcomes, what is too strict misses allowed ones.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from simbbm.litmus.notation.reader import LitmusTest, read_file
from simbbm.litmus.run import run
from simbbm.litmus.setup import HARDWARE
from tests.litmus.rows import HERE, published

OWN = HERE / "teeth.jsonl"

ABLATIONS = {
    # rule: (verdicts that turn, at least how many of the published tests notice)
    "dsb-waits-for-tlbi": ("forbidden", 5),
    "broadcast": ("forbidden", 5),
    "no-drain": ("forbidden", 5),
    "isb": ("forbidden", 5),
    "invalid-not-cached": ("forbidden", 5),
    "tlb": ("allowed", 1),
    "dsb-orders-translation": ("allowed", 1),
    "dsb-type": ("allowed", 1),
    "out-of-order": ("allowed", 1),
}

UNNOTICED = {
    # Rules that none of the published rows notices: a test of our own does.
    "no-same-offset": "same-offset-drain",
    "walker": "walker-does-not-forward",
}


def _tests(path: Path) -> list[LitmusTest]:
    tests = [line.test for line in read_file(path)]
    return [test for test in tests if isinstance(test, LitmusTest)]


def _wrong(
    tests: list[LitmusTest], rule: str, *, programs: bool, enough: int | None = None
) -> list[tuple[str, str]]:
    """Verdict and name of tests that come out wrong when a rule is switched off."""
    wrong: list[tuple[str, str]] = []
    hardware = HARDWARE._replace(ablations=(rule,))
    for test in tests:
        if len(wrong) == enough:
            break
        reached = run(test, hardware=hardware, programs=programs).reached
        if test.verdict is not None and reached != (test.verdict == "allowed"):
            wrong.append((test.verdict, test.name))
    return wrong


@pytest.mark.parametrize("programs", [False, True], ids=["listings", "programs"])
@pytest.mark.parametrize("rule", ABLATIONS)
def test_published_rows_notice_a_missing_rule(rule: str, programs: bool) -> None:
    if not published().is_file():
        pytest.skip(f"no published rows at {published()}")
    verdict, least = ABLATIONS[rule]

    enough = least if programs else None
    wrong = _wrong(_tests(published()), rule, programs=programs, enough=enough)

    assert len(wrong) >= least
    assert {turned for turned, _ in wrong} == {verdict}


@pytest.mark.parametrize("programs", [False, True], ids=["listings", "programs"])
@pytest.mark.parametrize("rule", UNNOTICED)
def test_own_rows_notice_what_published_rows_do_not(rule: str, programs: bool) -> None:
    tests = _tests(OWN)

    assert _wrong(tests, "nothing", programs=programs) == []
    assert ("forbidden", UNNOTICED[rule]) in _wrong(tests, rule, programs=programs)


@pytest.mark.parametrize(
    ("rule", "turned", "name"),
    [
        ("tlbi-range", "forbidden", "range-of-two"),
        ("tlbi-range", "forbidden", "shootdown+range"),
        ("tlbi-level", "allowed", "ttl-of-another-level"),
        ("tlbi-level", "allowed", "ttl-of-a-table"),
    ],
)
def test_rows_about_ranges_and_levels_notice(rule: str, turned: str, name: str) -> None:
    """R40: no published test speaks of it."""
    tests = _tests(HERE / "own" / "ranges.jsonl")

    assert (turned, name) in _wrong(tests, rule, programs=False)
