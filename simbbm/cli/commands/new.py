"""`simbbm new`: a scenario to start from."""

from __future__ import annotations

from pathlib import Path

import click

from simbbm.cli.options import common, examples
from simbbm.cli.verdicts import shown
from simbbm.core.errors import UsageError
from simbbm.host.reading import check_name
from simbbm.host.terminal import echo
from simbbm.host.writing import reason, write

TEMPLATE = "simbbm.cli.template"
"""A module that is never imported: it is the text that a user gets, kept right by linters."""


@click.command(
    "new",
    epilog=examples(
        "simbbm new mine.py && simbbm check mine.py",
    ),
)
@click.argument("file", type=click.Path(path_type=Path))
@common
def command(
    file: Path,
    *,
    as_json: bool,
    log_format: str,  # noqa: ARG001 - nothing is logged here
) -> None:
    """Write a scenario to start from.

    It has comments and one bad twin, and passes `check` as it is.
    """
    if file.suffix != ".py":
        better = file.with_suffix(".py") if file.name else "mine.py"
        raise UsageError(f"{file} does not end in .py", f"write simbbm new {better}")
    check_name(str(file))
    template = Path(__file__).parent.parent.joinpath(f"{TEMPLATE.rpartition('.')[2]}.py")
    text = template.read_text(encoding="utf-8").replace("template.py", shown(file.absolute()))
    try:
        write(file, text.encode("utf-8", "backslashreplace"), new=True)
    except FileExistsError:
        raise UsageError(f"{file} exists already", "nothing was written") from None
    except OSError as error:
        raise UsageError(f"cannot write {file}: {reason(error)}") from None
    if as_json:
        from simbbm.report.rows import NewRow, encode

        echo(encode(NewRow(file=str(file.absolute()))))
    else:
        echo(f"wrote {file}; now: simbbm check {shown(file.absolute())}")
