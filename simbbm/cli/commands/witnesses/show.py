"""`simbbm show`: a witness in columns, or in another form."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simbbm.cli.exits import Exit
from simbbm.cli.options import Count, allow_file_option, common, examples, witness_argument
from simbbm.core.errors import UsageError
from simbbm.explore.counterexample.explanation import STATES
from simbbm.host.terminal import complain, echo, echo_bytes, style, visible, width
from simbbm.host.writing import reason, write
from simbbm.ids import require_allowed
from simbbm.report.columns import Line
from simbbm.report.forms import FORMS, Request, require, whole, written

if TYPE_CHECKING:
    from simbbm.explore.witness.record import Witness
    from simbbm.model import Model

STYLES = {
    "head": {"bold": True},
    "routine": {"fg": "cyan"},
    "hardware": {"fg": "yellow"},
    "elided": {"dim": True},
    "bad": {"fg": "red", "bold": True},
}


@click.command(
    "show",
    epilog=examples(
        "simbbm show .simbbm/witness/3f9c0a1b2c3d.json",
        "simbbm show .simbbm/witness/3f9c0a1b2c3d.json --as html -o race.html",
        "simbbm show .simbbm/witness/3f9c0a1b2c3d.json --as mermaid -o race.mmd",
        "simbbm show .simbbm/witness/3f9c0a1b2c3d.json --as perfetto -o race.pftrace",
    ),
)
@witness_argument
@click.option(
    "--as",
    "form",
    type=click.Choice([*FORMS]),
    default="columns",
    show_default=True,
    help="; ".join(f"{name}: {form.about}" for name, form in FORMS.items()) + ".",
)
@click.option(
    "--max-states",
    type=Count(),
    default=STATES,
    show_default=True,
    help="How far to search for what it needs and how likely it is.",
)
@click.option(
    "--all", "everything", is_flag=True, help="Leave out no step, but in the midst of what repeats."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to this file instead.",
)
@allow_file_option
@common
def command(
    witness: str,
    *,
    form: str,
    max_states: int,
    everything: bool,
    output: Path | None,
    allow_file: tuple[Path, ...],
    as_json: bool,
    log_format: str,  # noqa: ARG001 - nothing is logged here
) -> int:
    """Show a witness: in columns, or in a form that other tools read.

    One column a CPU, and time runs down. Steps of a long run that do not matter for its end are
    left out, but for --all. A page (html) is one file that a browser opens without any network: the
    steps with what each reads from, the translation tables, what each CPU may hold. A diagram
    (mermaid) has only steps on which the end depends, but for --all; the other forms have every
    step, and one step is one microsecond.
    """
    form = "json" if as_json else form
    require(form)
    if FORMS[form].binary and output is None and width() is not None:
        raise UsageError(f"--as {form} is no text for a terminal", "add -o FILE")
    from simbbm.cli.verdicts import allowing, shown, terminal_width
    from simbbm.explore.witness.files import read
    from simbbm.explore.witness.token import is_token
    from simbbm.report.told.case import Case

    found = read(witness)
    allowed = allowing(found.scenario)
    require_allowed(found.scenario, allow_file, f"if you trust it, add{allowed}")

    def recorded() -> tuple[Witness, Model]:
        from simbbm.cli.commands.witnesses.replay import (
            recorded_in,  # a machine is needed: not always
        )

        return recorded_in(witness, allow_file)

    path = None if is_token(witness) else Path(witness)
    case = Case(found, recorded, path=path, states=max_states)
    request = Request(
        case,
        everything=everything,
        width=100 if output else terminal_width(),
        replay=f"simbbm replay {shown(path) if path else witness}{allowed}",
    )
    _put(written(form, request), output)
    if case.interrupted:
        complain("interrupted: what the failure needs, and how likely it is, was not found out")
        return Exit.INTERRUPTED
    return Exit.EXPECTED


def styled(line: Line) -> str:
    """Return a line with its colours; click takes them away where they are not wanted."""
    return style(line.text, **STYLES[line.style]) if line.style else line.text  # type: ignore[arg-type]


def _put(content: str | bytes | Iterable[Line], output: Path | None) -> None:
    """Print what was written, or put it into a file."""
    if output is None:
        if isinstance(content, bytes):
            echo_bytes(content)
        elif isinstance(content, str):
            echo(content, nl=False, fold=False)  # a tool reads it, by lines
        else:
            for line in content:
                echo(styled(line))
        return
    content = whole(content)
    if isinstance(content, str):
        content = visible(content).encode()
    try:
        write(output, content)
    except OSError as error:
        raise UsageError(f"cannot write {output}: {reason(error)}") from None
