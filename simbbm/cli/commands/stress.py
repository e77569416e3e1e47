"""`simbbm stress`: many schedules."""

from __future__ import annotations

from pathlib import Path

import click

from simbbm import discovery
from simbbm.cli.exits import Exit, worst
from simbbm.cli.options import (
    Count,
    Duration,
    common,
    edit_options,
    examples,
    ids_argument,
    jobs_option,
    max_steps_option,
    parameters_option,
    seed_option,
    strategy_option,
    witness_dir_option,
)
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
    stop: str,
    witness_dir: Path,
    as_json: bool,
    log_format: str,
) -> int:
    """Run many schedules.

    The answer depends on the seed, not on how many processes work.

    Runs that all hold are a sample (SAMPLED), never a proof.
    """
    from simbbm.cli.sampling import Wanted, sample
    from simbbm.cli.verdicts import say

    name = read_strategy(strategy).name
    scenarios = discovery.select(ids)
    every_params = [s.parameters_from(dict(given)) for s in scenarios]
    if runs is None and time is None:
        runs = RUNS
    wanted = Wanted(runs, time, seed, name, max_steps, jobs, stop, witness_dir, log_format)
    codes: list[Exit] = []
    for scenario, params in zip(scenarios, every_params, strict=True):
        sampled = sample(Model(scenario, params), wanted)
        say(sampled.row, sampled.kept, sampled.how, as_json=as_json)
        codes.append(sampled.exit)
        if sampled.interrupted:
            break
    return worst(codes)
