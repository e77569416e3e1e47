"""The answer in general, and that README's table is it."""

from __future__ import annotations

import re

import pytest

from simbbm.field.cost.tables import Span, table_bytes
from simbbm.field.cost.window import window_ms
from simbbm.field.general import field_rows
from tests.field.machines import TABLES
from tests.guide.places import ROOT

ROWS = {(row.list, row.name): row for row in field_rows(TABLES)}
BEFORE, NOW = "September 2025", "July 2026"
TABLE = re.compile(
    r"^\| machine \| kernels 6\.18 to 7\.2 \| kernel 7\.3 \|\n.+\n((?:\|.+\n)+)", re.MULTILINE
)


def told() -> dict[str, tuple[str, str]]:
    """What README says of each machine, under both lists."""
    match = TABLE.search((ROOT / "README.md").read_text(encoding="utf-8"))
    assert match
    found = {}
    for line in match[1].splitlines():
        names, before, now = (cell.strip() for cell in line.strip("|").split("|"))
        for name in names.split(", "):
            found[name] = before, before if now == "as before" else now
    return found


def row(listing: str, told_name: str) -> str:
    """Answer and mode of a SoC, by a name that is a part of its own."""
    (found,) = (r for (where, name), r in ROWS.items() if where == listing and told_name in name)
    return f"{found.answer}: {found.mode}"


SAYS = {
    "pages from the start": "never: pages",
    "blocks stay": "never: blocks",
    "**repaint**": "repaint: repaint",
    "repaint if Ultra or Premium is before r1p1, else blocks": "depends: unknown",
    "pages; perhaps repaint, if booted on X4": "depends: pages",
}


@pytest.mark.parametrize("name", told())
def test_readme_says_what_the_tables_say(name: str) -> None:
    before, now = told()[name]

    assert (SAYS[before], SAYS[now]) == (row(BEFORE, name), row(NOW, name))


def test_readme_leaves_nobody_out_of_whom_something_is_known() -> None:
    known = [r.name for (where, _), r in ROWS.items() if where == NOW and r.answer != "unknown"]

    assert len(known) == len(told())


@pytest.mark.quality  # some seconds
def test_readme_says_what_gb10_costs() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    ram = [Span(0, 128 << 30)]
    window = window_ms(ram, "4k", 20)

    assert f"{table_bytes(ram, '4k') / 2**20} MiB of page tables" in readme
    assert f"a stop of {window.low:.0f} to {window.high:.0f} ms" in readme


def test_what_dimensity_9500_depends_on() -> None:
    because = ROWS[NOW, "Dimensity 9500 class"].because

    assert because == (
        "blocks or repaint (C1-Premium, C1-Ultra: each is on the list from r1p1 on "
        "(erratum 3683289), and its revision is not known)"
    )


def test_what_an_x4_depends_on() -> None:
    (depends,) = ROWS[BEFORE, "Google Tensor G4"].depends

    assert depends == (
        "booted on Cortex-X4: pages or repaint (Cortex-X4 is on the list from r0p3 on, "
        "and its revision is not known)"
    )
