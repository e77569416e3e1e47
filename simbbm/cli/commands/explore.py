"""`simbbm explore`: all schedules."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from simbbm import discovery
from simbbm.campaign.answers.searches import Bounds, Wanted, searches
from simbbm.check.verdict import Verdict
from simbbm.cli.certificates import refuse_certificate, written
from simbbm.cli.editing import edit_options
from simbbm.cli.exits import Exit, worst
from simbbm.cli.logs import SearchView
from simbbm.cli.options import (
    common,
    cross_check_option,
    examples,
    ids_argument,
    limit_options,
    machine_option,
    parameters_option,
    search_jobs_option,
    witness_dir_option,
)
from simbbm.cli.verdicts import exit_of_answer, say, warn_of_unwritten
from simbbm.core.errors import ModelError, ScenarioError, UsageError
from simbbm.explore.search.breadth_first import Limits
from simbbm.model import Model
from simbbm.scenario import Scenario


@click.command(
    "explore",
    epilog=examples(
        "simbbm explore linear_map_split::good -p cpus=6",
        "simbbm explore linear_map_split::m07_count_before_switch -p cpus=2",
        "simbbm explore mine.py::good --max-states 1m --max-seconds 10m",
    ),
)
@ids_argument
@parameters_option
@machine_option
@limit_options
@click.option("--no-symmetry", is_flag=True, help="Tell CPUs apart that are alike.")
@click.option("--no-ample", is_flag=True, help="Take every move in every state.")
@click.option(
    "--certificate",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Take every move, and write all states for `simbbm verify`.",
)
@cross_check_option
@search_jobs_option
@witness_dir_option
@common
@edit_options
def command(
    ids: tuple[str, ...],
    *,
    given: tuple[tuple[str, str], ...],
    max_states: int | None,
    max_seconds: float | None,
    max_memory: int | None,
    no_symmetry: bool,
    no_ample: bool,
    certificate: Path | None,
    cross_check: bool,
    jobs: int | None,
    witness_dir: Path,
    as_json: bool,
    log_format: str,
) -> int:
    """Visit every state that any schedule can lead to.

    PROVED says that no schedule fails, for these parameters. A counterexample is the shortest one
    there is, if it says so. A search that hits a limit says INCONCLUSIVE, and proves nothing. With
    -p cpus=all it is `simbbm prove`.
    """
    scenarios = discovery.select(ids)
    limits = Limits(states=max_states, seconds=max_seconds, memory=max_memory)
    if dict(given).get("cpus") == "all":
        from simbbm.cli.commands.prove import Shown, prove_each

        shown = Shown(witness_dir, log_format, as_json)
        ample = not no_ample
        return prove_each(scenarios, given, limits, shown, certificate=certificate, ample=ample)
    refuse_certificate(certificate, len(scenarios))
    every_params = [s.parameters_from(dict(given)) for s in scenarios]
    bounds = Bounds(
        limits,
        symmetry=not (no_symmetry or certificate),
        ample=not (no_ample or certificate),
        witness_dir=witness_dir,
        explains=True,
        cross_check=cross_check,
    )
    codes: list[Exit] = []
    unwritten: UsageError | None = None
    every = [Wanted(s.id, p, bounds) for s, p in zip(scenarios, every_params, strict=True)]
    searched = searches(every, jobs, SearchView(log_format))
    for found in searched:
        if isinstance(found, ScenarioError | ModelError):
            raise found
        warn_of_unwritten(found.kept)
        row, how = found.row, found.how
        if certificate and row.verdict == Verdict.PROVED:
            file, unwritten = _certified(scenarios[0], every_params[0], certificate)
            row = msgspec.structs.replace(row, certificate=file)
            if file:
                how = f"{how}\n  certificate: {file}; check it with simbbm verify"
        say(row, found.kept, how, as_json=as_json)
        codes.append(exit_of_answer(found))
        if found.interrupted:
            searched.stop()
    if unwritten:
        raise unwritten
    return worst(codes)


def _certified(
    scenario: Scenario, params: Mapping[str, Any], path: Path
) -> tuple[str | None, UsageError | None]:
    """Write all states; returns where they are, or why they are not."""
    from simbbm.explore.certificate.enumeration import certificate_of_states

    return written(certificate_of_states(Model(scenario, params)), path)
