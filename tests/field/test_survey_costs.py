"""What a repaint costs a surveyed machine: tables where RAM is known, a stop where more is."""

from __future__ import annotations

from functools import partial

import pytest

from simbbm.field import taken
from simbbm.field.cost.window import window_ms
from simbbm.field.machines import Machine
from simbbm.field.noabort import rules_of
from simbbm.field.survey import Estimate, survey_rows
from simbbm.report.field_rows import SurveyRow
from tests.field.machines import TABLES, machine

MIB = 1 << 20


def row(machine: Machine, estimate: Estimate | None = None) -> SurveyRow:
    """The row of a machine that boots as it does, under 7.3."""
    rules = [rules_of(TABLES.kernels["7.3"], TABLES)]
    return next(survey_rows(machine, rules, TABLES, estimate))


def gb10(**more: object) -> Machine:
    return taken.machine("gb10", TABLES)._replace(**more)  # type: ignore[arg-type]


def test_tables_by_page_size() -> None:
    known, unknown = row(gb10(page_size=65536)), row(gb10())
    each = {"4k": int(256.5 * MIB), "16k": 64 * MIB, "64k": 16 * MIB}

    assert (each, each) == (known.tables, unknown.tables)
    assert (16 * MIB, None) == (known.table_bytes, unknown.table_bytes)


def test_holes_of_ram_count() -> None:
    """Two ranges of 1.5 GiB: two level 1 blocks, and two halves that level 2 blocks map."""
    ranges = ((0, 3 << 29), (4 << 30, (4 << 30) + (3 << 29)))
    found = row(gb10(page_size=4096, ranges=ranges, memory=3 << 30))

    assert (3 * 512 + 2) * 4096 == found.table_bytes


@pytest.mark.parametrize("more", [{"memory": None}, {"memory": 1 << 52}])
def test_what_is_not_known_or_has_no_room_costs_nothing_that_is_made_up(
    more: dict[str, object],
) -> None:
    found = row(gb10(page_size=4096, **more), partial(window_ms, runs=1))

    assert "repaint" == found.mode
    assert (None, None, None) == (found.table_bytes, found.tables, found.window_ms)


def test_a_machine_that_does_not_repaint_pays_nothing() -> None:
    found = row(taken.machine("ampereone", TABLES)._replace(page_size=4096))

    assert ("blocks", None, None) == (found.mode, found.table_bytes, found.window_ms)


def test_the_stop_is_that_of_the_cost_model() -> None:
    """Of 64K pages, which is quickly estimated."""
    one = machine("Cortex-A725 r0p1", "Cortex-X925 r0p1", options={"page_size": "64k"})
    found = row(one._replace(memory=8 << 30), partial(window_ms, runs=1))

    assert found.window_ms
    assert 0.05 < found.window_ms[0] < 5
