"""`simbbm campaign`: runs by plan, that are kept, and gone on with after whatever stops them."""

from __future__ import annotations

from pathlib import Path

import click

from simbbm.cli.exits import Exit
from simbbm.cli.html_report import HtmlReport, html_option
from simbbm.cli.options import allow_file_option, common, examples, jobs_option

store_argument = click.argument("store", type=click.Path(path_type=Path), metavar="STORE")


@click.group("campaign", epilog=examples("simbbm campaign run nightly.toml"))
def command() -> None:
    """Run campaigns that are kept: by a plan, for hours, over many scenarios.

    `simbbm guide campaign` has a plan to start from.
    """


@command.command(
    "run",
    epilog=examples(
        "simbbm campaign run nightly.toml",
        "simbbm campaign run nightly.toml --store /data/nightly.db -j 8",
    ),
)
@click.argument("plan", type=click.Path(path_type=Path), metavar="PLAN")
@click.option(
    "--store",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="STORE",
    help="Where results are kept. [default: PLAN, with .db in place of .toml]",
)
@click.option(
    "--executor",
    default="local",
    show_default=True,
    metavar="local|dask:ADDRESS",
    help="Where the runs are made: by processes here, or by a cluster of dask's.",
)
@jobs_option
@allow_file_option
@html_option
@common
def run(
    plan: Path,
    *,
    store: Path | None,
    executor: str,
    jobs: int | None,
    allow_file: tuple[Path, ...],
    html: Path | None,
    as_json: bool,
    log_format: str,
) -> int:
    """Do what PLAN says, or go on with it, and report.

    Everything that is done is kept at once. The same command goes on where it was stopped, by
    whatever: the report is in the end the same.
    """
    from simbbm.campaign.stored.plan import read_plan
    from simbbm.cli.campaigns import Going, go_on

    wanted = read_plan(plan, allow_file)
    path = store or plan.with_suffix(".db")
    report = HtmlReport(html, "stress", jobs, log_format)
    again = f"simbbm campaign run {plan}"
    going = Going(path, executor, jobs, again, allow_file, log_format)
    return go_on(wanted, going, report, as_json=as_json)


@command.command("status", epilog=examples("simbbm campaign status nightly.db"))
@store_argument
@common
def status(store: Path, *, as_json: bool, log_format: str) -> int:  # noqa: ARG001 - nothing is logged here
    """Say how far a campaign is: one that runs, was stopped, or has ended."""
    from simbbm.campaign.stored.account import account
    from simbbm.campaign.stored.database import is_held
    from simbbm.campaign.stored.store import Store
    from simbbm.cli.campaigns import state_of, tell

    held = is_held(store)
    with Store.reading(store) as kept:
        found, seconds = account(kept), kept.seconds
    tell(found, store, as_json=as_json, state=state_of(found, seconds, held=held))
    return Exit.EXPECTED


@command.command(
    "report",
    epilog=examples(
        "simbbm campaign report nightly.db", "simbbm campaign report nightly.db --html report"
    ),
)
@store_argument
@allow_file_option
@html_option
@common
def report_command(
    store: Path,
    *,
    allow_file: tuple[Path, ...],
    html: Path | None,
    as_json: bool,
    log_format: str,
) -> int:
    """Report what a campaign has found; with --json the same bytes for equal plans.

    The exit code is that of the campaign. No scenario is loaded, but for pages of counterexamples.
    """
    from simbbm.campaign.stored.account import account
    from simbbm.campaign.stored.store import Store
    from simbbm.cli.campaigns import ended, tell

    report_html = HtmlReport(html, "stress", None, log_format)
    with Store.reading(store) as kept:
        found = account(kept)
    tell(found, store, as_json=as_json)
    return ended(found, report_html, allow_file)
