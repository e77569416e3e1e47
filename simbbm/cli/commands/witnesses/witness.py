"""`simbbm witness`: the witnesses that were kept, whether they still show it, and removing them."""

from __future__ import annotations

from pathlib import Path
from time import time

import click

from simbbm.cli.exits import Exit, worst
from simbbm.cli.options import (
    WITNESS_DIR,
    allow_file_option,
    common,
    examples,
    witness_dir_option,
)
from simbbm.cli.verdicts import allowing, shown
from simbbm.core.errors import ReplayDivergence, SimbbmError, UsageError
from simbbm.explore.witness.index import Entry, chosen, entries, remove
from simbbm.host.amounts import amount
from simbbm.host.reading import is_folder
from simbbm.host.terminal import complain, echo, style
from simbbm.report.rows import WitnessRow, encode

REPRODUCED = "REPRODUCED"
COLOURS = {REPRODUCED: "green", "not checked": "yellow"}
UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
NONE = (
    "no witnesses in {}: failing runs of simbbm run, stress, explore, check and ablate leave "
    "theirs there"
)


@click.command(
    "witness",
    epilog=examples(
        "simbbm witness",
        "simbbm witness --check --allow-file mine.py",
        "simbbm witness --remove 3f9c0a1b2c3d",
        "simbbm witness --check --clean",
    ),
)
@click.option("--check", is_flag=True, help="Replay each: does it still show what it showed?")
@click.option(
    "--remove",
    "names",
    multiple=True,
    metavar="WITNESS",
    help="Remove this one: its file, or the file's name; may be repeated.",
)
@click.option(
    "--clean",
    is_flag=True,
    help="Remove every witness; with --check those that do not reproduce any more.",
)
@allow_file_option
@witness_dir_option
@common
def command(
    *,
    check: bool,
    names: tuple[str, ...],
    clean: bool,
    allow_file: tuple[Path, ...],
    witness_dir: Path,
    as_json: bool,
    log_format: str,  # noqa: ARG001 - nothing is logged here
) -> int:
    """List the witnesses that were kept, check them, or remove some.

    The newest come first. Nothing is run unless --check asks for it, and of a user's scenario only
    what --allow-file names. What is no witness, or a damaged one, is named and never removed.
    """
    if names and (clean or check):
        raise UsageError("--remove names what is removed", "leave out --check and --clean")
    if witness_dir != WITNESS_DIR and not is_folder(witness_dir):
        raise UsageError(f"there is no folder {shown(witness_dir)}")
    known = entries(witness_dir)
    listed = chosen(known, witness_dir, names) if names else known
    page = Page(len(listed), witness_dir, as_json=as_json)
    codes = []
    unasked: set[str] = set()
    for entry in listed:
        if entry.error is not None:
            codes.append(page.damaged(entry, entry.error))
            continue
        result, code = _checked(entry, allow_file, unasked) if check else (None, Exit.EXPECTED)
        gone = bool(names) or (clean and (not check or result in ("STALE", "DIVERGED")))
        if gone:
            remove(entry)
            code = Exit.EXPECTED  # it was found, and is gone
        page.add(entry, result, removed=gone)
        codes.append(code)
    page.end()
    return worst(codes)


def _checked(entry: Entry, allow_file: tuple[Path, ...], said: set[str]) -> tuple[str, Exit]:
    """Whether a witness still shows what it showed; `not checked` if it cannot be asked.

    Why not is said once for all witnesses that want the same of the user (`said`).
    """
    from simbbm.cli.commands.witnesses.replay import recorded_in
    from simbbm.explore.runs.replay import replay

    try:
        recorded, model = recorded_in(str(entry.path), allow_file)
        result = replay(recorded, model).result
    except ReplayDivergence as error:
        complain(str(error))
        return "DIVERGED", Exit.DIVERGED
    except SimbbmError as error:
        reason = error.hint or error.message
        if reason not in said:
            said.add(reason)
            complain(str(error))
        return "not checked", Exit.USAGE
    return result, Exit.EXPECTED if result == REPRODUCED else Exit.DIVERGED


class Page:
    """The answer, witness by witness."""

    def __init__(self, total: int, folder: Path, *, as_json: bool) -> None:
        self.total = total
        self.folder = folder
        self.as_json = as_json
        self.now = time()
        self.scenario = ""
        self.listed = self.removed = self.failed = 0
        self.last: Entry | None = None

    def add(self, entry: Entry, result: str | None, *, removed: bool) -> None:
        """Print one witness."""
        witness = entry.witness
        assert witness is not None
        self.listed += 1
        self.removed += removed
        self.last = self.last if removed else self.last or entry
        age = max(0, int(self.now - entry.written))
        row = WitnessRow(
            witness=str(entry.path.absolute()),
            scenario=witness.scenario,
            params=dict(witness.params),
            verdict=witness.verdict,
            property=witness.property,
            steps=witness.steps,
            image=witness.image or None,
            age=age,
            result=None if result == "not checked" else result,
            removed=removed,
        )
        if self.as_json:
            echo(encode(row))
            return
        if self.scenario != witness.scenario:
            self.scenario = witness.scenario
            echo(style(witness.scenario, bold=True))
        verdict = f"{witness.verdict}:{witness.property}" if witness.property else witness.verdict
        told = f"  {entry.path.stem:<12}  {verdict:<30} {witness.steps:>7,} steps  {_ago(age):>14}"
        if result:
            told += f"  {style(result, fg=COLOURS.get(result, 'red'))}"
        echo(told + "  removed" * removed)

    def damaged(self, entry: Entry, error: UsageError) -> Exit:
        """Name what is no witness, and leave it alone."""
        self.failed += 1
        if self.as_json:
            path = str(entry.path.absolute())
            age = max(0, int(self.now - entry.written))
            echo(encode(WitnessRow(witness=path, age=age, error=str(error))))
        complain(str(error))
        return Exit.USAGE

    def end(self) -> None:
        """Print a summary, and what one may do next."""
        if self.as_json:
            return
        folder = shown(self.folder)
        if not self.total:
            echo(NONE.format(folder))
            return
        told = [f"{amount(self.listed, 'witness')} in {folder}"]
        told += [f"{self.removed} removed"] * bool(self.removed)
        told += [f"{amount(self.failed, 'other file')} left alone"] * bool(self.failed)
        echo(f"\n{', '.join(told)}.")
        if self.last and self.last.witness:
            scenario = self.last.witness.scenario
            echo(f"show with: simbbm show {shown(self.last.path.absolute())}{allowing(scenario)}")


def _ago(seconds: int) -> str:
    """An age in its largest unit."""
    size, unit = next((u for u in UNITS if seconds >= u[0]), UNITS[-1])
    return f"{amount(seconds // size, unit)} ago"
