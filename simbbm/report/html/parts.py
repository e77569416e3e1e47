"""What a report is made of: the rows of each command, as they are kept in its folder.

The rows are those of `--json` without what differs between two runs that find the same: how long it
took, where a witness was written, and where scenarios are installed. So a report has the same bytes
for the same results.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import msgspec

from simbbm.report.rows import (
    AblationRow,
    ErrorRow,
    KillRow,
    LitmusRow,
    SummaryRow,
    VerdictRow,
)

CHECK, PROVE, KILLS = "check", "prove", "kill-table"
ABLATE, LITMUS, STRESS = "ablate", "litmus", "stress"
PARTS = (CHECK, PROVE, KILLS, ABLATE, LITMUS, STRESS)
"""In the order in which the report has them."""
VARYING = ("seconds", "witness")
TOLD = ("message", "why", "inconclusive")
_FILE = re.compile(r"(?<![\w.])/(?:[^/\s:]+/)+(?=[^/\s:]+[.]py\b)")
"""The folder of a file that a message names, where that is told from the root on."""
PAGE = "^[0-9a-f]{12,64}$"

PartName = Literal["check", "prove", "kill-table", "ablate", "litmus", "stress"]
PageName = Annotated[str, msgspec.Meta(pattern=PAGE)]
ReportRow = VerdictRow | AblationRow | KillRow | LitmusRow | SummaryRow | ErrorRow


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A row, and the page of its counterexample."""

    row: ReportRow
    page: PageName | None = None
    """The name of the page and of the witness, which is that of the witness's content."""
    passed: bool | None = None
    """Of a verdict: whether it is as expected, and what was asked is answered; None: it is not."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What one command found."""

    entries: tuple[Entry, ...]
    unfinished: str = ""
    """Why something that was asked for is not here."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What the commands found that were given the same folder; of each the last time."""

    schema: Literal["simbbm-report/1"] = "simbbm-report/1"
    parts: dict[PartName, Part] = {}

    def pages(self) -> set[str]:
        """The names of all pages that it links to."""
        entries = (entry for part in self.parts.values() for entry in part.entries)
        return {entry.page for entry in entries if entry.page}

    def with_part(self, name: PartName, part: Part) -> Report:
        """The report with what a command found in place of what it had found before."""
        parts = {**self.parts, name: part}
        return Report(parts={name: parts[name] for name in PARTS if name in parts})


def constant(row: ReportRow) -> ReportRow:
    """A row without what differs between two runs that find the same."""
    fields = row.__struct_fields__
    changed: dict[str, Any] = {name: None for name in VARYING if name in fields}
    for name in TOLD:
        if name in fields and (text := getattr(row, name)):
            changed[name] = _FILE.sub("", text)
    return msgspec.structs.replace(row, **changed)
