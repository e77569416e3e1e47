"""How many surprises a failure needs, searched for exhaustively."""

from __future__ import annotations

import pytest

from simbbm.core.graph import Ended
from simbbm.explore.search.fewest import fewest_surprises
from simbbm.model import Model
from tests.explore.toys import Toy
from tests.scenarios.everything import twin

SIZE = "no_size_change_seen"
LIMIT = 60_000


def judged(*bad: str) -> Toy:
    """One store, one drain that may come late, and somebody who looks."""

    def waits(state: tuple[str, ...], agent: str) -> bool:
        return agent != "cpu0" and "cpu0" not in state and agent.startswith("cpu0.")

    return Toy(
        {"cpu0": 3, "cpu0.drain[x]": 1, "cpu0.drain[y]": 1},
        judge=lambda state: "no_tlb_conflict" if state == bad else None,
        waits=waits,
    )


@pytest.mark.parametrize(
    ("bad", "surprises"),
    [
        (("cpu0", "cpu0.drain[x]", "cpu0.drain[y]", "cpu0"), 0),
        (("cpu0", "cpu0.drain[y]", "cpu0.drain[x]", "cpu0"), 0),
        (("cpu0", "cpu0.drain[x]", "cpu0", "cpu0.drain[y]"), 1),
        (("cpu0", "cpu0.drain[x]", "cpu0", "cpu0", "cpu0.drain[y]"), 1),
        (("cpu0", "cpu0", "cpu0.drain[x]", "cpu0", "cpu0.drain[y]"), 2),
    ],
)
def test_surprises_are_counted_once_however_long_hardware_waits(
    bad: tuple[str, ...], surprises: int
) -> None:
    assert surprises == fewest_surprises(judged(*bad), Ended.VIOLATED, "no_tlb_conflict", LIMIT)


def test_what_is_optional_is_a_surprise() -> None:
    toy = Toy(
        {"cpu0": 2},
        optional=("cpu0.walk[x]",),
        judge=lambda state: "no_tlb_conflict" if len(state) == 2 else None,
    )

    assert fewest_surprises(toy, Ended.VIOLATED, "no_tlb_conflict", LIMIT) == 0


@pytest.mark.parametrize(
    ("name", "surprises"), [("m07_count_before_switch", 0), ("m10_no_dsb_after_tlbi", 1)]
)
def test_of_twins(name: str, surprises: int) -> None:
    assert surprises == fewest_surprises(Model(twin(name), {}).system, Ended.VIOLATED, SIZE, LIMIT)


def test_too_many_states_are_no_answer() -> None:
    system = Model(twin("m10_no_dsb_after_tlbi"), {}).system

    assert fewest_surprises(system, Ended.VIOLATED, SIZE, limit=100) is None
