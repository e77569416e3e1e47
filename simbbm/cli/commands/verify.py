"""`simbbm verify`: checks certificates."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import click

from simbbm import discovery
from simbbm.campaign.answers.searches import Tell
from simbbm.cli.exits import Exit, worst
from simbbm.cli.logs import SearchView
from simbbm.cli.options import ScenarioId, common, examples
from simbbm.explore.certificate.file import Either, States, read
from simbbm.explore.certificate.listed import verify_states
from simbbm.explore.certificate.verify import verify
from simbbm.host.terminal import echo, style
from simbbm.report.rows import CertificateRow, encode
from simbbm.scenario import Scenario


@click.command("verify", epilog=examples("simbbm verify pmd.certificate"))
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
@click.option("--scenario", type=ScenarioId(), help="The scenario, if it is not the one named.")
@common
def command(
    files: tuple[Path, ...], *, scenario: str | None, as_json: bool, log_format: str
) -> int:
    """Check what `--certificate` of `prove` or `explore` wrote, with none of the search's code.

    It holds if the machine, asked for every step anew, does not lead out of it, and nothing is
    wrong in it. That every run ends is certified where it says what runs use up, or no state is
    come back to.
    """
    codes = []
    for path in files:
        certificate = read(path)
        found = discovery.find(scenario or certificate.scenario)
        with SearchView(log_format).searching(found.id) as tell:
            row = _row(path, certificate, found, partial(_how_far, tell))
        word = style("HOLDS" if row.ok else "DOES NOT HOLD", fg="green" if row.ok else "red")
        echo(encode(row) if as_json else f"{path}: {found.id}: {word}\n  {row.message}")
        codes.append(Exit.EXPECTED if row.ok else Exit.UNEXPECTED)
    return worst(codes)


def _row(
    path: Path, certificate: Either, scenario: Scenario, tell: Callable[[int], object]
) -> CertificateRow:
    """Check one."""
    if isinstance(certificate, States):
        listed = verify_states(certificate, scenario, tell)
        params = ", ".join(f"{name}={value}" for name, value in certificate.params.items())
        told = (
            f"with {params}: safety, no deadlock{_ends(listed.ends)} "
            f"({len(certificate.states):,} states, {listed.steps:,} steps)"
        )
        fault, steps, views = listed.fault, listed.steps, 0
    else:
        checked = verify(certificate, scenario, tell)
        few = ", ".join(f"{states:,}" for states in checked.few)
        told = (
            f"for every number of CPUs from 2: safety, no deadlock{_ends(checked.ends)} "
            f"({checked.views:,} views, {checked.steps:,} steps; 2 to {len(checked.few) + 1} CPUs "
            f"searched whole: {few} states{_orders(certificate.orders)})"
        )
        fault, steps, views = checked.fault, checked.steps, checked.views
    return CertificateRow(
        file=str(path.absolute()),
        ok=not fault,
        scenario=scenario.id,
        views=views or None,
        steps=steps or None,
        message=fault or told,
    )


def _orders(orders: list[tuple[int, bool]] | None) -> str:
    """Where the certificate takes one order for all."""
    if not orders:
        return ""
    count = len({shared for shared, _ in orders})
    where = "1 shared state" if count == 1 else f"{count:,} shared states"
    return f"; one order of stores or TLBIs for all in {where}"


def _ends(ends: bool) -> str:  # noqa: FBT001
    return ", every run ends" if ends else "; termination not certified"


def _how_far(tell: Tell, steps: int) -> None:
    """Show how far the check is."""
    tell(lambda: f"{steps:,} steps of the machine")
