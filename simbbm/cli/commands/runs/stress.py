"""`simbbm stress`: many schedules."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import click

from simbbm import discovery
from simbbm.cli.editing import edit_options
from simbbm.cli.exits import Exit
from simbbm.cli.html_report import HtmlReport, html_option
from simbbm.cli.options import (
    Count,
    Duration,
    common,
    examples,
    ids_argument,
    jobs_option,
    machine_option,
    max_steps_option,
    parameters_option,
    seed_option,
    strategy_option,
    witness_dir_option,
)
from simbbm.core.errors import UsageError
from simbbm.explore.runs.play import MAX_STEPS
from simbbm.explore.strategies.named import strategy as read_strategy
from simbbm.host.reading import is_file, quoted
from simbbm.ids import user_file
from simbbm.model import Model

if TYPE_CHECKING:
    from simbbm.campaign.answers.sampling import Sampling
    from simbbm.scenario import Scenario

RUNS = 10_000


@click.command(
    "stress",
    epilog=examples(
        "simbbm stress linear_map_split::good --runs 100k",
        "simbbm stress linear_map_split::m07_count_before_switch --time 30s --stop never",
    ),
)
@ids_argument
@parameters_option
@machine_option
@click.option("--runs", type=Count(), help="Schedules to run, e.g. 10k. [default: 10k, or --time]")
@click.option("--time", type=Duration(), help="Stop after this long, e.g. 30s or 10m.")
@seed_option
@strategy_option
@max_steps_option
@jobs_option
@click.option(
    "--stop",
    type=click.Choice(["first", "never"]),
    default="first",
    show_default=True,
    help="Stop at the first failing run, or count them all.",
)
@click.option(
    "--store",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Keep every result in this file at once, so that nothing is lost whatever stops it.",
)
@click.option("--resume", is_flag=True, help="Go on with what --store has.")
@witness_dir_option
@html_option
@common
@edit_options
def command(
    ids: tuple[str, ...],
    *,
    given: tuple[tuple[str, str], ...],
    runs: int | None,
    time: float | None,
    seed: int,
    strategy: str,
    max_steps: int | None,
    jobs: int | None,
    stop: Literal["first", "never"],
    store: Path | None,
    resume: bool,
    witness_dir: Path,
    html: Path | None,
    as_json: bool,
    log_format: str,
) -> int:
    """Run many schedules.

    The answer depends on the seed, not on how many processes work.

    Runs that all hold are a sample (SAMPLED), never a proof.
    """
    from simbbm.campaign.answers.sampling import Sampling, sample
    from simbbm.cli.logs import configure, progress
    from simbbm.cli.verdicts import exit_of_answer, say, warn_of_unwritten

    name = read_strategy(strategy).name
    scenarios = discovery.select(ids)
    every_params = [s.parameters_from(dict(given)) for s in scenarios]
    if runs is None and time is None:
        runs = RUNS
    wanted = Sampling(runs, time, seed, name, max_steps or MAX_STEPS, jobs, stop, witness_dir)
    report = HtmlReport(html, "stress", jobs, log_format)
    configure(log_format)
    if store or resume:
        keeping = Keeping(store, resume, jobs, log_format, as_json)
        return kept(scenarios, ids, dict(given), wanted, keeping, report)
    codes: list[Exit] = []
    for scenario, params in zip(scenarios, every_params, strict=True):
        with progress(scenario.id, log_format) as on_progress:
            sampled = sample(Model(scenario, params), wanted, on_progress)
        warn_of_unwritten(sampled.kept)
        say(sampled.row, sampled.kept, sampled.how, as_json=as_json)
        code = exit_of_answer(sampled)
        codes.append(code)
        report.add(sampled.row, sampled.kept, passed=code)
        if sampled.interrupted:
            break
    return report.ended(codes)


class Keeping(NamedTuple):
    """How results are kept, and told."""

    store: Path | None
    resume: bool
    jobs: int | None
    log_format: str
    as_json: bool


def kept(
    scenarios: list[Scenario],
    ids: tuple[str, ...],
    given: dict[str, str],
    wanted: Sampling,
    keeping: Keeping,
    report: HtmlReport,
) -> Exit:
    """Run many schedules as a campaign that is kept: an arm for each scenario."""
    from simbbm.campaign.stored.plan import Plan, Sweep, planned
    from simbbm.cli.campaigns import Going, go_on

    store = keeping.store
    if store is None:
        raise UsageError("--resume goes on with a store", "name it: --store FILE")
    plan = planned(
        Plan(
            sweep=(Sweep(scenarios=ids, strategies=(wanted.strategy,), params=given),),
            seed=wanted.seed,
            runs=wanted.runs,
            time=wanted.time,
            stop=wanted.stop,
            max_steps=wanted.max_steps,
        ),
        files := [file for one in scenarios if (file := user_file(one.id))],
    )
    if keeping.resume != is_file(store):
        said = "has nothing to go on with" if keeping.resume else "is there already"
        hint = "leave out --resume" if keeping.resume else "--resume goes on with it"
        raise UsageError(f"{quoted(store)} {said}", hint)
    again = f"the same command{'' if keeping.resume else ' with --resume'}"
    going = Going(store, "local", keeping.jobs, again, files, keeping.log_format)
    return go_on(plan, going, report, as_json=keeping.as_json)
