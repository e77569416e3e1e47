"""`simbbm verify`: checks certificates."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from simbbm import discovery
from simbbm.campaign.searches import Tell
from simbbm.cli.exits import Exit, worst
from simbbm.cli.logs import SearchView
from simbbm.cli.options import ScenarioId, common, examples
from simbbm.explore.certificate.file import read
from simbbm.explore.certificate.verify import verify
from simbbm.host.terminal import echo, style
from simbbm.report.rows import CertificateRow, encode


@click.command("verify", epilog=examples("simbbm verify pmd.certificate"))
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
@click.option("--scenario", type=ScenarioId(), help="The scenario, if it is not the one named.")
@common
def command(
    files: tuple[Path, ...], *, scenario: str | None, as_json: bool, log_format: str
) -> int:
    """Check what `simbbm prove --certificate` wrote, with none of the search's code.

    It holds if the machine, asked for every step anew, does not lead out of it, and nothing is
    wrong in it. That every run ends is certified where ranks are given that runs use up.
    """
    codes = []
    for path in files:
        certificate = read(path)
        found = discovery.find(scenario or certificate.scenario)
        with SearchView(log_format).searching(found.id) as tell:
            checked = verify(certificate, found, partial(_how_far, tell))
        few = ", ".join(f"{states:,}" for states in checked.few)
        ends = ", every run ends" if checked.ends else "; termination not certified"
        message = checked.fault or (
            f"for every number of CPUs from 2: safety, no deadlock{ends} "
            f"({checked.views:,} views, {checked.steps:,} steps; 2 to {len(checked.few) + 1} CPUs "
            f"searched whole: {few} states)"
        )
        row = CertificateRow(
            file=str(path.absolute()),
            ok=not checked.fault,
            scenario=found.id,
            views=checked.views or None,
            steps=checked.steps or None,
            message=message,
        )
        word = style("HOLDS" if row.ok else "DOES NOT HOLD", fg="green" if row.ok else "red")
        echo(encode(row) if as_json else f"{path}: {found.id}: {word}\n  {message}")
        codes.append(Exit.EXPECTED if row.ok else Exit.UNEXPECTED)
    return worst(codes)


def _how_far(tell: Tell, steps: int) -> None:
    """Show how far the check is."""
    tell(lambda: f"{steps:,} steps of the machine")
