"""The score as a page of markdown: how true the machine is, test by test."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from simbbm.litmus.rules import RULES, rules_of
from simbbm.litmus.score import Judged, Score, score

OTHER = "other"


def report(files: Iterable[str], base: list[Judged], ets2: list[Judged]) -> str:
    """Return the page: base architecture and FEAT_ETS2 apart."""
    lines = ["# Litmus conformance", "", f"Tests of {', '.join(files)}."]
    for title, tests in (("Base architecture", base), ("FEAT_ETS2", ets2)):
        if tests:
            lines += ["", f"## {title}", "", *_section(tests)]
    return "\n".join(lines) + "\n"


def _section(tests: list[Judged]) -> Iterator[str]:
    whole = score(tests)
    unscored = sum(t.verdict is None for t in tests)
    yield f"{whole.text}; run without a verdict {unscored}."
    yield ""
    yield "A forbidden outcome is never reached (soundness), an allowed one is (completeness)."
    yield from _table(
        "rule", tests, lambda t: rules_of(t.line.name, t.line.tags) or [OTHER], _meant
    )
    yield from _table(
        "tag", tests, lambda t: [g for g in t.line.tags if g not in RULES], lambda _: ""
    )
    yield ""
    failing = [t for t in tests if t.ok is False or t.inconclusive or t.unsupported]
    yield "### Tests that fail" if failing else "No test fails."
    if failing:
        yield ""
        yield from (f"* `{t.line.name}`: {why(t)}" for t in failing)


def why(test: Judged) -> str:
    """Say why a test fails."""
    if told := test.unsupported or test.inconclusive:
        return told
    if test.line.error:
        return str(test.line.error)
    if test.reached and test.result:
        shown = next(e.text for e in test.result.endings if e.reached)
        return f"{test.verdict}, and reached: {shown}"
    return f"{test.verdict}, and not reached"


class Agreement(NamedTuple):
    """How often the machine agrees with verdicts, over tests that have something in common."""

    about: str
    tests: int
    agree: int
    disagree: int
    unsupported: int
    inconclusive: int


def agreement(tests: Iterable[Judged]) -> list[Agreement]:
    """Agreement by tag, or by what tests of herd7 use; the first row is for all of them."""
    tests = [test for test in tests if test.verdict]
    groups: dict[str, list[Judged]] = {}
    for test in tests:
        for tag in test.line.tags or [OTHER]:
            groups.setdefault(tag, []).append(test)
    return [
        Agreement(
            about,
            len(own),
            sum(t.ok is True for t in own),
            sum(t.ok is False and not t.unsupported for t in own),
            sum(t.unsupported is not None for t in own),
            sum(t.inconclusive is not None for t in own),
        )
        for about, own in [("all", tests), *sorted(groups.items())]
    ]


def _meant(rule: str) -> str:
    return RULES[rule].meaning if rule in RULES else "no rule alone"


def _table(
    head: str,
    tests: list[Judged],
    groups_of: Callable[[Judged], list[str]],
    meaning: Callable[[str], str],
) -> Iterator[str]:
    groups: dict[str, list[Judged]] = {}
    for test in tests:
        for group in groups_of(test):
            groups.setdefault(group, []).append(test)
    if not groups:
        return
    order = [*RULES, OTHER] if head == "rule" else sorted(groups)
    yield ""
    yield f"| {head} | forbidden never reached | allowed reached |" + (
        " what it says |" if head == "rule" else ""
    )
    yield "|---|---|---|" + ("---|" if head == "rule" else "")
    for group in order:
        if group in groups:
            told = f" {meaning(group)} |" if head == "rule" else ""
            yield f"| {group} | {_cells(score(groups[group]))} |{told}"


def _cells(found: Score) -> str:
    return f"{found.forbidden_ok}/{found.forbidden} | {found.allowed_ok}/{found.allowed}"
