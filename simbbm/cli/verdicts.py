"""From a row to text, to an exit code, and to the commands that show its witness."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING

from simbbm.check.verdict import Verdict, settles
from simbbm.cli.exits import Exit
from simbbm.core.errors import UsageError
from simbbm.host.terminal import complain, echo, style
from simbbm.ids import user_file
from simbbm.report.rows import VerdictRow, encode

if TYPE_CHECKING:
    from simbbm.campaign.answers.sampling import Sampled
    from simbbm.campaign.answers.searches import Proven
    from simbbm.explore.witness.kept import Kept
    from simbbm.explore.witness.record import Witness


def replay_command(kept: Kept) -> str:
    """The command that replays a witness."""
    return _command("replay", kept)


def show_command(kept: Kept) -> str:
    """The command that shows a witness in columns."""
    return _command("show", kept)


def page_command(kept: Kept) -> str:
    """The command that makes a page of a witness, where its file is not."""
    return f"simbbm show {kept.token} --as html -o run.html{allowing(kept.witness.scenario)}"


def _command(verb: str, kept: Kept) -> str:
    named = shown(kept.path) if kept.path else kept.token
    return f"simbbm {verb} {named}{allowing(kept.witness.scenario)}"


def allowing(scenario_id: str) -> str:
    """What a command on a witness needs to be allowed the scenario's file, if it is a user's."""
    file = user_file(scenario_id)
    return f" --allow-file {shown(file)}" if file else ""


def keep(witness: Witness, directory: Path) -> Kept:
    """Write a witness; if that fails, warn: the token says the same."""
    from simbbm.explore.witness.kept import keep as write

    kept = write(witness, directory)
    warn_of_unwritten(kept)
    return kept


def warn_of_unwritten(kept: Kept | None) -> None:
    """Say why there is no file of a witness."""
    if kept and kept.unwritten:
        complain(f"warning: {kept.unwritten}")


def keep_as(witness: Witness, path: Path) -> tuple[Kept, UsageError | None]:
    """Write a witness where a user wants it; an error is to be raised when all else is said."""
    from simbbm.explore.witness.kept import Kept
    from simbbm.explore.witness.recording import save_as, token

    try:
        return Kept(witness, token(witness), save_as(witness, path)), None
    except UsageError as error:
        return Kept(witness, token(witness), None), error


def terminal_width() -> int:
    """The width of the terminal, 100 where there is none."""
    from shutil import get_terminal_size

    return get_terminal_size((100, 24)).columns


def shown(path: Path) -> str:
    """Return a path as one would type it here, quoted for a shell."""
    from shlex import quote

    here = Path.cwd()
    return quote(str(path.relative_to(here) if path.is_relative_to(here) else path))


def exit_of(row: VerdictRow, *, require_proof: bool = False) -> Exit:
    """The exit code that a row asks for."""
    if row.expected is False:
        return Exit.UNEXPECTED
    settled = settles(Verdict(row.verdict), proof_due=require_proof)
    return Exit.EXPECTED if settled else Exit.INCONCLUSIVE


def exit_of_answer(answer: Proven | Sampled) -> Exit:
    """The exit code that an answer asks for."""
    return Exit.INTERRUPTED if answer.interrupted else exit_of(answer.row)


def judgement(row: VerdictRow) -> str:
    """Say how the verdict compares with the expectation."""
    if row.expected is None:
        return f"expected is {row.expect}"
    return "as expected" if row.expected else f"NOT EXPECTED, expected is {row.expect}"


def say(row: VerdictRow, kept: Kept | None, how: str, *, as_json: bool) -> None:
    """Print a row: as JSON, or its verdict, how it is known, the message and the replay command."""
    if as_json:
        echo(encode(row))
        return
    colour = {True: "green", False: "red", None: "yellow"}[row.expected]
    echo(f"{row.scenario}: {style(row.answer(), fg=colour)} ({judgement(row)})")
    if row.message:
        echo(indent(row.message, "  "))
    echo(f"  {how}")
    if kept:
        echo(f"  show with:   {show_command(kept)}")
        echo(f"  replay with: {replay_command(kept)}")
