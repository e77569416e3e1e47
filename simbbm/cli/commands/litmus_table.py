"""What `simbbm litmus` prints: a line or rows for each test, its ends, agreement by feature."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbbm.host.terminal import echo, style
from simbbm.report.rows import AgreementRow, LitmusRow, ObservationRow, OutcomeRow, encode

if TYPE_CHECKING:
    from simbbm.explore.witness.kept import Kept
    from simbbm.litmus.score import Judged


def text_of(row: LitmusRow, width: int) -> str:
    """A test in one line."""
    mark = {True: ("ok", "green"), False: ("WRONG", "red"), None: ("-", "yellow")}[row.ok]
    if row.unsupported:
        mark = "UNSUPPORTED", "red"
    elif row.inconclusive:
        mark = "INCONCLUSIVE", "yellow"
    reached = {True: "reached", False: "never reached", None: ""}[row.reached]
    spent = "" if row.states is None else f"{row.states:>9,} states {row.seconds or 0:6.2f} s"
    why = row.unsupported or row.inconclusive
    head = f"{row.name:<{width}}  {row.verdict or 'no verdict':<10} {reached:<14}"
    return f"{head}{spent}  {style(mark[0], fg=mark[1])}{f' {why}' if why else ''}"


def show_json(
    test: Judged, row: LitmusRow, endings: list[tuple[str, bool, Kept]], *, outcomes: bool
) -> None:
    """Print a test's row, and rows of its final states if they are wanted."""
    echo(encode(row))
    if not outcomes or not test.result:
        return
    for text, reached, kept in endings:
        shown = OutcomeRow(
            name=row.name,
            outcome=text,
            reached=reached,
            witness=str(kept.path) if kept.path else None,
            token=kept.token,
        )
        echo(encode(shown))
    positive = sum(map(test.result.holds, test.result.endings))
    observed = ObservationRow(
        name=row.name,
        observation=test.result.observation,
        positive=positive,
        negative=len(endings) - positive,
        complete=test.result.complete,
    )
    echo(encode(observed))


def show_outcomes(test: Judged, endings: list[tuple[str, bool, Kept]]) -> None:
    """Print the final states in herd's form."""
    from simbbm.cli.verdicts import show_command

    assert test.result is not None
    positive = sum(map(test.result.holds, test.result.endings))
    complete = test.result.complete
    echo(f"Test {test.line.name} {(test.verdict or 'no verdict').capitalize()}")
    echo(f"States {len(endings)}{'' if complete else ', and perhaps more: a limit was hit'}")
    for text, reached, kept in endings:
        echo(f"{'*' if reached else ' '} {text}")
        echo(style(f"    {show_command(kept)}", dim=True))
    echo({True: "Ok", False: "No", None: "Unknown"}[test.ok])
    asked = test.result.test
    echo(f"Condition {asked.quantifier} ({asked.text.strip()})")
    observation = test.result.observation if complete else "Incomplete"
    echo(f"Observation {test.line.name} {observation} {positive} {len(endings) - positive}\n")


def show_agreement(done: list[Judged], *, as_json: bool = False) -> None:
    """How often the verdicts that were given are agreed with, by feature."""
    from simbbm.litmus.report import agreement

    rows = agreement(done)
    width = max(len(row.about) for row in rows)
    if not as_json:
        echo(f"\n{'':<{width}}      agree  disagree  unsupported  inconclusive")
    for row in rows:
        if as_json:
            echo(encode(AgreementRow(**row._asdict())))
        else:
            agree = f"{row.agree}/{row.tests - row.unsupported}"
            other = f"{row.disagree:>8}  {row.unsupported:>11}  {row.inconclusive:>12}"
            echo(f"{row.about:<{width}}  {agree:>9}  {other}".rstrip())
