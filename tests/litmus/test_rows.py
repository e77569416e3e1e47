"""The rows: the project's own and the published ones, in the base architecture and with ETS2."""

from __future__ import annotations

import re

import pytest

from simbbm.litmus.notation.reader import Line, read_file
from simbbm.litmus.report import why
from simbbm.litmus.rules import RULES
from simbbm.litmus.score import judge
from tests.litmus.rows import OWN

IN_HERDS_FORMAT = {"R24", "R41"}
"""Rows have no access flag, no dirty state and no atomics: `herd/` has both ways of these."""
IN_PROGRAMS = {"R25", "R26", "R27", "R30", "R31", "R32"}
"""Rows have no interrupts, reset, text that changes or second stage: tests of programs have."""


@pytest.mark.parametrize("programs", [False, True], ids=["listings", "programs"])
@pytest.mark.parametrize("ets2", [False, True], ids=["base", "ets2"])
def test_own_rows(own_line: Line, ets2: bool, programs: bool) -> None:
    judged = judge(own_line, ets2=ets2, programs=programs)

    assert judged.ok, why(judged)


@pytest.mark.parametrize("programs", [False, True], ids=["listings", "programs"])
@pytest.mark.parametrize("ets2", [False, True], ids=["base", "ets2"])
def test_published_rows(published_line: Line, ets2: bool, programs: bool) -> None:
    judged = judge(published_line, ets2=ets2, programs=programs)

    assert judged.ok or judged.verdict is None, why(judged)
    assert judged.reached is not None


def test_every_rule_has_a_forbidden_and_an_allowed_row() -> None:
    """R17 is about ETS2 alone, so it is the ETS2 column that forbids there."""
    rows = [line.row for path in OWN for line in read_file(path) if line.row]
    for rule in RULES.keys() - IN_HERDS_FORMAT - IN_PROGRAMS:
        about = [row for row in rows if rule in row.tags]
        forbidden = [row for row in about if "forbidden" in (row.verdict, row.verdict_ets2)]
        allowed = [row for row in about if "allowed" in (row.verdict, row.verdict_ets2)]

        assert forbidden, rule
        assert allowed, rule


def test_every_own_verdict_is_argued() -> None:
    rows = [line.row for path in OWN for line in read_file(path) if line.row]
    names = [row.name for row in rows]

    assert len(set(names)) == len(names) > 100
    for row in rows:
        rules = [tag for tag in row.tags if re.fullmatch(r"R\d+", tag)]
        assert row.note, row.name
        assert set(rules) <= set(RULES), row.name
        assert row.verdict is not None, row.name
        assert row.verdict_ets2 is not None, row.name
