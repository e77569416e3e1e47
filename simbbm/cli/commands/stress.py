"""`simbbm stress`: many schedules."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

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
    max_steps_option,
    parameters_option,
    seed_option,
    strategy_option,
    witness_dir_option,
)
from simbbm.explore.runs.play import MAX_STEPS
from simbbm.explore.strategies.named import strategy as read_strategy
from simbbm.model import Model

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
