"""`simbbm ablate`: which barrier carries the load."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

import click

from simbbm import discovery
from simbbm.campaign.answers.ablations import Ablated, Wanted, ablations
from simbbm.changes import Change
from simbbm.cli.ablate_columns import Columns
from simbbm.cli.exits import Exit, worst
from simbbm.cli.html_report import HtmlReport, html_option
from simbbm.cli.options import (
    WITNESS_DIR,
    Duration,
    common,
    examples,
    ids_argument,
    parameters_option,
    search_jobs_option,
    witness_dir_option,
)
from simbbm.cli.verdicts import show_command, shown, warn_of_unwritten
from simbbm.core.errors import UsageError
from simbbm.explore.counterexample.ablate import Ablator
from simbbm.explore.search.breadth_first import Limits
from simbbm.host.amounts import amount
from simbbm.host.terminal import complain, echo, style
from simbbm.model import Model
from simbbm.report.rows import PAIR, AblationRow, encode

if TYPE_CHECKING:
    from simbbm.explore.witness.kept import Kept
    from simbbm.scenario import Scenario

NO_TIME = "there was no time to find all of its steps"
COLOURS = {"load-bearing": "red", "redundant": "green", "inconclusive": "yellow"}


@click.command(
    "ablate",
    epilog=examples(
        "simbbm ablate linear_map_split::good",
        "simbbm ablate linear_map_split::good -p cpus=2 -p layout=pmd --explain",
        "simbbm ablate mine.py::good --as markdown",
        "simbbm ablate linear_map_split::good idmap::good smt::good -p cpus=2 -j 2",
    ),
)
@ids_argument
@parameters_option
@click.option("--pairs", is_flag=True, help="Removals of two steps that can be spared singly, too.")
@click.option("--explain", is_flag=True, help="Say of each step what goes wrong without it.")
@click.option(
    "--as",
    "form",
    type=click.Choice(["table", "markdown"]),
    default="table",
    show_default=True,
    help="How the answer looks.",
)
@click.option("--max-seconds", type=Duration(), help="Give up on what is left after this long.")
@search_jobs_option
@witness_dir_option
@html_option
@common
def command(
    ids: tuple[str, ...],
    *,
    given: tuple[tuple[str, str], ...],
    pairs: bool,
    explain: bool,
    form: str,
    max_seconds: float | None,
    jobs: int | None,
    witness_dir: Path,
    html: Path | None,
    as_json: bool,
    log_format: str,
) -> int:
    """Take away each step of a scenario, or make it weaker, and search what is left.

    A step is load-bearing if something then fails (with the shortest counterexample), and redundant
    if nothing does: that is proved, for these parameters and this machine. Of several scenarios the
    answers stand side by side, when all are known.
    """
    scenarios = [_found(scenario_id) for scenario_id in dict.fromkeys(ids)]
    several = len(scenarios) > 1 and not as_json
    if several and explain:
        raise UsageError("--explain goes with one scenario", "or with --json")
    limits, began = Limits(seconds=max_seconds), monotonic()
    ablators = [Ablator(Model(s, dict(given)), limits.left(began)) for s in scenarios]
    for ablator in ablators:
        _warn_of_a_mutant(ablator)
    page = (
        Columns(tuple(s.id for s in scenarios), markdown=form == "markdown")
        if several
        else Page(form, explain=explain, as_json=as_json)
    )
    report = HtmlReport(html, "ablate", log_format=log_format)
    counts = Counter[str]()
    kept = Counterexamples(witness_dir)
    asked = Asked(limits, began, jobs, witness_dir, pairs)
    try:
        for ablator in ablators:
            for row, own in _ablations(ablator, asked):
                counts[row.result] += 1
                kept.note(own)
                page.add(row, own)
                report.add(row, own)
        missing = "" if all(ablator.complete for ablator in ablators) else NO_TIME
        code = Exit.INCONCLUSIVE if counts["inconclusive"] or missing else Exit.EXPECTED
    except KeyboardInterrupt:
        missing, code = "interrupted: the rest was not looked at", Exit.INTERRUPTED
    page.end(counts, missing)
    kept.say(as_json=as_json)
    return worst([code, *report.write(missing)])


class Asked(NamedTuple):
    """What the command line asks for, whatever the scenario."""

    limits: Limits
    """Of all searches together."""
    began: float
    """When the first one did, by the monotonic clock."""
    jobs: int | None
    witness_dir: Path
    pairs: bool


def _found(scenario_id: str) -> Scenario:
    """The scenario; a whole file of litmus tests is refused like each of them."""
    if scenario_id.endswith((".jsonl", ".litmus")):
        raise UsageError(
            f"{scenario_id} holds litmus tests, which have no routines with steps to change",
            f"simbbm litmus {scenario_id} --outcomes shows what they reach",
        )
    return discovery.find(scenario_id)


def _warn_of_a_mutant(ablator: Ablator) -> None:
    """Say so if a bad twin is looked at where it does not show."""
    scenario = ablator.model.scenario
    if ablator.complete and not scenario.expect.holds:
        complain(
            f"warning: {scenario.id} is expected to fail ({scenario.expect}), and with these "
            "parameters it holds: the answer is about the program with its mistake"
        )


class Counterexamples:
    """The counterexamples of load-bearing steps, kept as files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.written: set[Path] = set()
        self.unwritten = 0

    def note(self, kept: Kept | None) -> None:
        """Note what became of the counterexample of a change, if it has one."""
        if kept is None:
            return
        warn_of_unwritten(kept)
        if kept.path:
            self.written.add(kept.path)
        self.unwritten += kept.path is None

    def say(self, *, as_json: bool) -> None:
        """Say where they are; rows of JSON have the path of each."""
        if as_json:
            return
        if self.unwritten:
            echo(f"Counterexamples that could not be written: {self.unwritten}. --json has tokens.")
        if not self.written:
            return
        folder = "" if self.folder == WITNESS_DIR else f" --witness-dir {shown(self.folder)}"
        echo(f"Counterexamples kept in {shown(self.folder)}: {len(self.written)}. List them with:")
        echo(f"  simbbm witness{folder}")


def _ablations(ablator: Ablator, asked: Asked) -> Iterator[Ablated]:
    """Every single change, and then pairs, as long as there is time."""
    spared: list[Change] = []
    singles = ablator.singles()
    for change, found in zip(singles, _side_by_side(ablator, singles, asked), strict=True):
        if found.row.result == "redundant":
            spared.append(change)
        yield found
    if asked.pairs:
        yield from _side_by_side(ablator, ablator.pairs(spared), asked)


def _side_by_side(
    ablator: Ablator, every: Iterable[Change | tuple[Change, Change]], asked: Asked
) -> Iterator[Ablated]:
    tasks = (ablator.task(*((c,) if isinstance(c, Change) else c)) for c in every)
    how = asked.limits, asked.began, asked.witness_dir
    return ablations([Wanted(task, *how) for task in tasks], asked.jobs)


class Page:
    """The answer, row by row."""

    def __init__(self, form: str, *, explain: bool, as_json: bool) -> None:
        self.markdown = form == "markdown"
        self.explain = explain
        self.as_json = as_json
        self.routine = ""
        if self.markdown and not as_json:
            why = " what goes wrong |" if explain else ""
            echo(f"| step | change | result | property | steps |{why}")
            echo("|---|---|---|---|---:|" + ("---|" if explain else ""))

    def add(self, row: AblationRow, kept: Kept | None) -> None:
        """Print one row; `kept` is its counterexample."""
        if self.as_json:
            echo(encode(row))
        elif self.markdown:
            self._markdown(row)
        else:
            self._table(row, kept)

    def _markdown(self, row: AblationRow) -> None:
        what = row.wrong()
        length = "" if row.length is None else str(row.length)
        why = f" {row.why or ''} |" if self.explain else ""
        echo(f"| `{row.step}` | {row.change} | {row.result} | {what} | {length} |{why}")

    def _table(self, row: AblationRow, kept: Kept | None) -> None:
        routine, _, step = row.step.partition(".")
        if PAIR in row.step:
            routine, step = "pairs of removals", row.step
        if routine != self.routine:
            self.routine = routine
            echo(style(routine, bold=True))
        what = row.wrong()
        length = f"{row.length} steps" if row.length is not None else ""
        why = f"  {what:<22} {length}".rstrip()
        result = style(f"{row.result:<12}" if why else row.result, fg=COLOURS[row.result])
        change = "" if PAIR in row.step else f"{row.change:<24}"
        echo(f"  {step:<18} {change} {result}{why}")
        if self.explain and row.why and row.result != "redundant":
            echo(f"      {row.why}")
            if kept:
                echo(f"      show with: {show_command(kept)}")

    def end(self, counts: Counter[str], why: str) -> None:
        """Print a summary."""
        if self.as_json:
            return
        listed = ", ".join(f"{n} {result}" for result, n in sorted(counts.items()))
        told = f"{amount(counts.total(), 'change')}: {listed}"
        echo(f"\n{told}{f'; {why}' if why else ''}.")
        if counts["redundant"] and not self.markdown:
            echo(
                "Redundant: proved for these parameters, on this machine; see what it does not "
                "model before leaving a step out."
            )
