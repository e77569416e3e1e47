"""`simbbm steps`: by which names edits know the steps of a scenario."""

from __future__ import annotations

import click

from simbbm.cli.exits import Exit
from simbbm.cli.options import ScenarioId, common, examples, parameters_option
from simbbm.core.errors import UsageError
from simbbm.host.terminal import complain, echo, style


@click.command(
    "steps",
    epilog=examples(
        "simbbm steps linear_map_split::good",
        "simbbm check linear_map_split::good --drop split_pmd.dsb.ishst",
    ),
)
@click.argument("id", metavar="ID", type=ScenarioId())
@parameters_option
@common
def command(
    id: str,  # noqa: A002 - as the help has it
    *,
    given: tuple[tuple[str, str], ...],
    as_json: bool,
    log_format: str,  # noqa: ARG001 - nothing is logged here
) -> int:
    """List the steps of a scenario, for --drop and --weaken.

    They are the names that twins and ablations use: a routine, an operation, and #2 for the second
    of its kind in a routine. A shorter name means all that end like it.
    """
    from simbbm import discovery
    from simbbm.explore.counterexample.named_steps import named_steps
    from simbbm.model import Model
    from simbbm.report.rows import StepNameRow, encode

    scenario = discovery.find(id)
    if any(cpu.listing for cpu in scenario.setup(scenario.parameters_from(dict(given))).cpus):
        raise UsageError(f"{id} is a litmus test: its instructions have no names")
    found, complete = named_steps(Model(scenario, dict(given)))
    routine = ""
    for step in found:
        if as_json:
            kernel = step.kernel or None
            weaker = list(step.weaker)
            echo(encode(StepNameRow(scenario=id, step=step.name, weaker=weaker, kernel=kernel)))
            continue
        if step.routine != routine:
            routine = step.routine
            echo(style(routine, fg="cyan") + (f"  {step.kernel}" if step.kernel else ""))
        told = f"  --weaken ...={'|'.join(step.weaker)}" if step.weaker else ""
        echo(f"    {step.name}{style(told, dim=True)}")
    if not complete:
        complain("warning: there may be more: not every state was visited")
    return Exit.EXPECTED
