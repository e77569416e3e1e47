"""What is printed of a campaign that is kept, while it runs and afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, NamedTuple

from simbbm.campaign.stored.account import Account, account
from simbbm.cli.exits import Exit
from simbbm.cli.verdicts import allowing, exit_of, judgement, shown
from simbbm.host.amounts import amount
from simbbm.host.reading import is_file
from simbbm.host.terminal import complain, echo, style
from simbbm.report.campaign_rows import FindingRow
from simbbm.report.rows import VerdictRow, encode

if TYPE_CHECKING:
    from simbbm.campaign.stored.plan import Planned
    from simbbm.cli.html_report import HtmlReport

COLOURS = {True: "green", False: "red", None: "yellow"}


class Going(NamedTuple):
    """Where a campaign goes on, and how."""

    store: Path
    executor: str
    jobs: int | None
    again: str
    """What to type to go on with it."""
    allowed: Sequence[Path]
    """Scenario files that may be run."""
    log_format: str


def go_on(plan: Planned, going: Going, html: HtmlReport, *, as_json: bool) -> Exit:
    """Go on with a campaign, print what it has found, and return its exit code."""
    from simbbm.campaign.executors import workers
    from simbbm.campaign.stored.conduct import conduct
    from simbbm.campaign.stored.store import Store
    from simbbm.cli.logs import configure, progress

    configure(going.log_format)
    with Store.writing(going.store, plan) as store:
        at = workers(going.executor, going.jobs)
        with progress(going.store.name, going.log_format) as on_progress:
            ending = conduct(plan, store, at.executor, at.jobs, on_progress)
        found = account(store)
    tell(found, going.store, as_json=as_json)
    if ending.lost_workers and not as_json:
        echo(f"{amount(ending.lost_workers, 'worker')} lost; what they were doing was done again")
    if not ending.complete:
        complain(f"not all of it is done: {going.again} goes on with it")
    return ended(found, html, going.allowed, interrupted=ending.interrupted)


def ended(
    found: Account, html: HtmlReport, allowed: Sequence[Path], *, interrupted: bool = False
) -> Exit:
    """Write the report for a browser, if it is wanted; the exit code of the whole."""
    codes = [*map(exit_of, found.arms)]
    _add_to(html, found, codes, allowed)
    return html.ended([*codes, *([Exit.INTERRUPTED] if interrupted else [])])


def tell(found: Account, store: Path, *, as_json: bool, state: str = "") -> None:
    """Print it: arm by arm, then what was found."""
    if as_json:
        for row in (found.campaign, *found.arms, *found.findings):
            echo(encode(row))
        return
    for row, given in zip(found.arms, found.given, strict=True):
        _tell_arm(row, given)
    for finding in found.findings:
        _tell_finding(finding, store)
    whole = found.campaign
    asked = f" of {whole.runs_requested:,}" if whole.runs_requested else ""
    echo(
        f"{amount(whole.arms, 'arm')}, {whole.runs:,}{asked} runs, {whole.failures:,} failed, "
        f"{amount(whole.findings, 'finding')}, {whole.unexpected} not expected, "
        f"{whole.inconclusive} without an answer"
    )
    if state:
        echo(state)


def state_of(found: Account, seconds: float, *, held: bool) -> str:
    """Whether it runs, and for how long it did."""
    if held:
        state = "running"
    elif found.campaign.complete:
        state = "ended"
    else:
        state = "stopped: the same simbbm campaign run goes on with it"
    return f"{state}; worked on for {seconds:.0f} s"


def _tell_arm(row: VerdictRow, given: Mapping[str, str]) -> None:
    params = " ".join(f"{name}={value}" for name, value in given.items())
    answer = style(row.answer(), fg=COLOURS[row.expected])
    echo(" ".join(filter(None, (row.scenario, params, row.strategy))))
    told = [f"{answer} ({judgement(row)})", amount(row.runs or 0, "run")]
    if row.failures:
        told.append(f"{row.failures:,} failed")
    if row.estimate and "unseen_per_run" in row.estimate:
        told.append(f"{row.estimate['unseen_per_run']:.2g} new states per run")
    echo(f"  {', '.join(told)}")
    if row.message and row.verdict == "INCONCLUSIVE":
        echo(indent(row.message, "  "))


def _tell_finding(row: FindingRow, store: Path) -> None:
    from simbbm.campaign.stored.conduct import witnesses_of

    echo(f"found {style(f'{row.verdict}:{row.property}', fg='red')} in {row.scenario}")
    made = f"{row.length} steps, from {amount(row.shrunk, 'run')} of {', '.join(row.strategies)}"
    echo(f"  {made}: {row.message}")
    file = witnesses_of(store) / row.witness if row.witness else None
    named = shown(file.absolute()) if file and is_file(file) else row.token
    echo(f"  show with:   simbbm show {named}{allowing(row.scenario)}")


def _add_to(
    html: HtmlReport, found: Account, codes: Sequence[Exit], allowed: Sequence[Path]
) -> None:
    """Add its arms to a report for a browser, each with the counterexample that it came to."""
    if not html.asked:
        return
    from simbbm.core.errors import UsageError
    from simbbm.explore.witness.kept import Kept
    from simbbm.explore.witness.token import from_token
    from simbbm.ids import require_allowed

    for row, code in zip(found.arms, codes, strict=True):
        kept = None
        if row.token:
            try:
                require_allowed(row.scenario, allowed, "--allow-file FILE lets it be")
                kept = Kept(from_token(row.token), row.token, None)
            except UsageError as error:
                complain(f"warning: no page: {error}")
        html.add(row, kept, passed=code)
