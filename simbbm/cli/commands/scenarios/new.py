"""`simbbm new`: a scenario or a litmus test to start from."""

from __future__ import annotations

import re
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
_LITMUS = (".litmus", ".jsonl")
"""Files of litmus tests: herd7's format, and rows."""


@click.command(
    "new",
    epilog=examples(
        "simbbm new mine.py && simbbm check mine.py",
        "simbbm new mine.litmus && simbbm litmus mine.litmus",
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
    """Write a scenario to start from, or a litmus test.

    A scenario, FILE.py, has comments and one bad twin, and passes `check` as it is. A litmus test
    is in herd7's format if the name is FILE.litmus, and in rows of JSON if it is FILE.jsonl.
    """
    if file.suffix not in (".py", *_LITMUS):
        better = file.with_suffix(".py") if file.name else "mine.py"
        told = f"{file} does not end in .py, .litmus or .jsonl"
        raise UsageError(told, f"write simbbm new {better}")
    check_name(str(file))
    text = _text(file)
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
        verb = "litmus" if file.suffix in _LITMUS else "check"
        echo(f"wrote {file}; now: simbbm {verb} {shown(file.absolute())}")


def _text(file: Path) -> str:
    """What is written."""
    package = Path(__file__).parent.parent.parent.parent
    if file.suffix in _LITMUS:
        example = package / "litmus" / "examples" / f"first{file.suffix}"
        text = example.read_text(encoding="utf-8")
        named = re.fullmatch(r"[\w.+-]+", file.stem)
        return text.replace("AArch64 first", f"AArch64 {file.stem}") if named else text
    template = package / "cli" / f"{TEMPLATE.rpartition('.')[2]}.py"
    return template.read_text(encoding="utf-8").replace("template.py", shown(file.absolute()))
