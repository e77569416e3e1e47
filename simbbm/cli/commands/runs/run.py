"""`simbbm run`: one schedule."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import click

from simbbm import discovery
from simbbm.cli.editing import edit_options
from simbbm.cli.exits import Exit, worst
from simbbm.cli.options import (
    common,
    examples,
    ids_argument,
    machine_option,
    max_steps_option,
    parameters_option,
    seed_option,
    strategy_option,
    witness_dir_option,
)
from simbbm.cli.verdicts import exit_of, keep, keep_as, say
from simbbm.core.errors import UsageError
from simbbm.explore.counterexample.confirm import FAILURES
from simbbm.explore.runs.play import MAX_STEPS
from simbbm.explore.runs.run import run_one
from simbbm.explore.strategies.named import strategy as read_strategy
from simbbm.host.terminal import echo
from simbbm.model import Model

if TYPE_CHECKING:
    from simbbm.explore.runs.play import Run


@click.command(
    "run",
    epilog=examples(
        "simbbm run linear_map_split::good --seed 0x2a --strategy random",
        "simbbm run bbm_minimal::live_change --trace",
    ),
)
@ids_argument
@parameters_option
@machine_option
@seed_option
@strategy_option
@max_steps_option
@click.option("--trace", is_flag=True, help="Print every step first.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the run's witness to this file, also when it holds.",
)
@witness_dir_option
@common
@edit_options
def command(
    ids: tuple[str, ...],
    *,
    given: tuple[tuple[str, str], ...],
    seed: int,
    strategy: str,
    max_steps: int | None,
    trace: bool,
    output: Path | None,
    witness_dir: Path,
    as_json: bool,
    log_format: str,  # noqa: ARG001 - nothing is logged here
) -> int:
    """Run one schedule, and say what it showed.

    That says nothing of other schedules.
    """
    from simbbm.report.verdict_rows import run_row

    plan = read_strategy(strategy)
    scenarios = discovery.select(ids)
    if output and len(scenarios) > 1:
        raise UsageError(f"-o takes one run, and {len(scenarios)} scenarios are named")
    if output:
        from simbbm.explore.witness.files import check_target

        check_target(output)
    every_params = [s.parameters_from(dict(given)) for s in scenarios]
    codes: list[Exit] = []
    for scenario, params in zip(scenarios, every_params, strict=True):
        began, model = perf_counter(), Model(scenario, params)
        run = run_one(model, plan, seed, max_steps=max_steps or MAX_STEPS)
        seconds = round(perf_counter() - began, 3)
        kept, unwritten = None, None
        if trace:
            _trace(run, as_json=as_json)
        if run.verdict in FAILURES or output:
            from simbbm.explore.witness.recording import Found, witness_from

            witness = witness_from(run, Found(plan.name, seed, 0))
            if output:
                kept, unwritten = keep_as(witness, output)
            elif run.verdict in FAILURES:
                kept = keep(witness, witness_dir)
        row = run_row(run, kept, seconds=seconds, seed=seed, strategy=plan.name)
        say(row, kept, f"{row.steps} steps, seed {seed}, strategy {plan.name}", as_json=as_json)
        codes.append(exit_of(row))
        if unwritten:
            raise unwritten
    return worst(codes)


def _trace(run: Run, *, as_json: bool) -> None:
    from simbbm.report.columns import listed
    from simbbm.report.rows import StepRow, encode
    from simbbm.report.trace import events

    for event in events(run):
        if not as_json:
            echo(listed(event))
            continue
        fields = event._asdict() | {"notes": list(event.notes)}
        echo(encode(StepRow(scenario=run.model.scenario.id, **fields)))
