"""From a result to the row that text and JSON are made of, to an exit code, and to a witness."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any, NamedTuple

import simbbm
from simbbm import discovery
from simbbm.check.verdict import Verdict, settles
from simbbm.cli.exits import Exit
from simbbm.core.errors import UsageError
from simbbm.host import writing
from simbbm.host.terminal import complain, echo, style
from simbbm.model import Model
from simbbm.report.rows import VerdictRow, encode

if TYPE_CHECKING:
    from simbbm.campaign.stress import StressResult
    from simbbm.explore.runs.play import Run
    from simbbm.explore.witness.recording import Witness

FAILURES = (Verdict.VIOLATED, Verdict.STUCK)


class Kept(NamedTuple):
    """A witness that was written, if it could be."""

    witness: Witness
    token: str
    path: Path | None

    @property
    def replay(self) -> str:
        """The command that replays it."""
        return self._command("replay")

    @property
    def show(self) -> str:
        """The command that shows it in columns."""
        return self._command("show")

    def _command(self, verb: str) -> str:
        named = shown(self.path) if self.path else self.token
        return f"simbbm {verb} {named}{allowing(self.witness.scenario)}"


def allowing(scenario_id: str) -> str:
    """What a command on a witness needs to be allowed the scenario's file, if it is a user's."""
    file = discovery.user_file(scenario_id)
    return f" --allow-file {shown(file)}" if file else ""


def keep(witness: Witness, directory: Path) -> Kept:
    """Write a witness; if that fails, warn: the token says the same."""
    from simbbm.explore.witness.recording import save, token

    try:
        path = save(witness, directory).absolute()
    except OSError as error:
        complain(f"warning: no witness written to {directory}: {writing.reason(error)}")
        path = None
    return Kept(witness, token(witness), path)


def keep_as(witness: Witness, path: Path) -> tuple[Kept, UsageError | None]:
    """Write a witness where a user wants it; an error is to be raised when all else is said."""
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


def _basis(model: Model, kept: Kept | None) -> dict[str, Any]:
    """What rows of every mode have."""
    return {
        "scenario": model.scenario.id,
        "params": model.params,
        "expect": str(model.scenario.expect),
        "geometry": model.setup.geometry.name,
        "certified": False if kept else None,
        "witness": str(kept.path) if kept and kept.path else None,
        "token": kept.token if kept else None,
        "version": simbbm.__version__,
    }


def run_row(run: Run, kept: Kept | None, **more: Any) -> VerdictRow:
    """The row of one run."""
    failed = run.verdict in FAILURES
    return VerdictRow(
        **_basis(run.model, kept),
        mode="run",
        verdict=run.verdict,
        property=run.property,
        expected=run.expected,
        message=run.message or run.doubt,
        runs=1,
        runs_requested=1,
        failures=int(failed),
        steps=run.steps,
        length=run.steps if failed else None,
        digest=run.digest,
        **more,
    )


def sample_row(model: Model, result: StressResult, kept: Kept | None, **more: Any) -> VerdictRow:
    """The row of many runs."""
    return VerdictRow(
        **_basis(model, kept),
        mode="sample",
        verdict=result.verdict,
        property=result.property,
        expected=model.scenario.expect.met_by(result.verdict, result.property),
        message=result.message or None,
        seconds=round(result.seconds, 3),
        runs=result.runs,
        runs_requested=result.runs_requested,
        failures=sum(result.failures.values()),
        first_failure=result.first_failure,
        steps=result.steps,
        length=result.failure.steps if result.failure else None,
        strategy=result.strategy,
        digest=result.failure.digest if result.failure else result.digest,
        **more,
    )


def exit_of(row: VerdictRow, *, require_proof: bool = False) -> Exit:
    """The exit code that a row asks for."""
    if row.expected is False:
        return Exit.UNEXPECTED
    settled = settles(Verdict(row.verdict), proof_due=require_proof)
    return Exit.EXPECTED if settled else Exit.INCONCLUSIVE


def verdict_text(row: VerdictRow) -> str:
    """Verdict and property, as expectations are written."""
    return f"{row.verdict}:{row.property}" if row.property else row.verdict


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
    echo(f"{row.scenario}: {style(verdict_text(row), fg=colour)} ({judgement(row)})")
    if row.message:
        echo(indent(row.message, "  "))
    echo(f"  {how}")
    if kept:
        echo(f"  show with:   {kept.show}")
        echo(f"  replay with: {kept.replay}")
