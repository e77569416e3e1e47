"""Erratum 4118414: a broadcast TLBI completes before stores that it should have waited for."""

from __future__ import annotations

import pytest

from simbbm.arm64.descriptor import leaf
from simbbm.arm64.execution.storebuffer import Store
from simbbm.arm64.features import Features
from simbbm.core.values import encode
from tests.support import FLAG, INV, OLD, PX, WORDS, X, explore, little

AFFECTED = Features(erratum_4118414=True)
TLBI = (("tlbi", "vmalle1is"), ("dsb", "ish"))
OTHER_VALUE = 7


def memory_at_the_flag(
    features: Features, *, tlbis: int, local: bool = False, own: bool = False
) -> set[object]:
    """The word of page OLD as memory has it when both are done, and a store to it is under way.

    `own`: the CPU that stores executes a local TLBI of its own behind it.
    """
    tlbi = (("tlbi", "vmalle1"), ("dsb", "ish")) if local else TLBI
    one = (("str", PX, INV), ("dsb", "ish"), *(tlbi * tlbis), ("str", FLAG, 1), ("dsb", "ish"))
    two = (("str", X, OTHER_VALUE), *((("tlbi", "vmalle1"),) if own else ()))
    system = little(one, two, x=leaf(OLD), features=features)
    read = system.shared.memories.read
    return {
        read(state.memory, OLD * WORDS)
        for state in explore(system).states
        if all(cpu.finished and not cpu.pending_tlbis for cpu in state.cpus)
        and state.cpus[1].buffer.stores
    }


def test_a_tlbi_waits_for_stores_that_it_makes_stale() -> None:
    """Once the page is gone for good, no store to it is under way."""
    assert set() == memory_at_the_flag(Features(), tlbis=1)


@pytest.mark.parametrize(("tlbis", "late"), [(1, {OLD}), (2, set())])
def test_by_the_erratum_only_the_second_one_waits(tlbis: int, late: set[object]) -> None:
    assert late == memory_at_the_flag(AFFECTED, tlbis=tlbis)


def test_a_local_tlbi_waits_for_nobody_elses_stores_anyway() -> None:
    for features in (AFFECTED, Features()):
        assert {OLD} == memory_at_the_flag(features, tlbis=1, local=True)


def test_a_local_tlbi_is_not_the_first_of_two() -> None:
    assert {OLD} == memory_at_the_flag(AFFECTED, tlbis=1, own=True)


def test_what_was_recorded_before_has_the_same_digest() -> None:
    assert b"Store(int:5;tuple(int:1;)int:0;bool:False;NoneType:None;)" == encode(Store(5, (1,)))
    assert encode(AFFECTED) != encode(Features()) != encode(Features(tlb=1))
