"""Composed of pieces it takes as long as a run of all of it: exactly, or within a stated bound."""

from __future__ import annotations

import pytest

from simbbm.field.cost.latencies import Setting
from simbbm.field.cost.model import read_model
from simbbm.field.cost.pieces import Costs, Walked, measure, walked
from simbbm.field.cost.tables import Blocks, page_bytes
from simbbm.field.cost.timed import AT_ONCE, LAZY, REVISITED, timed_model, timed_run

TYPICAL = read_model().typical()
BOUND = 2 * (TYPICAL["walk"] + TYPICAL["drain"]) + TYPICAL["load"]
"""Picoseconds for each place where pieces of different kinds meet, and for both ends."""


def full(layout: str, granule: str, protocol: str) -> tuple[int, int]:
    """B3 of a whole run, and the tables that it has allocated."""
    setting = Setting(2, page_bytes(granule) >> 10, at_once=protocol == AT_ONCE)
    timed = timed_run(timed_model(protocol, 2, layout, granule), TYPICAL, setting)
    fills = sum(moment.move.what.endswith("fill_table.fill") for moment in timed.moments)
    return timed.parts()["splitting"], fills


def composed(wanted: Walked, granule: str, protocol: str) -> int:
    setting = Setting(2, page_bytes(granule) >> 10, at_once=protocol == AT_ONCE)
    return measure(granule, protocol, Costs(TYPICAL, setting), wanted).split(wanted)


def counted(layout: str, granule: str) -> Walked:
    """What the walk comes to, in a layout that is given part by part."""
    parts = layout.split("+")
    entries = {"contpte": 512, "pages": 512} if granule == "4k" else {}
    groups = {"contpte": 32}
    blocks = Blocks(
        pud=parts.count("pud"),
        contpmd=parts.count("contpmd"),
        pmd=parts.count("pmd"),
        contpte=parts.count("contpte") * groups["contpte"],
        pte=parts.count("pages") * entries.get("pages", 0),
    )
    return walked(blocks, granule)


@pytest.mark.parametrize(
    ("granule", "number"),
    [("4k", 1), ("4k", 7), ("16k", 2), pytest.param("64k", 3, marks=pytest.mark.quality)],
)
def test_blocks_alone_take_exactly_as_long(granule: str, number: int) -> None:
    layout = "+".join(["pmd"] * number)
    wanted = walked(Blocks(pmd=number), granule)

    assert full(layout, granule, LAZY) == (composed(wanted, granule, LAZY), number)


@pytest.mark.parametrize(
    ("layout", "granule", "protocol", "kinds"),
    [
        ("contpmd+pmd", "4k", LAZY, 2),
        ("contpmd+pmd", "4k", AT_ONCE, 2),
        ("pmd+pmd+pmd", "4k", AT_ONCE, 1),
        pytest.param("pmd", "4k", REVISITED, 1, marks=pytest.mark.quality),
        pytest.param("pmd+pages", "4k", LAZY, 2, marks=pytest.mark.quality),
        pytest.param("contpte", "4k", LAZY, 1, marks=pytest.mark.quality),
        pytest.param("pages+contpmd+contpte+pmd", "4k", LAZY, 4, marks=pytest.mark.quality),
        pytest.param("pages+contpmd+contpte+pmd", "4k", AT_ONCE, 4, marks=pytest.mark.quality),
        pytest.param("pud", "4k", LAZY, 1, marks=pytest.mark.quality),
        pytest.param("pud+pmd", "4k", LAZY, 2, marks=pytest.mark.quality),
        pytest.param("contpmd+contpmd", "16k", LAZY, 1, marks=pytest.mark.quality),
    ],
)
def test_mixtures_take_as_long_within_the_bound(
    layout: str, granule: str, protocol: str, kinds: int
) -> None:
    wanted = counted(layout, granule)
    whole, fills = full(layout, granule, protocol)

    assert abs(composed(wanted, granule, protocol) - whole) <= (kinds + 1) * BOUND
    assert fills == wanted.pmds + wanted.split_puds
    one_more = wanted._replace(pmds=wanted.pmds + 1)
    assert composed(one_more, granule, protocol) - whole > (kinds + 1) * BOUND


def test_a_fill_with_barriers_at_once_is_as_long_as_its_moves() -> None:
    """Scaled tables take a move for each store, real ones one for all (`pgtable.fill_table`)."""
    setting = Setting(2, 0, at_once=True)
    times = TYPICAL | {"allocation": 0, "fill_entry": TYPICAL["store"]}
    moves = timed_run(timed_model(AT_ONCE, 2, "pmd", "scaled4"), times, setting)
    one = timed_run(timed_model(AT_ONCE, 2, "pmd", "4k"), times, setting)
    entry = sum(TYPICAL[name] for name in ("store", "drain", "dsb", "isb"))

    difference = one.parts()["splitting"] - moves.parts()["splitting"]
    assert abs(difference - (512 - 4) * entry) <= BOUND


def test_what_the_walk_comes_to() -> None:
    blocks = Blocks(pud=3, contpmd=2, pmd=5, contpte=33, pte=7)

    assert walked(blocks, "4k") == Walked(4, 3, 3 * 512 + 37, 2, 2, 33)
    assert walked(Blocks(contpmd=1), "64k") == Walked(1, 0, 32, 1, 0, 0)
