"""The first page of a report: what each command found, and the way to every counterexample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from simbbm.host.amounts import amount
from simbbm.report.html.document import document, shown
from simbbm.report.html.parts import ABLATE, CHECK, KILLS, LITMUS, PROVE, STRESS, Part, Report
from simbbm.report.html.sections import (
    BAD,
    OK,
    OPEN,
    WORDS,
    Group,
    KillTable,
    Matrix,
    Scores,
    Space,
    groups,
    kill_table,
    matrix,
    scores,
    spaces,
)
from simbbm.report.rows import AblationRow, ErrorRow, KillRow, LitmusRow, SummaryRow, VerdictRow

STYLES = ("base.css", "plots.css", "report.css")
SCRIPTS = ("theme.js", "report.js")
TITLES = {
    CHECK: "Verdicts",
    PROVE: "For every number of CPUs",
    KILLS: "Runs to detection",
    ABLATE: "Ablation",
    LITMUS: "Litmus tests",
    STRESS: "Samples",
}


class Finding(NamedTuple):
    """Something that is not as expected."""

    part: str
    text: str
    page: str | None


class Section(NamedTuple):
    """One command's part of the page."""

    name: str
    title: str
    mark: str
    summary: str
    errors: tuple[str, ...]
    unfinished: str
    groups: tuple[Group, ...]
    spaces: tuple[Space, ...]
    matrix: Matrix | None
    kills: KillTable | None
    scores: tuple[Scores, ...]


def index(report: Report) -> str:
    """Return the page."""
    report = msgspec.convert(shown(msgspec.to_builtins(report)), Report)
    sections = [_section(name, part) for name, part in report.parts.items()]
    findings = [found for name, part in report.parts.items() for found in _findings(name, part)]
    return document(
        "report.html.j2",
        STYLES,
        SCRIPTS,
        sections=sections,
        findings=findings,
        words=WORDS,
    )


def _section(name: str, part: Part) -> Section:
    entries = part.entries
    errors = tuple(_error(e.row) for e in entries if isinstance(e.row, ErrorRow))
    mark, summary = _summary(part)
    return Section(
        name,
        TITLES[name],
        mark,
        summary,
        errors,
        part.unfinished,
        groups(entries),
        (*spaces(entries),),
        matrix(entries),
        kill_table(entries),
        (*scores(entries),),
    )


def _error(row: ErrorRow) -> str:
    return f"{row.message} ({row.hint})" if row.hint else row.message


def _summary(part: Part) -> tuple[str, str]:
    """How a part went, in a few words."""
    rows = [entry.row for entry in part.entries]
    told = [*_counted(part)]
    if errors := sum(isinstance(row, ErrorRow) for row in rows):
        told.append(f"{errors} error{'s' * (errors > 1)}")
    if part.unfinished:
        told.append(part.unfinished)
    bad = errors or any(_findings("", part))
    open_ = part.unfinished or any(
        e.passed is None for e in part.entries if isinstance(e.row, VerdictRow)
    )
    return BAD if bad else OPEN if open_ else OK, ", ".join(told) or "nothing"


def _counted(part: Part) -> Iterator[str]:
    rows = [entry.row for entry in part.entries]
    if verdicts := [e.passed for e in part.entries if isinstance(e.row, VerdictRow)]:
        yield f"{verdicts.count(True)} of {len(verdicts)} as expected"
        if left := verdicts.count(None):
            yield f"{left} without an answer"
    if results := Counter(row.result for row in rows if isinstance(row, AblationRow)):
        yield amount(results.total(), "change")
        yield from (f"{number} {result}" for result, number in sorted(results.items()))
    if twins := {row.scenario for row in rows if isinstance(row, KillRow)}:
        yield amount(len(twins), "bad twin")
    for row in rows:
        if isinstance(row, SummaryRow):
            good, scored = row.forbidden_ok + row.allowed_ok, row.forbidden + row.allowed
            yield f"{good} of {scored} as published"


def _findings(name: str, part: Part) -> Iterator[Finding]:
    """What is not as expected."""
    for entry in part.entries:
        row = entry.row
        if isinstance(row, VerdictRow) and entry.passed is False:
            told = f"{row.scenario}: {row.answer()}, expected {row.expect}"
            yield Finding(name, told, entry.page)
        elif isinstance(row, LitmusRow) and (row.ok is False or row.unsupported):
            reached = {True: "reached", False: "never reached", None: "not supported"}[row.reached]
            yield Finding(name, f"{row.name}: {row.verdict or 'no verdict'}, {reached}", entry.page)
        elif isinstance(row, ErrorRow):
            yield Finding(name, _error(row), None)
