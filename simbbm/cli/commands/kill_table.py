"""`simbbm check --kill-table`: which strategy finds which bad twin, in how many runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from simbbm.cli import logs
from simbbm.cli.exits import Exit, worst
from simbbm.cli.html_report import HtmlReport
from simbbm.cli.verdicts import terminal_width
from simbbm.core.errors import UsageError
from simbbm.explore.runs.play import MAX_STEPS
from simbbm.explore.strategies.kill import COMPARED, CONTROL, FEWEST_TRIALS, Trials
from simbbm.host.terminal import complain, echo, style
from simbbm.report.rows import ErrorRow, KillRow, encode
from simbbm.scenario import Scenario

if TYPE_CHECKING:
    from simbbm.campaign.answers.trials import Found, Target

MOST_TRIALS = 10_000

F = TypeVar("F", bound=Callable[..., Any])

USELESS = ("time", "max_states", "max_seconds", "max_memory", "require_proof", "witness_dir")
"""Options of `check` that say nothing about campaigns of a fixed length which keep no witness."""


def kill_options(function: F) -> F:
    """Give `check` the options of the table."""
    function = click.option(
        "--trials",
        type=click.IntRange(FEWEST_TRIALS, MOST_TRIALS),
        help=f"Campaigns for each entry of that table. [default: {Trials().campaigns}]",
    )(function)
    return click.option(
        "--kill-table",
        is_flag=True,
        help="Instead: which strategy finds which bad twin, in how many runs.",
    )(function)


def exit_of(found: Found) -> Exit:
    """The exit code that a row asks for."""
    if found.error:
        return Exit.USAGE
    if found.interrupted:
        return Exit.INTERRUPTED
    return Exit.INCONCLUSIVE if found.why else Exit.EXPECTED


def wanted_trials(
    trials: int | None, runs: int | None, seed: int, max_steps: int | None, *, table: bool
) -> Trials:
    """Return the trials that were asked for; refuse options that do not apply to the table."""
    if not table:
        raise UsageError("--trials is of --kill-table", "add it, or leave out --trials")
    context = click.get_current_context()
    for name in USELESS:
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"--kill-table has no use for {option}", f"leave out {option}")
    usual = Trials()
    return Trials(seed, trials or usual.campaigns, runs or usual.cap, max_steps or MAX_STEPS)


def show_kill_table(
    named: Iterable[tuple[Scenario, Mapping[str, Any]]],
    strategy: str,
    trials: Trials,
    jobs: int | None,
    report: HtmlReport,
    *,
    as_json: bool,
    log_format: str,
) -> Exit:
    """Print the table of all bad twins among these scenarios, row by row."""
    from simbbm.campaign.answers.trials import Target, look_at_all

    source = click.get_current_context().get_parameter_source("strategy")
    names = (strategy,) if source is ParameterSource.COMMANDLINE else COMPARED
    bad = [(scenario, params) for scenario, params in named if not scenario.expect.holds]
    if not bad:
        hint = "--twins adds those of the named scenarios"
        raise UsageError("--kill-table: there is no bad twin among these scenarios", hint)
    targets = [Target(scenario.id, dict(params), names, trials) for scenario, params in bad]
    page = JsonPage() if as_json else TextPage(targets, [*names, CONTROL])
    said, done, codes = monotonic(), 0, set[Exit]()
    for found in look_at_all(targets, jobs, logs.SearchView(log_format).waiting):
        rows = [*_rows(found)]
        page.add(found, rows)
        if found.why:
            report.add(_error(found))
        for row in rows:
            report.add(row)
        codes.add(exit_of(found))
        done += not found.why
        if found.error:
            complain(found.why)
        if monotonic() - said >= logs.SECONDS_BETWEEN_LINES:
            said = monotonic()
            logs.configure(log_format).info("kill table", twins=done, of=len(targets))
    page.end(len(targets) - done)
    return worst(codes)


def _rows(found: Found) -> Iterator[KillRow]:
    """The entries of one twin."""
    target, trials = found.target, found.target.trials
    for column, entry in found.by.items():
        low, high = entry.interval
        eager = {"hardware": "eager"} if column == CONTROL else {}
        yield KillRow(
            strategy=column,
            scenario=target.scenario,
            params=target.params | eager,
            median=entry.median,
            low=low,
            high=high,
            trials=entry.trials,
            found=len(entry.runs),
            runs=trials.cap,
            seed=trials.seed,
        )


def _error(found: Found) -> ErrorRow:
    """Why there are no entries of a twin."""
    of = "" if found.error else f"{found.target.scenario}: "
    return ErrorRow(message=f"{of}{found.why}")


class JsonPage:
    """The table as rows, one an entry."""

    def add(self, found: Found, rows: Sequence[KillRow]) -> None:
        """Print the entries of one twin."""
        if found.why:
            echo(encode(_error(found)))
        for row in rows:
            echo(encode(row))

    def end(self, left: int) -> None:
        """Print nothing."""


class TextPage:
    """The table for people: medians as they are found, and then how sure they are."""

    def __init__(self, targets: Sequence[Target], columns: Sequence[str]) -> None:
        self._trials = targets[0].trials
        self._columns = columns
        self._width = max(len(_name(target)) for target in targets)
        self._above = f"> {self._trials.cap:,}"
        heads = [_head(column) for column in columns]
        self._widths = [max(len(self._above), *map(len, head)) for head in heads]
        self._source = ""
        self._rows: list[tuple[Found, Sequence[KillRow]]] = []
        for line in zip(*heads, strict=True):
            echo(self._line("", line))

    def add(self, found: Found, rows: Sequence[KillRow]) -> None:
        """Print the medians of one twin."""
        self._row(found, {row.strategy: row.middle() for row in rows})
        self._rows.append((found, rows))

    def _row(self, found: Found, texts: Mapping[str, str]) -> None:
        source = found.target.scenario.rpartition("::")[0]
        if source != self._source:
            self._source = source
            echo(style(source, bold=True))
        if found.why:
            why = "error in the scenario" if found.error else found.why
            echo(f"  {_name(found.target)}  {why}")
            return
        echo(self._line(_name(found.target), [texts.get(column, "") for column in self._columns]))

    def _line(self, name: str, texts: Iterable[str]) -> str:
        entries = "".join(f"  {t:>{w}}" for t, w in zip(texts, self._widths, strict=True))
        if self._width + 2 + sum(w + 2 for w in self._widths) <= terminal_width():
            return f"  {name:<{self._width}}{entries}".rstrip()
        return f"  {name}\n{entries}".rstrip() if name else entries

    def end(self, left: int) -> None:
        """Print the intervals, and say what all that means."""
        done = [(found, rows) for found, rows in self._rows if not found.why]
        if done:
            echo(style("\n95 % intervals of these medians", bold=True))
        self._source = ""
        for found, rows in done:
            self._row(found, {row.strategy: row.interval() for row in rows})
        trials = self._trials
        echo(
            f"\nRuns to the first expected failure: {trials.campaigns} campaigns each, of up to "
            f"{trials.cap:,} runs, seeds {trials.seed} to {trials.seeds[-1]}.\n"
            f"-: none of them found it. {self._above}: fewer than half did. 5+: 5 or more."
        )
        controls = [found.by[CONTROL] for found, _ in done if CONTROL in found.by]
        if controls:
            unseen = sum(not entry.runs for entry in controls)
            echo(
                f"{CONTROL} is the control: default, on hardware that delays nothing. It misses "
                f"{unseen} of {len(controls)} twins."
            )
        if left:
            echo(f"{left} of {len(done) + left} twins: no answer.")


def _name(target: Target) -> str:
    return target.scenario.rpartition("::")[2]


def _head(column: str) -> tuple[str, str]:
    """A column's name on two lines."""
    if column == CONTROL:
        return "hardware", "=eager"
    name, _, option = column.partition(":")
    return name, option
