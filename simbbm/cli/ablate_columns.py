"""`simbbm ablate` with several scenarios: a row for each change, a column for each machine."""

from __future__ import annotations

from collections import Counter

from simbbm.host.amounts import amount
from simbbm.host.terminal import echo
from simbbm.report.rows import AblationRow

ABSENT = "-"
"""Instead of a result: this machine never reaches the step."""


class Columns:
    """The result of every change on every machine; printed when all are known."""

    def __init__(self, ids: tuple[str, ...], *, markdown: bool) -> None:
        self.ids = ids
        self.markdown = markdown
        self.results: dict[tuple[str, str], dict[str, str]] = {}

    def add(self, row: AblationRow, _kept: object) -> None:
        """Note one result: `redundant`, or what goes wrong."""
        told = row.wrong() if row.result == "load-bearing" else ""
        self.results.setdefault((row.step, row.change), {})[row.scenario] = told or row.result

    def end(self, counts: Counter[str], why: str) -> None:
        """Print the table and a summary."""
        rows = [
            (step, change, *(found.get(name, ABSENT) for name in self.ids))
            for (step, change), found in self.results.items()
        ]
        if self.markdown:
            _markdown(("step", "change", *(f"`{name}`" for name in self.ids)), rows)
        else:
            _plain([("step", "change", *self.ids), *rows])
        listed = ", ".join(f"{n} {result}" for result, n in sorted(counts.items()))
        told = f"{amount(counts.total(), 'change')}: {listed}"
        echo(f"\n{told}{f'; {why}' if why else ''}.")


def _markdown(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    echo(f"| {' | '.join(header)} |")
    echo("|" + "---|" * len(header))
    for step, *rest in rows:
        echo(f"| `{step}` | {' | '.join(rest)} |")


def _plain(rows: list[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        echo("  ".join(cells).rstrip())
