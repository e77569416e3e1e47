"""`simbbm ablate` with several scenarios: a row for each change, a column for each machine."""

from __future__ import annotations

from collections import Counter

from simbbm.explore.counterexample.ablate import Ablation
from simbbm.host.terminal import echo
from simbbm.scenario import Scenario

PAIR = " + "
"""Between the two steps of a pair."""
ABSENT = "-"
"""Instead of a result: this machine never reaches the step."""


class Columns:
    """The result of every change on every machine; printed when all are known."""

    def __init__(self, ids: tuple[str, ...], *, markdown: bool) -> None:
        self.ids = ids
        self.markdown = markdown
        self.results: dict[tuple[str, str], dict[str, str]] = {}

    def add(self, scenario: Scenario, ablation: Ablation, _kept: object) -> None:
        """Note one result: `redundant`, or what goes wrong."""
        step = steps_of(ablation)
        change = " + ".join(change.change for change in ablation.changes)
        self.results.setdefault((step, change), {})[scenario.id] = _told(ablation)

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
        echo(f"\n{counts.total()} changes: {listed}{f'; {why}' if why else ''}.")


def shown(step: str) -> str:
    """A step's name without the numbers of what occurs once."""
    return step.replace("#1", "")


def steps_of(ablation: Ablation) -> str:
    """The steps that were changed, as text."""
    return PAIR.join(shown(change.step) for change in ablation.changes)


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


def _told(ablation: Ablation) -> str:
    if ablation.result != "load-bearing":
        return ablation.result
    if ablation.proof is None:
        return "its value is used" if "its value" in ablation.why else "needed to go on"
    return ablation.proof.property or ablation.result
