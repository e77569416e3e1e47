"""`simbbm shrink`: a counterexample made small."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from simbbm.cli.exits import Exit
from simbbm.cli.options import (
    Count,
    allow_file_option,
    common,
    examples,
    witness_argument,
    witness_dir_option,
)
from simbbm.host.terminal import echo, style

if TYPE_CHECKING:
    from simbbm.explore.counterexample.explanation import Explanation
    from simbbm.explore.counterexample.shrink import Shrunk
    from simbbm.explore.witness.kept import Kept


@click.command(
    "shrink",
    epilog=examples(
        "simbbm shrink .simbbm/witness/3f9c0a1b2c3d.json",
        "simbbm shrink .simbbm/witness/3f9c0a1b2c3d.json -o small.json",
    ),
)
@witness_argument
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the small witness to this file.",
)
@click.option(
    "--max-states",
    type=Count(),
    default=20_000,
    show_default=True,
    help="How far each search goes before the run itself is made shorter instead.",
)
@allow_file_option
@witness_dir_option
@common
def command(
    witness: str,
    *,
    output: Path | None,
    max_states: int,
    allow_file: tuple[Path, ...],
    witness_dir: Path,
    as_json: bool,
    log_format: str,  # noqa: ARG001 - nothing is logged here
) -> int:
    """Make a counterexample small: a file, or a token.

    Fewer CPUs, simpler parameters, fewer steps, and as few surprises as it takes; verdict and
    property stay. Two failures of one bug become one and the same.
    """
    from simbbm.cli.commands.witnesses.replay import recorded_in
    from simbbm.cli.verdicts import keep, keep_as
    from simbbm.explore.counterexample.explain import explain
    from simbbm.explore.counterexample.shrink import shrink
    from simbbm.explore.witness.files import check_target

    if output:
        check_target(output)
    recorded, model = recorded_in(witness, allow_file)
    shrunk = shrink(recorded, model, max_states)
    small = shrunk.witness
    kept, unwritten = keep_as(small, output) if output else (keep(small, witness_dir), None)
    if not as_json:
        _say(shrunk, kept)
    explained, code = None, Exit.INTERRUPTED if shrunk.interrupted else Exit.EXPECTED
    try:
        explained = None if shrunk.interrupted else explain(small, shrunk.model, max_states)
    except KeyboardInterrupt:  # the small witness is printed, without what it needs
        code = Exit.INTERRUPTED
    _say_more(shrunk, kept, explained, as_json=as_json)
    if unwritten:
        raise unwritten
    return code


def _say_more(shrunk: Shrunk, kept: Kept, explained: Explanation | None, *, as_json: bool) -> None:
    """Print what it needs, which takes longer to find out; as JSON, the row with everything."""
    from simbbm.report.explanation import sentences, summary
    from simbbm.report.rows import ShrinkRow, encode

    before, small = shrunk.before, shrunk.witness
    if as_json:
        needs = summary(explained) if explained else {}
        row = ShrinkRow(
            scenario=small.scenario,
            params_before=dict(before.params),
            params=dict(small.params),
            verdict=small.verdict,
            property=small.property,
            length_before=before.steps,
            length=small.steps,
            certified=shrunk.certified,
            interrupted=shrunk.interrupted,
            witness=str(kept.path) if kept.path else None,
            token=kept.token,
            digest=small.digest,
            **needs,
        )
        echo(encode(row))
        return
    for sentence in sentences(explained) if explained else ():
        echo(f"  {sentence}")


def _say(shrunk: Shrunk, kept: Kept) -> None:
    """Print the result as soon as it is stored."""
    from simbbm.cli.verdicts import show_command

    before, small = shrunk.before, shrunk.witness
    minimal = "locally minimal: leaving out any one step makes it no shorter"
    if shrunk.certified:
        minimal = "certified minimal: no shorter run fails like this"
    if shrunk.certified and small.loop is not None:
        minimal = f"certified: no shorter way than {small.loop} leads into a round without end"
    echo(f"{small.scenario}: {style(f'{small.verdict}:{small.property}', fg='red')}")
    echo(f"  {before.steps} -> {small.steps} steps, {minimal}")
    changed = [
        f"{name}={before.params[name]} -> {value}"
        for name, value in small.params.items()
        if value != before.params[name]
    ]
    echo(f"  {', '.join(changed) or 'parameters as before'}")
    if shrunk.interrupted:
        echo("  interrupted: simpler parameters were not tried")
    echo(f"  token:       {kept.token}")
    echo(f"  show with:   {show_command(kept)}")
