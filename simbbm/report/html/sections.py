"""The sections of a report: its rows in groups and columns, as the template shows them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from math import log10
from typing import NamedTuple

from simbbm.report.html.parts import Entry
from simbbm.report.html.plots import Detection, Growth, detection, growth
from simbbm.report.rows import PAIR, AblationRow, KillRow, LitmusRow, SummaryRow, VerdictRow

OK, BAD, OPEN = "ok", "bad", "open"
"""As expected, not as expected, without an answer."""
WORDS = {OK: "ok", BAD: "FAIL", OPEN: "?"}
SHADES = 5
"""Of an entry of the kill table: from found at once to found by nobody."""


class Line(NamedTuple):
    """A verdict."""

    mark: str
    name: str
    params: tuple[str, ...]
    """Those in which it differs from its group."""
    row: VerdictRow
    page: str | None


class Group(NamedTuple):
    """The verdicts about scenarios of one file."""

    source: str
    params: tuple[str, ...]
    """Those that all of them have."""
    lines: tuple[Line, ...]


class Space(NamedTuple):
    """What a search of every state saw."""

    row: VerdictRow
    growth: Growth
    labels: int | None
    """Steps of the programs that were reached."""
    never: tuple[str, ...]
    landmarks: dict[str, int]


class Cell(NamedTuple):
    """What becomes of one scenario by one change."""

    row: AblationRow
    page: str | None


class Change(NamedTuple):
    """A change of a step, and what becomes of each scenario."""

    step: str
    change: str
    cells: tuple[Cell | None, ...]


class Matrix(NamedTuple):
    """The ablation table."""

    scenarios: tuple[tuple[str, tuple[str, ...]], ...]
    """Id and parameters of each column."""
    routines: tuple[tuple[str, tuple[Change, ...]], ...]
    """The changes of each routine's steps."""


class KillTable(NamedTuple):
    """The kill table: rows by twin, entries by strategy."""

    strategies: tuple[str, ...]
    twins: tuple[tuple[str, tuple[tuple[KillRow, int] | None, ...]], ...]
    """Each twin's entries, with a shade."""
    plot: Detection
    first: KillRow


class Scores(NamedTuple):
    """Litmus tests of one way to run them."""

    title: str
    summary: SummaryRow | None
    tests: tuple[tuple[str, LitmusRow, str | None], ...]
    """Mark, row, page."""


def groups(entries: Iterable[Entry]) -> tuple[Group, ...]:
    """Verdicts by the file of their scenario, in order."""
    lines = [(e, e.row) for e in entries if isinstance(e.row, VerdictRow)]
    found = []
    for source, group in groupby(lines, lambda line: line[1].scenario.rpartition("::")[0]):
        own = [*group]
        common = set.intersection(*(set(_params(row)) for _, row in own))
        told = tuple(
            Line(
                OPEN if entry.passed is None else OK if entry.passed else BAD,
                row.scenario.rpartition("::")[2],
                tuple(text for text in _params(row) if text not in common),
                row,
                entry.page,
            )
            for entry, row in own
        )
        params = tuple(text for text in _params(own[0][1]) if text in common)
        found.append(Group(source, params, told))
    return (*found,)


def spaces(entries: Iterable[Entry]) -> Iterator[Space]:
    """What searches saw that ended without a counterexample."""
    for entry in entries:
        row = entry.row
        if isinstance(row, VerdictRow) and row.layers and row.length is None:
            seen = row.coverage or {}
            never, landmarks = (*seen.get("never", ()),), seen.get("landmarks", {})
            yield Space(row, growth(row.layers), seen.get("labels"), never, landmarks)


def matrix(entries: Iterable[Entry]) -> Matrix | None:
    """The ablation table; None without any."""
    cells = [(e, e.row) for e in entries if isinstance(e.row, AblationRow)]
    if not cells:
        return None
    columns = dict.fromkeys(_column(row) for _, row in cells)
    found: dict[tuple[str, str], dict[tuple[str, tuple[str, ...]], Cell]] = {}
    for entry, row in cells:
        found.setdefault((row.step, row.change), {})[_column(row)] = Cell(row, entry.page)
    routines: dict[str, list[Change]] = {}
    for (step, change), by_column in found.items():
        routine, _, short = step.partition(".")
        if PAIR in step:
            routine, short = "pairs of removals", step
        told = tuple(by_column.get(column) for column in columns)
        routines.setdefault(routine, []).append(Change(short, change, told))
    return Matrix((*columns,), tuple((name, (*own,)) for name, own in routines.items()))


def kill_table(entries: Iterable[Entry]) -> KillTable | None:
    """The kill table; None without any."""
    rows = [entry.row for entry in entries if isinstance(entry.row, KillRow)]
    if not rows:
        return None
    strategies = (*dict.fromkeys(row.strategy for row in rows),)
    found: dict[str, dict[str, KillRow]] = {}
    for row in rows:
        found.setdefault(row.scenario, {})[row.strategy] = row
    twins = tuple(
        (name, tuple((own[s], _shade(own[s])) if s in own else None for s in strategies))
        for name, own in found.items()
    )
    medians = {s: [own[s].median for own in found.values() if s in own] for s in strategies}
    return KillTable(strategies, twins, detection(medians, rows[0].runs), rows[0])


def scores(entries: Sequence[Entry]) -> Iterator[Scores]:
    """Litmus tests by how they were run, those that fail first."""
    rows = [(e, e.row) for e in entries if isinstance(e.row, LitmusRow)]
    sums = {_way(e.row): e.row for e in entries if isinstance(e.row, SummaryRow)}
    for way in dict.fromkeys((*(_way(row) for _, row in rows), *sums)):
        tests = [(_mark(row), row, e.page) for e, row in rows if _way(row) == way]
        tests.sort(key=lambda test: (BAD, OPEN, OK).index(test[0]))
        yield Scores(way, sums.get(way), (*tests,))


def _params(row: VerdictRow | AblationRow) -> tuple[str, ...]:
    return tuple(f"{name}={value}" for name, value in row.params.items())


def _column(row: AblationRow) -> tuple[str, tuple[str, ...]]:
    return row.scenario, _params(row)


def _shade(row: KillRow) -> int:
    """0: found at once; `SHADES`: never."""
    if row.median is None:
        return SHADES
    return round((SHADES - 1) * log10(max(row.median, 1)) / log10(row.runs)) if row.runs > 1 else 0


def _mark(row: LitmusRow) -> str:
    if row.ok is False or row.unsupported:
        return BAD
    return OK if row.ok or row.verdict is None else OPEN


def _way(row: LitmusRow | SummaryRow) -> str:
    title = "Base architecture" if row.feature is None else f"FEAT_{row.feature.upper()}"
    return f"{title}, as programs" if row.source else title
