"""`simbbm litmus`: litmus tests of virtual memory, run exhaustively and held against verdicts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from simbbm.cli.commands.litmus_table import show_agreement, show_json, show_outcomes, text_of
from simbbm.cli.exits import Exit, worst
from simbbm.cli.html_report import HtmlReport, html_option
from simbbm.cli.options import (
    Count,
    Duration,
    common,
    examples,
    search_jobs_option,
    witness_dir_option,
)
from simbbm.core.errors import UsageError
from simbbm.host.amounts import amount
from simbbm.host.terminal import complain, echo
from simbbm.report.rows import (
    ErrorRow,
    LitmusRow,
    SummaryRow,
    encode,
)

if TYPE_CHECKING:
    from simbbm.explore.witness.kept import Kept
    from simbbm.litmus.notation.reader import Line
    from simbbm.litmus.score import Judged


class Wanted(NamedTuple):
    """How tests are run and shown."""

    window: int | None
    max_states: int
    max_seconds: float
    outcomes: bool
    as_json: bool
    witness_dir: Path
    html: HtmlReport
    width: int = 0
    """Of the longest name."""
    programs: bool = False
    """Threads are run as programs."""
    jobs: int | None = None
    """Workers; None: one a core."""
    agreement: bool = False
    """Whether agreement with given verdicts is counted by feature."""


@click.command(
    "litmus",
    epilog=examples(
        "simbbm litmus tests/litmus/own/context.jsonl",
        "simbbm litmus tests/litmus/own/context.jsonl --feature ets2 --outcomes",
        "simbbm litmus tests/litmus/own/context.jsonl --report > fidelity.md",
    ),
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--feature",
    type=click.Choice(["ets2"]),
    help="A feature that the CPUs have: verdicts are then those for it.",
)
@click.option(
    "--window",
    type=click.IntRange(1, 64),
    help="Instructions in flight, 1 for in order. [default: as many as the rules need]",
)
@click.option(
    "--max-states",
    type=Count(),
    default="2m",
    show_default=True,
    help="States after which a test is INCONCLUSIVE.",
)
@click.option(
    "--max-seconds",
    type=Duration(),
    default="60s",
    show_default=True,
    help="Likewise, after this long.",
)
@click.option("--only", metavar="NAME", multiple=True, help="Run this test alone; may be repeated.")
@click.option(
    "--as-programs",
    is_flag=True,
    help="Run each test a second time, its threads as programs like the kernel's; both scores.",
)
@click.option(
    "--expect",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Verdicts beside the tests: NAME,forbidden by line, or herd7's log. Agreement by feature.",
)
@click.option("--outcomes", is_flag=True, help="Show every final state, with a witness each.")
@click.option("--report", is_flag=True, help="The score as markdown, with and without FEAT_ETS2.")
@search_jobs_option
@witness_dir_option
@html_option
@common
def command(
    files: tuple[str, ...],
    *,
    feature: str | None,
    window: int | None,
    max_states: int,
    max_seconds: float,
    only: tuple[str, ...],
    as_programs: bool,
    expect: Path | None,
    outcomes: bool,
    report: bool,
    jobs: int | None,
    witness_dir: Path,
    html: Path | None,
    as_json: bool,
    log_format: str,
) -> int:
    """Run litmus tests of virtual memory: rows of JSON, or herd7's format (FILE.litmus).

    Every execution of each is looked at. A forbidden outcome must never be reached, an allowed one
    must be.
    """
    if report and outcomes:
        raise UsageError("--report is the score and no outcomes", "ask for one of them at a time")
    pages = HtmlReport(html, "litmus", log_format=log_format)
    limits = max_states, max_seconds
    wanted = Wanted(window, *limits, outcomes, as_json, witness_dir, pages, jobs=jobs)
    wanted = wanted._replace(agreement=expect is not None)
    lines, codes = _read(files, wanted)
    lines = _expected(_chosen(lines, only), expect)
    wanted = wanted._replace(width=max((len(line.name) for line in lines), default=0))
    malformed = sum(line.test is None and not line.unsupported for line in lines)
    if report:
        codes.append(_report(files, lines, wanted, feature))
    else:
        codes.append(_all(lines, wanted, malformed, feature))
        if as_programs and codes[-1] is not Exit.INTERRUPTED:
            codes.append(_all(lines, wanted._replace(programs=True), malformed, feature))
    return pages.ended(codes)


def _read(files: tuple[str, ...], wanted: Wanted) -> tuple[list[Line], list[Exit]]:
    """Read all files; complain about each that cannot be read, and about each bad line."""
    from simbbm.litmus.files import read_file

    lines: list[Line] = []
    codes: list[Exit] = []
    for file in files:
        try:
            lines += read_file(Path(file))
        except UsageError as error:
            _complain(error.message, error.hint, wanted)
            codes.append(Exit.USAGE)
    for line in lines:
        if line.error and not line.unsupported:
            _complain(line.error.message, line.error.hint, wanted)
            codes.append(Exit.USAGE)
    return lines, codes


def _complain(message: str, hint: str | None, wanted: Wanted) -> None:
    row = ErrorRow(message=message, hint=hint)
    wanted.html.add(row)
    if wanted.as_json:
        echo(encode(row))
    complain(f"{message}{f' ({hint})' if hint else ''}")


def _chosen(lines: list[Line], only: tuple[str, ...]) -> list[Line]:
    known = {line.name for line in lines}
    for name in only:
        if name not in known:
            from difflib import get_close_matches

            close = get_close_matches(name, known, n=1, cutoff=0.4)
            hint = f"did you mean {close[0]}?" if close else f"{amount(len(known), 'test')} read"
            raise UsageError(f"there is no test {name}", hint)
    return [line for line in lines if not only or line.name in only]


def _expected(lines: list[Line], expect: Path | None) -> list[Line]:
    """The tests with the verdicts of a file beside them."""
    if expect is None:
        return lines
    from simbbm.litmus.herd.expected import read_expected, with_expected

    return with_expected(lines, read_expected(expect))


def _runnable(lines: list[Line]) -> list[Line]:
    return [line for line in lines if line.test or line.unsupported]


def _judged(
    lines: list[Line], wanted: Wanted, codes: list[Exit], *, ets2: bool
) -> Iterator[Judged]:
    """Run tests, and yield answers in order. One that turns out to be none costs its own line."""
    from simbbm.campaign.answers import conformance

    how = wanted.window, wanted.max_states, wanted.max_seconds, wanted.programs, wanted.outcomes
    every = [conformance.Wanted(line, ets2, *how) for line in _runnable(lines)]
    for test in conformance.conformance(every, wanted.jobs):
        if isinstance(test, conformance.Failed):
            _complain(f"{test.line.name}: {test.error.message}", test.error.hint, wanted)
            codes.append(Exit.INTERNAL)
            continue
        if test.malformed:
            _complain(test.malformed.message, test.malformed.hint, wanted)
            codes.append(Exit.USAGE)
        else:
            yield test


def _all(lines: list[Line], wanted: Wanted, malformed: int, feature: str | None) -> Exit:
    """Run and show one test after the other, and the sum even of what was interrupted."""
    from simbbm.litmus.score import score

    done: list[Judged] = []
    codes: list[Exit] = []
    interrupted = False
    try:
        for test in _judged(lines, wanted, codes, ets2=feature == "ets2"):
            done.append(test)
            _show(test, wanted)
    except KeyboardInterrupt:
        interrupted = True
    results = [test.result for test in done if test.result]
    found = score(done)
    row = SummaryRow(
        **found._asdict(),
        malformed=malformed + len(codes),
        states=sum(result.states for result in results),
        seconds=round(sum(result.seconds for result in results), 3),
        feature=feature,
        source=_source(wanted),
    )
    wanted.html.add(row)
    if wanted.as_json:
        if wanted.agreement:
            show_agreement(done, as_json=True)
        echo(encode(row))
    else:
        bad = f", malformed {row.malformed}" if row.malformed else ""
        echo(f"{found.text}{bad}")
        how = " as programs" if wanted.programs else ""
        spent = f"{amount(row.states, 'state')}, {row.seconds:.1f} s"
        echo(f"{amount(row.total, 'test')}{how}, {spent}")
        if wanted.agreement:
            show_agreement(done)
        if interrupted:
            left = len(_runnable(lines)) - len(done) - len(codes)
            echo(
                f"interrupted: {amount(left, 'test')} {'was' if left == 1 else 'were'} not finished"
            )
    if interrupted:
        return Exit.INTERRUPTED
    return worst([*codes, *map(_exit_of, done)])


def _source(wanted: Wanted) -> str | None:
    return "program" if wanted.programs else None


def _exit_of(test: Judged) -> Exit:
    if test.ok is False or test.unsupported:
        return Exit.UNEXPECTED
    return Exit.INCONCLUSIVE if test.inconclusive else Exit.EXPECTED


def _answer(test: Judged, wanted: Wanted) -> tuple[LitmusRow, list[tuple[str, bool, Kept]]]:
    """A test's row, and its final states if they are wanted, or the one that should not be."""
    from simbbm.cli.verdicts import keep

    result, kept = test.result, None
    endings: list[tuple[str, bool, Kept]] = []
    for ending in result.endings if result else ():
        if ending.witness:
            own = keep(ending.witness, wanted.witness_dir)
            endings.append((ending.text, ending.reached, own))
            kept = kept or (own if ending.reached else None)
    row = LitmusRow(
        name=test.line.name,
        verdict=test.verdict,
        reached=test.reached,
        ok=test.ok,
        inconclusive=test.inconclusive,
        unsupported=test.unsupported,
        states=result.states if result else None,
        seconds=round(result.seconds, 3) if result else None,
        feature="ets2" if test.ets2 else None,
        window=wanted.window,
        source=_source(wanted),
        witness=str(kept.path) if kept and kept.path else None,
        token=kept.token if kept else None,
    )
    wanted.html.add(row, kept)
    return row, endings


def _show(test: Judged, wanted: Wanted) -> None:
    """Print a test; its final states if they are wanted, or the execution that should not be."""
    from simbbm.cli.verdicts import show_command

    row, endings = _answer(test, wanted)
    if wanted.as_json:
        show_json(test, row, endings, outcomes=wanted.outcomes)
    elif wanted.outcomes and test.result:
        show_outcomes(test, endings)
    else:
        echo(text_of(row, wanted.width))
        for text, _, own in endings:
            echo(f"  {text}\n  show with: {show_command(own)}")


def _report(files: tuple[str, ...], lines: list[Line], wanted: Wanted, feature: str | None) -> Exit:
    """Run everything and print the page; with --json its rows instead."""
    from simbbm.litmus.report import report

    malformed = sum(line.test is None and not line.unsupported for line in lines)
    if wanted.as_json:
        features = [feature] if feature else [None, "ets2"]
        found: list[Exit] = []
        for each in features:
            if Exit.INTERRUPTED not in found:
                found.append(_all(lines, wanted, malformed, each))
        return worst(found)
    base: list[Judged] = []
    ets2: list[Judged] = []
    codes: list[Exit] = []
    interrupted = False
    try:
        if not feature:
            base.extend(_judged(lines, wanted, codes, ets2=False))
        ets2.extend(_judged(lines, wanted, codes, ets2=True))
    except KeyboardInterrupt:
        interrupted = True
    if wanted.html.asked:
        for test in base + ets2:
            _answer(test, wanted)
    echo(report([Path(file).name for file in files], base, ets2), nl=False)
    if interrupted:
        echo("\nInterrupted: tests that are not counted here were not run.")
    if interrupted:
        return Exit.INTERRUPTED
    return worst([*codes, *map(_exit_of, base + ets2)])
