"""`simbbm compare`: what of the split differs between two kernel images."""

from __future__ import annotations

from pathlib import Path

import click

from simbbm import discovery
from simbbm.cli.commands.kernels.kernel import names
from simbbm.cli.exits import Exit
from simbbm.cli.options import SYMBOLS_DIR, Duration, common, examples, parameters_option
from simbbm.core.errors import UsageError
from simbbm.host.terminal import echo


@click.command(
    "compare",
    epilog=examples(
        "simbbm compare vmlinuz.old vmlinuz",
        "simbbm compare --json before/vmlinux after/vmlinux",
        "simbbm compare --prove -p layout=contpte vmlinuz.old vmlinuz",
    ),
)
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@click.option(
    "--cpu-features",
    metavar="NAMES",
    help="What the machine has, for which both patch themselves.  [default: LSE]",
)
@click.option("--prove", is_flag=True, help="Search both, and compare the verdicts.")
@click.option("--ablate", is_flag=True, help="Take away each step of both, and compare what fails.")
@parameters_option
@click.option("--max-seconds", type=Duration(), help="Give up on a search after this long.")
@common
def command(
    before: Path,
    after: Path,
    *,
    cpu_features: str | None,
    prove: bool,
    ablate: bool,
    given: tuple[tuple[str, str], ...],
    max_seconds: float | None,
    as_json: bool,
    log_format: str,  # noqa: ARG001 - nothing is logged here
) -> int:
    """Show what of the split differs between two kernel images.

    Functions and their lengths, alternatives, the CPUs that may split, and what both CPUs ask of
    the machine when the code is executed; with --prove their verdicts, with --ablate which steps
    carry the load. The exit code is 1 if they differ in what another CPU can notice.
    """
    from simbbm.binary.kernel import kernel
    from simbbm.cli.commands.kernels.text import difference_lines
    from simbbm.explore.beside.differences import differences
    from simbbm.explore.beside.searched import (
        ablation_differences,
        verdict,
        verdict_differences,
    )
    from simbbm.explore.search.breadth_first import Limits
    from simbbm.images.scenario import NAME
    from simbbm.model import Model
    from simbbm.report.kernel.described import difference_rows
    from simbbm.report.rows import encode

    features = names(cpu_features)
    pair = [kernel(file, None, features, SYMBOLS_DIR) for file in (before, after)]
    found, verdicts = differences(*pair), None
    if prove or ablate:
        params = dict(given) | ({"cpu_features": "+".join(features)} if features else {})
        models = tuple(Model(discovery.find(f"{file}::{NAME}"), params) for file in (before, after))
        limits = Limits(seconds=max_seconds)
        verdicts = [verdict(model, limits) for model in models] if prove else None
        found += verdict_differences(*verdicts) if verdicts else []
        found += ablation_differences(models, limits) if ablate else []
    elif given or max_seconds:
        raise UsageError("-p and --max-seconds are for searches", "add --prove or --ablate")
    head, rows = difference_rows((str(before), str(after)), pair, found, verdicts)
    lines = map(encode, (head, *rows)) if as_json else difference_lines(head, rows)
    for line in lines:
        echo(line, fold=False)
    return Exit.EXPECTED if head.same else Exit.UNEXPECTED
