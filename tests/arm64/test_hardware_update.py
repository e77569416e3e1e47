"""Programs on CPUs whose walkers set access flags and dirty states (FEAT_HAFDBS)."""

from __future__ import annotations

from typing import Any

import pytest

from simbbm.arm64.descriptor import RO, Attributes, Descriptor, leaf
from simbbm.arm64.features import DELAYED, Features
from tests.support import OLD, PX, X, explore, little, outcomes

AF = Features(hardware_af=True)
DIRTY = Features(hardware_dirty=True)
CLEAN = RO._replace(dirty_modifier=True)
OLD_PAGE = leaf(OLD, access_flag=False)


def ends(*steps: tuple[Any, ...], x: Descriptor, features: Features, window: int = 1) -> set[Any]:
    """What one thread observes."""
    hardware = DELAYED._replace(window=window)
    return {seen for (seen,) in outcomes(steps, x=x, features=features, hardware=hardware)}


@pytest.mark.parametrize("window", [1, 4])
def test_an_access_waits_for_its_flag(window: int) -> None:
    """Without the feature it faults, and observes nothing."""
    assert ends(("ldr", X), x=OLD_PAGE, features=AF, window=window) == {(OLD,)}
    assert ends(("ldr", X), x=OLD_PAGE, features=Features(), window=window) == {(None,)}


@pytest.mark.parametrize("window", [1, 4])
def test_a_store_makes_its_page_dirty(window: int) -> None:
    clean, dirty = leaf(OLD, CLEAN), leaf(OLD, Attributes(dirty_modifier=True))
    steps = ("str", X, 3), ("dsb", "sy"), ("ldr", X), ("ldr", PX)

    assert ends(*steps[:3], x=clean, features=DIRTY, window=window) == {(3,)}
    assert ends(*steps[:3], x=clean, features=AF, window=window) == {(OLD,)}
    states = explore(little(steps[:2], x=clean, features=DIRTY)).ended
    assert {state.memory.tables.by_address[PX].entries[0] for state in states} == {dirty}


def test_nobody_who_has_no_such_feature_has_more_states() -> None:
    """Two CPUs: the walker of one sets the flag that the other needs."""
    readers = (("ldr", X),), (("ldr", X),)

    mixed = outcomes(*readers, x=OLD_PAGE, features=(AF, Features()))

    assert mixed == {((OLD,), (OLD,)), ((OLD,), (None,))}


def test_flags_of_accesses_that_are_not_made_are_a_freedom() -> None:
    """Nobody accesses `x`, and its flag may be set; without the freedom only who accesses it."""
    none, reads = (("nop",),), (("ldr", X),)
    after = leaf(OLD)

    def flags(steps: tuple[Any, ...], hardware: Any) -> set[Descriptor]:
        states = explore(little(steps, x=OLD_PAGE, features=AF, hardware=hardware)).ended
        return {state.memory.tables.by_address[PX].entries[0] for state in states}

    poorer = DELAYED.without("hardware AF")
    assert flags(none, DELAYED) == {after, OLD_PAGE}
    assert flags(none, poorer) == {OLD_PAGE}
    assert flags(reads, poorer) == {after}
