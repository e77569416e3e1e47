"""`simbbm check`: the main job. Hold every scenario against what is expected of it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
from click.core import ParameterSource

from simbbm import discovery
from simbbm.campaign.answers.sampling import Sampled, Sampling, sample
from simbbm.campaign.answers.searches import Bounds, Found, Proven, Wanted, searches
from simbbm.cli.check_table import Outcome, Table
from simbbm.cli.commands.kill_table import kill_options, show_kill_table, wanted_trials
from simbbm.cli.editing import edit_options
from simbbm.cli.exits import Exit
from simbbm.cli.html_report import HtmlReport, html_option
from simbbm.cli.logs import SearchView, configure, progress
from simbbm.cli.options import (
    Count,
    Duration,
    ScenarioId,
    common,
    cross_check_option,
    examples,
    limit_options,
    machine_option,
    max_steps_option,
    parameters_option,
    search_jobs_option,
    seed_option,
    strategy_option,
    witness_dir_option,
)
from simbbm.cli.verdicts import (
    exit_of,
    page_command,
    replay_command,
    terminal_width,
    warn_of_unwritten,
)
from simbbm.core.errors import ModelError, ScenarioError, SimbbmError, UsageError
from simbbm.explore.runs.play import MAX_STEPS
from simbbm.explore.search.breadth_first import Limits
from simbbm.explore.strategies.named import strategy as read_strategy
from simbbm.host.terminal import complain, echo, style
from simbbm.model import Model
from simbbm.report.rows import ErrorRow, VerdictRow, encode
from simbbm.scenario import Scenario

if TYPE_CHECKING:
    from simbbm.report.html.parts import PartName

MAIN = "linear_map_split::good"
RUNS = 10_000
MAX_STATES = 100_000
MAX_SECONDS = 60.0
NOT_FOR_EVERY_N = {
    *("runs", "time", "seed", "strategy", "max_steps"),
    *("jobs", "cross_check", "kill_table", "trials"),
}
"""Parameters of the command that `--every-n` would ignore."""
SAMPLE_IS_NO_PROOF = (
    "SAMPLED: so many schedules were tried and none failed. That is evidence, not a proof."
)


class Asked(NamedTuple):
    """What the command line asks for, whatever the scenario."""

    bounds: Bounds
    sampling: Sampling
    require_proof: bool
    log_format: str


@click.command(
    "check",
    epilog=examples(
        "simbbm check",
        "simbbm check linear_map_split::good -p cpus=4 --runs 100k",
        "simbbm check mine.py",
        "simbbm check deep --kill-table",
    ),
)
@click.argument("ids", nargs=-1, metavar="[ID...]", type=ScenarioId())
@click.option("--all", "everything", is_flag=True, help="Every scenario that is installed.")
@click.option("--twins", is_flag=True, help="The twins of the named scenarios, too.")
@parameters_option
@machine_option
@limit_options
@click.option("--runs", type=Count(), help="Schedules of a sample. [default: 10k, or --time]")
@click.option("--time", type=Duration(), help="Sample for this long, e.g. 30s.")
@seed_option
@strategy_option
@max_steps_option
@search_jobs_option
@cross_check_option
@click.option("--every-n", is_flag=True, help="Prove it for every number of CPUs: `simbbm prove`.")
@click.option("--require-proof", is_flag=True, help="A sample is not enough: exit with 3.")
@kill_options
@witness_dir_option
@html_option
@common
@edit_options
def command(
    ids: tuple[str, ...],
    *,
    everything: bool,
    twins: bool,
    given: tuple[tuple[str, str], ...],
    max_states: int | None,
    max_seconds: float | None,
    max_memory: int | None,
    runs: int | None,
    time: float | None,
    seed: int,
    strategy: str,
    max_steps: int | None,
    jobs: int | None,
    cross_check: bool,
    every_n: bool,
    require_proof: bool,
    kill_table: bool,
    trials: int | None,
    witness_dir: Path,
    html: Path | None,
    as_json: bool,
    log_format: str,
) -> int:
    """Hold scenarios against what is expected of them.

    Good ones have to hold, bad twins to be caught; without ID all of linear_map_split.

    It visits every state, which proves what it says, as far as --max-states (100k), --max-seconds
    (60s) and --max-memory allow; beyond that it tries many schedules, and proves nothing.
    """
    broken: dict[str, SimbbmError] = {}
    scenarios = _chosen(ids, broken, everything=everything, twins=twins)
    every_params = _parameters(scenarios, dict(given), named=bool(ids))
    named = list(zip(scenarios, every_params, strict=True))
    part: PartName = "prove" if every_n else "kill-table" if kill_table else "check"
    report = HtmlReport(html, part, jobs, log_format)
    if every_n:
        limits = Limits(states=max_states, seconds=max_seconds, memory=max_memory)
        codes = _say_broken(broken, report, as_json=as_json)
        code = _for_all(
            scenarios, given, limits, witness_dir, report, log_format=log_format, as_json=as_json
        )
        return report.ended([*codes, code])
    name = read_strategy(strategy).name
    if kill_table or trials:
        wanted = wanted_trials(trials, runs, seed, max_steps, table=kill_table)
        code = show_kill_table(
            named, name, wanted, jobs, report, as_json=as_json, log_format=log_format
        )
        return report.ended([code, *_say_broken(broken, report, as_json=as_json)])
    if runs is None and time is None:
        runs = RUNS
    limits = Limits(
        states=max_states or MAX_STATES, seconds=max_seconds or MAX_SECONDS, memory=max_memory
    )
    asked = Asked(
        Bounds(
            limits,
            symmetry=True,
            ample=True,
            witness_dir=witness_dir,
            cross_check=cross_check,
        ),
        Sampling(runs, time, seed, name, max_steps or MAX_STEPS, jobs, "first", witness_dir),
        require_proof,
        log_format,
    )
    return _held(named, broken, asked, jobs, report, as_json=as_json)


def _for_all(
    scenarios: list[Scenario],
    given: tuple[tuple[str, str], ...],
    limits: Limits,
    witness_dir: Path,
    report: HtmlReport,
    *,
    log_format: str,
    as_json: bool,
) -> Exit:
    """Prove each for every number of CPUs."""
    from simbbm.cli.commands.prove import Shown, prove_each, refuse_a_number

    refuse_a_number(given, "check --every-n")
    _refuse_what_would_be_ignored()
    try:
        return prove_each(scenarios, given, limits, Shown(witness_dir, log_format, as_json, report))
    except KeyboardInterrupt:
        return Exit.INTERRUPTED


def _refuse_what_would_be_ignored() -> None:
    """Raise UsageError for an option that --every-n has no use for."""
    context = click.get_current_context()
    for option in context.command.params:
        name = option.name or ""
        asked = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if name in NOT_FOR_EVERY_N and asked:
            raise UsageError(
                f"check --every-n takes no {option.opts[-1]}",
                "it samples nothing, and proves one scenario after the other; leave it out",
            )


def _held(
    named: list[tuple[Scenario, dict[str, object]]],
    broken: dict[str, SimbbmError],
    asked: Asked,
    jobs: int | None,
    report: HtmlReport,
    *,
    as_json: bool,
) -> Exit:
    """Check one scenario after the other, and print each outcome."""
    table = Table([scenario for scenario, _ in named], as_json=as_json)
    outcomes: list[Outcome] = []
    codes = _say_broken(broken, report, as_json=as_json)
    every = [Wanted(scenario.id, params, asked.bounds) for scenario, params in named]
    searched = searches(every, jobs, SearchView(asked.log_format))
    try:
        for (scenario, params), found in zip(named, searched, strict=False):
            outcome = _outcome(scenario, params, asked, found)
            outcomes.append(outcome)
            table.add(outcome)
            _note(report, outcome)
            if outcome.exit is Exit.INTERRUPTED:
                searched.stop()
        if not as_json:
            _conclude(outcomes, len(named), len(broken), require_proof=asked.require_proof)
    except KeyboardInterrupt:
        codes = [Exit.INTERRUPTED]
        if not as_json:
            _count(outcomes, len(named), len(broken))
    return report.ended(codes + [outcome.exit for outcome in outcomes])


def _note(report: HtmlReport, outcome: Outcome) -> None:
    """Take an outcome into the report."""
    if answer := outcome.answer:
        report.add(answer.row, answer.kept, passed=outcome.exit)
    elif error := outcome.error:
        report.add(ErrorRow(message=error.message, hint=error.hint))


def _chosen(
    ids: tuple[str, ...], broken: dict[str, SimbbmError], *, everything: bool, twins: bool
) -> list[Scenario]:
    """The scenarios that are asked for; what cannot be loaded goes to `broken`, and costs itself.

    Raises the error if nothing is left.
    """
    if everything and ids:
        raise UsageError("check --all names every scenario already", "leave out the ids")
    take = broken.__setitem__
    if everything:
        found = discovery.installed(take)
    else:
        found = discovery.select(ids or [MAIN], twins=twins or not ids, broken=take)
    if not found:
        *others, last = broken.values()
        for error in others:
            complain(str(error))
        raise last
    return found


def _say_broken(broken: dict[str, SimbbmError], report: HtmlReport, *, as_json: bool) -> list[Exit]:
    """Say what could not be loaded, and what that does to the exit code."""
    for error in broken.values():
        row = ErrorRow(message=error.message, hint=error.hint)
        report.add(row)
        if as_json:
            echo(encode(row))
        complain(str(error))
    return [Exit.USAGE] * len(broken)


def _parameters(
    scenarios: list[Scenario], given: dict[str, str], *, named: bool
) -> list[dict[str, object]]:
    """Every scenario's parameters. One that was not named itself takes only those that it has."""
    known = {p.name for scenario in scenarios for p in scenario.parameters}
    every = []
    for scenario in scenarios:
        own = {p.name for p in scenario.parameters}
        fits = {n: v for n, v in given.items() if n in own or named or n not in known}
        every.append(scenario.parameters_from(fits))
    return every


def _outcome(scenario: Scenario, params: dict[str, object], asked: Asked, found: Found) -> Outcome:
    try:
        answer = _answer(scenario, params, asked, found)
    except ScenarioError as error:
        return Outcome(scenario, None, error, Exit.USAGE)
    except ModelError as error:
        return Outcome(scenario, None, error, Exit.INTERNAL)
    if answer.interrupted:
        return Outcome(scenario, answer, None, Exit.INTERRUPTED)
    proof_due = asked.require_proof or scenario.claims_proof(params)
    return Outcome(scenario, answer, None, exit_of(answer.row, require_proof=proof_due))


def _answer(
    scenario: Scenario, params: dict[str, object], asked: Asked, found: Found
) -> Proven | Sampled:
    """The answer of a search, or of a sample if the search hit a limit first."""
    if isinstance(found, ScenarioError | ModelError):
        raise found
    answer: Proven | Sampled = found
    if not (found.interrupted or found.lost) and found.row.verdict == "INCONCLUSIVE":
        configure(asked.log_format)
        with progress(scenario.id, asked.log_format) as on_progress:
            answer = sample(Model(scenario, params), asked.sampling, on_progress)
    warn_of_unwritten(answer.kept)
    return answer


def _conclude(outcomes: list[Outcome], asked: int, broken: int, *, require_proof: bool) -> None:
    """Print a summary, and show the first counterexample that was not expected."""
    _count(outcomes, asked, broken)
    if any(o.answer and o.answer.row.verdict == "SAMPLED" for o in outcomes):
        echo(SAMPLE_IS_NO_PROOF)
        if require_proof:
            echo("A proof was required.")
        elif any(o.exit is Exit.INCONCLUSIVE and o.answer for o in outcomes):
            echo("A proof is what such a scenario claims: raise --max-states, --max-seconds.")
    unexpected = [o.answer for o in outcomes if o.answer and o.exit is Exit.UNEXPECTED]
    for answer in unexpected:
        if answer.kept is None:
            echo(f"{answer.row.scenario}: {answer.row.expect} was expected and not found.")
    first = next((answer for answer in unexpected if answer.kept), None)
    if first:
        _show(first)


def _count(outcomes: list[Outcome], asked: int, broken: int) -> None:
    """Print a summary in one line."""
    counts = Counter(o.exit for o in outcomes)
    parts = [f"{counts[Exit.EXPECTED]} of {asked} as expected"]
    for code, what in (
        (Exit.UNEXPECTED, "NOT as expected"),
        (Exit.USAGE, "with an error in the scenario"),
        (Exit.INTERNAL, "with an error in simbbm"),
        (Exit.INCONCLUSIVE, "without an answer"),
    ):
        if counts[code]:
            parts.append(f"{counts[code]} {what}")
    if broken:
        parts.append(f"{broken} file{'s' * (broken > 1)} that cannot be loaded")
    if left := asked - len(outcomes) + counts[Exit.INTERRUPTED]:
        parts.append(f"interrupted, {left} not finished")
    echo(f"\n{style(', '.join(parts), bold=True)}.")
    if crossed := [c for o in outcomes if o.answer and (c := _cross_checked(o.answer.row))]:
        whole = sum(c["same"] for c in crossed)
        echo(
            f"Cross-checked without reductions: {len(crossed)}, none with another answer; "
            f"{whole} came to the same one, {len(crossed) - whole} to the limits first."
        )


def _cross_checked(row: VerdictRow) -> dict[str, bool] | None:
    return (row.coverage or {}).get("cross_check")


def _show(answer: Proven | Sampled) -> None:
    """Print a counterexample in columns."""
    from simbbm.cli.commands.witnesses.show import styled
    from simbbm.report.columns import as_columns
    from simbbm.report.forms import Request
    from simbbm.report.told.case import Case

    assert answer.kept is not None
    echo("\nThe first counterexample that was not expected:\n")
    witness = answer.kept.witness
    model = Model(discovery.find(witness.scenario), witness.params)
    case = Case(witness, lambda: (witness, model), path=answer.kept.path)
    request = Request(case, width=terminal_width(), replay=replay_command(answer.kept))
    for line in as_columns(request):
        echo(styled(line))
    echo(f"or, on any machine, as a page: {page_command(answer.kept)}")
