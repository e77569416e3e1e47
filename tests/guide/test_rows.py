"""`simbbm guide json` has every field of every row."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
import pytest

from simbbm.cli.commands.guide import pages
from simbbm.report import as_json, campaign_rows, field_rows, rows
from simbbm.report.kernel import rows as kernel_rows

PAGE = pages()["json"]
FIELD = re.compile(r"^\| `(\w+)` \| .+ \|$", re.MULTILINE)
MODULES = (rows, as_json, campaign_rows, kernel_rows, field_rows)
FIRST = {"schema"}
"""What every row begins with is said once, above all of them; so is `type`, which is no field."""


def every_row() -> Iterator[type[rows.Row]]:
    """All kinds of rows that there are."""
    for module in MODULES:
        for kind in vars(module).values():
            if isinstance(kind, type) and issubclass(kind, rows.Row) and kind is not rows.Row:
                yield kind


ROWS = {str(kind.__struct_config__.tag): kind for kind in every_row()}


def documented(page: str) -> dict[str, list[str]]:
    """The fields that a page has, by the row's type."""
    _, *parts = re.split(r"^## (.+)$", page, flags=re.MULTILINE)
    return {tag: FIELD.findall(text) for tag, text in zip(parts[::2], parts[1::2], strict=True)}


def test_every_row_is_there_and_no_other() -> None:
    assert len(ROWS) == 38
    assert {*ROWS} == {*documented(PAGE)}


@pytest.mark.parametrize("tag", ROWS)
def test_every_field_is_there_in_its_order(tag: str) -> None:
    fields = [field.name for field in msgspec.structs.fields(ROWS[tag])]

    assert [name for name in fields if name not in FIRST] == documented(PAGE)[tag]


def test_every_module_with_rows_is_looked_at() -> None:
    assert {kind.__module__ for kind in rows.Row.__subclasses__()} == {
        module.__name__ for module in MODULES
    }


def test_a_field_that_is_missing_is_noticed() -> None:
    lacking = "## new\n\nA file.\n\n| field | is |\n|---|---|\n| `path` | absolute |\n"

    assert {"new": ["path"]} == documented(lacking)
