"""`simbbm shrink`: a counterexample made small."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from simbbm.cli.exits import Exit
from simbbm.cli.options import Count, common, examples, witness_argument, witness_dir_option

if TYPE_CHECKING:
    from simbbm.cli.verdicts import Kept
    from simbbm.explore.explain import Explanation
    from simbbm.explore.shrink import Shrunk


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
@witness_dir_option
@common
def command(
    witness: str,
    *,
    output: Path | None,
    max_states: int,
    witness_dir: Path,
    as_json: bool,
    log_format: str,  # noqa: ARG001 - nothing is logged here
) -> int:
    """Make a counterexample small: a file, or a token.

    Fewer CPUs, simpler parameters, fewer steps, and as few surprises as it takes; verdict and
    property stay. Two failures of one bug become one and the same.
    """
    from simbbm.cli.replay import scenario_of
    from simbbm.cli.verdicts import Kept, keep
    from simbbm.explore.explain import explain
    from simbbm.explore.shrink import shrink
    from simbbm.explore.witness import read, save_as, token

    recorded = read(witness)
    scenario = scenario_of(recorded)
    shrunk = shrink(recorded, scenario, max_states)
    small = shrunk.witness
    if output:
        path = save_as(small, output)
    kept = Kept(small, token(small), path) if output else keep(small, witness_dir)
    explained = explain(small, scenario, max_states)
    assert explained is not None
    _say(shrunk, kept, explained, as_json=as_json)
    return Exit.EXPECTED


def _say(shrunk: Shrunk, kept: Kept, explained: Explanation, *, as_json: bool) -> None:
    from simbbm.report.explanation import sentences, summary
    from simbbm.report.rows import ShrinkRow, encode

    before, small = shrunk.before, shrunk.witness
    if as_json:
        row = ShrinkRow(
            scenario=small.scenario,
            params_before=dict(before.params),
            params=dict(small.params),
            verdict=small.verdict,
            property=small.property,
            length_before=before.steps,
            length=small.steps,
            certified=shrunk.certified,
            witness=str(kept.path) if kept.path else None,
            token=kept.token,
            digest=small.digest,
            **summary(explained),
        )
        click.echo(encode(row))
        return
    minimal = "locally minimal: leaving out any one step makes it no shorter"
    if shrunk.certified:
        minimal = "certified minimal: no shorter run fails like this"
    if shrunk.certified and small.loop is not None:
        minimal = f"certified: no shorter way than {small.loop} leads into a round without end"
    click.echo(f"{small.scenario}: {click.style(f'{small.verdict}:{small.property}', fg='red')}")
    click.echo(f"  {before.steps} -> {small.steps} steps, {minimal}")
    changed = [
        f"{name}={before.params[name]} -> {value}"
        for name, value in small.params.items()
        if value != before.params[name]
    ]
    click.echo(f"  {', '.join(changed) or 'parameters as before'}")
    for sentence in sentences(explained):
        click.echo(f"  {sentence}")
    click.echo(f"  token:       {kept.token}")
    click.echo(f"  show with:   {kept.show}")
