"""Errata: TLBIs that complete before stores that they should have waited for, and a livelock."""

from __future__ import annotations

from typing import Any

import pytest

from simbbm.arm64.descriptor import leaf, table
from simbbm.arm64.execution.storebuffer import Store
from simbbm.arm64.features import DELAYED, Features, Hardware, read_features
from simbbm.arm64.machine import Arm64
from simbbm.arm64.ops import SGI, Aborted, Cpu
from simbbm.arm64.platform.errata import ERRATA
from simbbm.arm64.registers import Sgi
from simbbm.core.errors import UsageError
from simbbm.core.values import encode
from tests.support import (
    FLAG,
    INV,
    OLD,
    OTHER,
    PTES,
    PX,
    ROOT,
    SPARE,
    WORDS,
    X,
    explore,
    little,
    machine,
    thread,
)

AFFECTED = Features(errata=("4118414",))
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


# Each entry of the table, and what it changes.


def test_the_next_tlbi_is_waited_for_whatever_it_invalidates() -> None:
    """As `tlbi vale1is, xzr; dsb ish` in Linux; a local one mends nothing."""
    for op, late in (("vale1is", set()), ("vale1", {OLD})):
        another = (("tlbi", op, 0, 0), ("dsb", "ish"))
        one = (("str", PX, INV), ("dsb", "ish"), *TLBI, *another, ("str", FLAG, 1), ("dsb", "ish"))
        assert late == late_stores(one, AFFECTED)


def late_stores(one: Any, features: Features) -> set[object]:
    """The word of page OLD when CPU 0 is done, and a store to it is still pending on CPU 1."""
    system = little(one, (("str", X, OTHER_VALUE),), x=leaf(OLD), features=features)
    read = system.shared.memories.read
    return {
        read(state.memory, OLD * WORDS)
        for state in explore(system).states
        if state.cpus[0].finished and state.cpus[1].finished and state.cpus[1].buffer.stores
    }


UNTIL_AN_EXCEPTION = Features(errata=("4193714",))
SEND = ("msr", "icc_sgi1r_el1", Sgi(1))


def test_by_4193714_no_tlbi_waits_and_an_interrupt_does() -> None:
    """It is taken once the accesses are complete, and the handler tells so."""
    flush = (("str", PX, INV), ("dsb", "ish"), *TLBI)
    assert {OLD} == late_stores(flush, UNTIL_AN_EXCEPTION)
    assert {OLD} == late_stores((*flush, *TLBI), UNTIL_AN_EXCEPTION)
    assert set() == late_stores(flush, Features())

    told = (*flush, SEND, ("wait", FLAG, is_one))
    system = little(told, (("str", X, OTHER_VALUE),), x=leaf(OLD), features=UNTIL_AN_EXCEPTION,
                    handler=tells)  # fmt: skip
    assert not any(
        state.cpus[0].finished and state.cpus[1].buffer.stores for state in explore(system).states
    )


def is_one(value: int) -> bool:
    return value == 1


async def tells(cpu: Cpu, aborted: Aborted) -> None:
    if aborted.kind == SGI:
        await cpu.ldaddal(FLAG, 1)
    await cpu.eret(retry=aborted.kind == SGI)


@pytest.mark.parametrize(
    ("errata", "noabort", "stuck"),
    [(("3683289",), True, True), (("3683289",), False, True), ((), True, False)],
)
@pytest.mark.parametrize("window", [1, 2])
def test_by_3683289_who_meets_two_sizes_need_not_get_on(
    errata: tuple[str, ...], noabort: bool, stuck: bool, window: int
) -> None:
    """For as long as it holds both; with the erratum switched off it does."""
    features = Features(bbm=2, noabort=noabort, errata=errata)
    steps = (("str", ROOT + 2, table(SPARE)), ("dsb", "ish"), ("ldr", 8 * WORDS))
    for hardware, stays in (
        (DELAYED._replace(window=window), stuck),
        (DELAYED._replace(window=window).without("erratum"), False),
    ):
        system = split(steps, features, hardware)
        loops = [
            state
            for state in explore(system).states
            for move in system.moves(state)
            if "stall" in move.label and system.apply(state, move) == state
        ]
        assert bool(loops) is stays


def split(steps: Any, features: Features, hardware: Hardware) -> Arm64:
    """A machine whose entry 2 of the root is a block, which becomes a table of pages."""
    tables = {
        ROOT: (table(PTES), leaf(4), leaf(8), INV),
        PTES: (INV,) * 4,
        SPARE: (leaf(8), leaf(9), leaf(10), leaf(11)),
        OTHER: (INV,) * 4,
    }
    return machine((thread, *steps), tables=tables, features=features, hardware=hardware)


def test_errata_are_read_by_number() -> None:
    assert Features(errata=("3683289", "4118414")) == read_features(
        Features(), "errata=4118414+3683289"
    )
    assert Features() == read_features(AFFECTED, "errata=")
    with pytest.raises(UsageError, match=r"write errata=4118414\+4193714\+3683289"):
        read_features(Features(), "errata=4118415")
    assert set(ERRATA) == {"4118414", "4193714", "3683289"}
