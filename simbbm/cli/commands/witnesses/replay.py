"""`simbbm replay`: whether a witness still shows what it showed."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from simbbm.cli.exits import Exit
from simbbm.cli.options import allow_file_option, common, examples, witness_argument
from simbbm.cli.verdicts import allowing
from simbbm.core.errors import UsageError
from simbbm.explore.runs.exact import followed_to
from simbbm.explore.runs.replay import CHANGED, Replay, Result, replay
from simbbm.explore.witness.files import check_target
from simbbm.explore.witness.recording import Witness, read, save_as, token
from simbbm.host.terminal import echo, style
from simbbm.model import Model
from simbbm.recorded import recorded
from simbbm.report.rows import ReplayRow, encode

HOW = {
    "semantic": "its choices were found by label (semantic replay)",
    "goal": "its choices were pursued as goals (goal-directed replay)",
}


@click.command(
    "replay",
    epilog=examples(
        "simbbm replay .simbbm/witness/3f9c0a1b2c3d.json",
        "simbbm replay .simbbm/witness/3f9c0a1b2c3d.json --until 41",
        "simbbm replay .simbbm/witness/3f9c0a1b2c3d.json --refresh refreshed.json",
    ),
)
@witness_argument
@click.option("--until", type=click.IntRange(min=0), metavar="STEP", help="Stop before this step.")
@click.option(
    "-o",
    "--refresh",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="If it reproduces, write a witness that replays exactly.",
)
@allow_file_option
@common
def command(
    witness: str,
    *,
    until: int | None,
    refresh: Path | None,
    allow_file: tuple[Path, ...],
    as_json: bool,
    log_format: str,  # noqa: ARG001 - nothing is logged here
) -> int:
    """Replay a witness: a file, or a token.

    Each choice and state is compared on the way. If the scenario has changed since, the choices are
    looked for by label (semantic), then pursued as goals (goal); a schedule that still ends as
    recorded is offered as a refreshed witness.

    With --until, print the steps before that one and what could happen there.
    """
    if refresh:
        check_target(refresh)
    recorded, model = recorded_in(witness, allow_file)
    if until is not None:
        return _until(recorded, model, until, witness, as_json=as_json)
    result = replay(recorded, model)
    fresh = token(result.refreshed) if result.refreshed else None
    row = ReplayRow(
        witness=witness,
        result=result.result,
        how=result.how,
        step=result.step,
        expected=result.expected,
        got=list(result.got) or None,
        verdict=result.verdict,
        property=result.property,
        digest=result.digest,
        token=fresh,
    )
    if as_json:
        echo(encode(row))
    else:
        _say(result, recorded, fresh)
    if refresh and result.result is Result.REPRODUCED:
        exact = msgspec.structs.replace(recorded, digest=result.digest)  # a token has a part of it
        save_as(result.refreshed or exact, refresh)
    return Exit.EXPECTED if result.result is Result.REPRODUCED else Exit.DIVERGED


def recorded_in(text: str, allowed: tuple[Path, ...]) -> tuple[Witness, Model]:
    """Read a witness, and find its model; `allowed` are the files that the user lets it name."""
    witness = read(text)
    return recorded(witness, allowed, f"if you trust it, add{allowing(witness.scenario)}")


def _say(result: Replay, witness: Witness, fresh: str | None) -> None:
    name = witness.scenario
    if result.result is Result.REPRODUCED:
        verdict = f"{result.verdict}:{result.property}" if result.property else result.verdict
        echo(f"{style('REPRODUCED', fg='green')} {name}: {verdict}")
        if result.message:
            echo(f"  {result.message}")
        echo(f"  {result.steps} steps, digest {result.digest}")
        if fresh:
            echo(f"  {result.why}: {HOW[result.how]}")
            echo(f"  refreshed: {fresh}")
        return
    echo(f"{style(result.result, fg='red')} {name} at step {result.step}")
    echo(f"  expected {result.expected}")
    echo(f"  got {', '.join(result.got) or 'nothing'}")
    if result.why is not CHANGED:
        why = result.why
    elif result.result is Result.DIVERGED:
        why = "it cannot be followed: the scenario, or simbbm, has changed"
    elif result.how == "exact":
        why = (
            "it can be followed, and now ends differently: the scenario has changed, or the "
            "witness has"
        )
    else:
        why = (
            "the scenario has changed, or the witness has, and following the labels does not lead "
            "there any more"
        )
    echo(f"  {why}")


def _until(witness: Witness, model: Model, until: int, text: str, *, as_json: bool) -> Exit:
    """Show the way up to a step, and what could happen there."""
    from simbbm.report.columns import listed
    from simbbm.report.rows import StepRow
    from simbbm.report.trace import events

    if until > witness.steps:
        raise UsageError(f"--until {until}: {text} has {witness.steps} steps")
    run, error = followed_to(witness, model, until)
    for shown in events(run):
        if as_json:
            fields = shown._asdict() | {"notes": list(shown.notes)}
            echo(encode(StepRow(scenario=witness.scenario, **fields)))
        else:
            echo(listed(shown))
    if error:
        raise error
    enabled = [move.label for move in run.end.moves]
    if as_json:
        row = ReplayRow(witness=text, result=Result.REPRODUCED, step=until, got=enabled)
        echo(encode(row))
    else:
        echo(f"at step {until} these could go on:" if enabled else f"it ends at step {until}")
        for label in enabled:
            echo(f"  {label}")
    return Exit.EXPECTED
