"""`simbbm survey`: does a machine take the repaint path, under which kernel, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simbbm.cli.exits import Exit
from simbbm.cli.options import SYMBOLS_DIR, common, examples
from simbbm.core.errors import UsageError
from simbbm.host.terminal import complain, echo

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from simbbm.field.known import Known
    from simbbm.field.noabort import Rules
    from simbbm.report.field_rows import MachineRow, SurveyRow


class MachineName(click.ParamType[str]):
    """A file, or a SoC of the tables."""

    name = "machine"

    def shell_complete(
        self,
        ctx: click.Context | None,  # noqa: ARG002 - as click calls it
        param: click.Parameter | None,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem[str]]:
        """Return the SoCs that begin like this, or files."""
        from click.shell_completion import CompletionItem

        from simbbm.field.known import known

        ids = [CompletionItem(soc) for soc in known().socs if soc.startswith(incomplete)]
        return ids or [CompletionItem(incomplete, type="file")]


@click.command(
    "survey",
    epilog=examples(
        "simbbm survey",
        "simbbm survey gb10",
        "simbbm survey box.json other.toml --kernel vmlinuz",
        "simbbm survey --field",
    ),
)
@click.argument("files", nargs=-1, metavar="[FILE|SOC...]", type=MachineName())
@click.option("--collect", is_flag=True, help="Print what a survey of this machine needs, as JSON.")
@click.option("--collector", is_flag=True, help="Print the program that does it, to be copied.")
@click.option("--field", "general", is_flag=True, help="All SoCs that are known, in general.")
@click.option(
    "--kernel",
    "kernels",
    multiple=True,
    metavar="IMAGE|VERSION",
    help="Go by this image's own list, or show this version alone; may be repeated.",
)
@click.option(
    "--tables",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Rows of your own: cores, lists, kernels, SoCs (TOML).",
)
@click.option("--window", is_flag=True, help="Estimate how long a repaint stops the machine, too.")
@click.option("--markdown", is_flag=True, help="Print tables in Markdown.")
@common
def command(
    files: tuple[str, ...],
    *,
    collect: bool,
    collector: bool,
    general: bool,
    kernels: tuple[str, ...],
    tables: Path | None,
    window: bool,
    markdown: bool,
    as_json: bool,
    log_format: str,  # noqa: ARG001 - nothing is logged here
) -> int:
    """Say whether a machine takes the repaint path.

    FILE is what --collect printed on another machine, or a description in TOML (- is stdin); SOC is
    one of the tables, as gb10. Without either it is about this machine.

    For each kernel, and for each core that could boot: blocks stay, pages from the start, a
    repaint, or a late CPU refused; why; and how sure that is. `simbbm guide field` explains.
    """
    from simbbm.field import taken
    from simbbm.field.known import known

    _refuse_both(files, collect=collect, collector=collector, general=general)
    if as_json and markdown:
        raise UsageError("--json and --markdown are two ways to print", "leave one out")
    if collect or collector:
        return _collect(program=collector)
    found = known(tables)
    rules = taken.rules(kernels, found, SYMBOLS_DIR)
    if general:
        if kernels:
            raise UsageError("--field is about every list of the tables", "leave out --kernel")
        return _general(found, as_json=as_json, markdown=markdown)
    return _surveyed(files, rules, found, window=window, as_json=as_json, markdown=markdown)


def _refuse_both(files: tuple[str, ...], *, collect: bool, collector: bool, general: bool) -> None:
    """Raise UsageError for two things at once."""
    options = {"--collect": collect, "--collector": collector, "--field": general}
    given = [*(name for name, is_given in options.items() if is_given), *files[:1]]
    if len(given) > 1 and given[0] in options:
        raise UsageError(f"{given[0]} stands alone", f"leave out {given[1]}")


def _collect(*, program: bool) -> Exit:
    """Print what there is to say of this machine, or the program that finds it out."""
    import inspect
    import json

    from simbbm.field import collector

    if program:
        echo(inspect.getsource(collector), nl=False, fold=False)
        return Exit.EXPECTED
    found = collector.collect()
    echo(json.dumps(found, indent=1), fold=False)
    for line in collector.complaints(found):
        complain(line)
    return Exit.EXPECTED


def _surveyed(
    files: Sequence[str],
    rules: Sequence[Rules],
    known: Known,
    *,
    window: bool,
    as_json: bool,
    markdown: bool,
) -> Exit:
    """Print each machine; one that cannot be read costs itself alone."""
    from simbbm.cli.commands.field.text import machine_lines, machine_markdown
    from simbbm.report.rows import ErrorRow, encode

    code = Exit.EXPECTED
    for number, file in enumerate(files or [None]):
        try:
            head, rows = _machine(file, rules, known, window=window)
        except UsageError as error:
            if len(files) < 2:
                raise
            code = Exit.USAGE
            if as_json:
                echo(encode(ErrorRow(message=error.message, hint=error.hint)))
            complain(str(error))
            continue
        if as_json:
            for row in (head, *rows):
                echo(encode(row))
            continue
        if number:
            echo()
        for line in machine_markdown(head, rows) if markdown else machine_lines(head, rows):
            echo(line)
    return code


def _machine(
    file: str | None, rules: Sequence[Rules], known: Known, *, window: bool
) -> tuple[MachineRow, list[SurveyRow]]:
    from simbbm.field import taken
    from simbbm.field.cost.window import window_ms
    from simbbm.field.survey import machine_row, survey_rows

    machine = taken.machine(file, known) if file is not None else taken.this_machine()
    rows = survey_rows(machine, rules, known, window_ms if window else None)
    return machine_row(machine, file, rules, known), list(rows)


def _general(known: Known, *, as_json: bool, markdown: bool) -> Exit:
    """Print the answer in general."""
    from simbbm.cli.commands.field.text import field_lines, field_markdown
    from simbbm.field.general import field_rows, summaries
    from simbbm.report.rows import encode

    rows = list(field_rows(known))
    counts = list(summaries(rows))
    lines: Iterator[str]
    if as_json:
        lines = map(encode, [*rows, *counts])
    else:
        lines = field_markdown(rows, counts) if markdown else field_lines(rows, counts)
    for line in lines:
        echo(line)
    return Exit.EXPECTED
