"""`simbbm show`: a witness in columns, or as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from simbbm.cli.exits import Exit
from simbbm.cli.options import Count, allow_file_option, common, examples, witness_argument
from simbbm.core.errors import UsageError
from simbbm.host.terminal import echo, style, visible
from simbbm.host.writing import reason, write
from simbbm.report.columns import Line, render

STATES = 5_000
"""Enough for a witness that was shrunk; with any other, `show` does not take long."""
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
        "simbbm show .simbbm/witness/3f9c0a1b2c3d.json --as columns",
    ),
)
@witness_argument
@click.option(
    "--as",
    "form",
    type=click.Choice(["columns", "json"]),
    default="columns",
    show_default=True,
    help="One column a CPU, or the whole trace as JSON.",
)
@click.option(
    "--max-states",
    type=Count(),
    default=STATES,
    show_default=True,
    help="How far to search for what it needs and how likely it is.",
)
@click.option("--all", "everything", is_flag=True, help="Leave out no step.")
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
    """Show a witness in columns, or as JSON.

    One column a CPU, and time runs down. Steps of a long run that do not matter for its end are
    left out, but for --all.
    """
    from simbbm.cli.commands.replay import recorded_in
    from simbbm.cli.verdicts import allowing, shown, terminal_width
    from simbbm.explore.counterexample.explain import explain
    from simbbm.explore.witness.recording import is_token
    from simbbm.report.story import tell

    recorded, model = recorded_in(witness, allow_file)
    code = Exit.EXPECTED
    try:
        explained = explain(recorded, model, max_states)
    except KeyboardInterrupt:  # the story can be told without what the failure needs
        explained, code = None, Exit.INTERRUPTED
    story = tell(recorded, model, explained)
    if form == "json" or as_json:
        from simbbm.report.as_json import trace_json

        _put([Line(trace_json(story))], output)
        return code
    named = witness if is_token(witness) else shown(Path(witness))
    replay = f"simbbm replay {named}{allowing(recorded.scenario)}"
    width = 100 if output else terminal_width()
    _put(render(story, width=width, everything=everything, replay=replay), output)
    return code


def styled(line: Line) -> str:
    """Return a line with its colours; click takes them away where they are not wanted."""
    return style(line.text, **STYLES[line.style]) if line.style else line.text  # type: ignore[arg-type]


def _put(lines: Iterable[Line], output: Path | None) -> None:
    if output is None:
        for line in lines:
            echo(styled(line))
        return
    text = visible("".join(f"{line.text}\n" for line in lines))
    try:
        write(output, text.encode())
    except OSError as error:
        raise UsageError(f"cannot write {output}: {reason(error)}") from None
