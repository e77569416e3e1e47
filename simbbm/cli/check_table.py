"""What `simbbm check` prints of each scenario: a line, or a row of JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from simbbm.campaign.answers.sampling import Sampled
from simbbm.campaign.answers.searches import Proven
from simbbm.cli.exits import Exit
from simbbm.cli.verdicts import terminal_width
from simbbm.core.errors import ModelError, ScenarioError
from simbbm.host.terminal import complain, echo, style
from simbbm.report.rows import ErrorRow, encode
from simbbm.scenario import Scenario

NOT_KNOWN = "  whether hardware can keep runs from ending is not known"
MARKS = {
    Exit.EXPECTED: ("ok", "green"),
    Exit.UNEXPECTED: ("FAIL", "red"),
    Exit.USAGE: ("ERR", "red"),
    Exit.INTERNAL: ("ERR", "red"),
}


class Outcome(NamedTuple):
    """The outcome for one scenario: an answer, or an error of its author or of simbbm."""

    scenario: Scenario
    answer: Proven | Sampled | None
    error: ScenarioError | ModelError | None
    exit: Exit


class Table:
    """A line for each scenario as soon as there is an answer, under the name of its file."""

    def __init__(self, scenarios: Sequence[Scenario], *, as_json: bool) -> None:
        self.as_json = as_json
        self.width = max(len(s.name) for s in scenarios)
        self.source = ""

    def add(self, outcome: Outcome) -> None:
        """Print the line of one scenario."""
        if outcome.answer is None:
            assert outcome.error is not None
            self._error(outcome, outcome.error)
            return
        row = outcome.answer.row
        if self.as_json:
            echo(encode(row))
            return
        told = f"{row.answer():<30} {row.seen():>15} {row.seconds or 0:6.1f} s"
        if (known := row.termination) and known["cpus"] != row.params.get("cpus", known["cpus"]):
            told += f"  termination up to cpus={known['cpus']}" if known["cpus"] else NOT_KNOWN
        if outcome.exit is Exit.UNEXPECTED:
            told += f"  expected {row.expect}"
        elif row.message and row.verdict == "INCONCLUSIVE":
            told += f"  {row.message}"
        self._line(outcome, told)

    def _error(self, outcome: Outcome, error: ScenarioError | ModelError) -> None:
        if self.as_json:
            echo(encode(ErrorRow(message=error.message, hint=error.hint)))
        else:
            whose = "the scenario" if outcome.exit is Exit.USAGE else "simbbm"
            self._line(outcome, f"error in {whose}")
        complain(str(error))

    def _line(self, outcome: Outcome, told: str) -> None:
        source, _, name = outcome.scenario.id.rpartition("::")
        if source != self.source:
            self.source = source
            echo(style(source, bold=True))
        mark, colour = MARKS.get(outcome.exit, ("?", "yellow"))
        head = f"  {style(f'{mark:<4}', fg=colour)}  "
        if self.width + 64 <= terminal_width():
            echo(f"{head}{name:<{self.width}}  {told}")
        else:
            echo(f"{head}{name}\n        {told}")
