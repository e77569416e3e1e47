"""`simbbm compare`: what of the split differs between two kernel images."""

from __future__ import annotations

from pathlib import Path

import click

from simbbm.cli.commands.kernels.kernel import names
from simbbm.cli.exits import Exit
from simbbm.cli.options import SYMBOLS_DIR, common, examples
from simbbm.host.terminal import echo


@click.command(
    "compare",
    epilog=examples(
        "simbbm compare vmlinuz.old vmlinuz",
        "simbbm compare --json before/vmlinux after/vmlinux",
    ),
)
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@click.option(
    "--cpu-features",
    metavar="NAMES",
    help="What the machine has, for which both patch themselves.  [default: LSE]",
)
@common
def command(
    before: Path,
    after: Path,
    *,
    cpu_features: str | None,
    as_json: bool,
    log_format: str,  # noqa: ARG001 - nothing is logged here
) -> int:
    """Show what of the split differs between two kernel images.

    Functions and their lengths, alternatives, the CPUs that may split, and what both CPUs ask of
    the machine when the code is executed. The exit code is 1 if that last part differs in what
    another CPU can notice.
    """
    from simbbm.binary.kernel import kernel
    from simbbm.cli.commands.kernels.text import difference_lines
    from simbbm.explore.beside.differences import differences
    from simbbm.report.kernel.described import difference_rows
    from simbbm.report.rows import encode

    features = names(cpu_features)
    pair = [kernel(file, None, features, SYMBOLS_DIR) for file in (before, after)]
    head, rows = difference_rows((str(before), str(after)), pair, differences(*pair))
    lines = map(encode, (head, *rows)) if as_json else difference_lines(head, rows)
    for line in lines:
        echo(line, fold=False)
    return Exit.EXPECTED if head.same else Exit.UNEXPECTED
