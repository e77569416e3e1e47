"""The rules of Arm's relaxed virtual memory, one small program each, on every schedule.

A forbidden outcome must be out of reach, an allowed one must be reached. Docstrings name the shape
in the published suites. A CPU returns the tuple of what its loads observed; None is a fault.
"""

from __future__ import annotations

from typing import Any

import pytest

from simbbm.arm64.descriptor import RO, leaf, table
from tests.support import FLAG, FLAG2, INV, NEW, OLD, PTABLE, PX, SPARE, THIRD, X, Y, outcomes

BASE_AND_ETS2 = pytest.mark.parametrize("ets2", [False, True])
DSB, ISB = ("dsb", "ish"), ("isb",)
SHOOT = (DSB, ("tlbi", "vae1is", 0, 1), DSB)
"""What makes everybody forget page 0."""
BREAK = ("str", PX, INV)
MAKE = ("str", PX, leaf(NEW))
SIGNAL = ("str", FLAG, 1)
READ_FLAG = ("ldr", FLAG)
READ = ("ldr", X)


def alone(*steps: tuple[Any, ...], **more: Any) -> set[Any]:
    """What one CPU's last load may observe."""
    return {seen[-1] for (seen,) in outcomes(steps, **more)}


def signalled(first: tuple[Any, ...], second: tuple[Any, ...], **more: Any) -> set[tuple[Any, ...]]:
    """What the second CPU's loads may observe in runs in which it has seen the first one's flag."""
    ends = outcomes((*first, SIGNAL), (READ_FLAG, *second), **more)
    return {seen[1:] for _, seen in ends if seen[0] == 1}


# Data alone: the store buffer.


@pytest.mark.parametrize(
    ("barrier", "reader", "forbidden"),
    [
        (("nop",), ("nop",), False),
        (("dmb", "ish"), ("nop",), True),
        (("dmb", "ishst"), ("nop",), True),
        (("dmb", "ishld"), ("nop",), False),
        (("dsb", "ishst"), ("nop",), True),
        (ISB, ISB, False),
    ],
)
def test_dmb_orders_stores(barrier: Any, reader: Any, forbidden: bool) -> None:
    """MP: loads are done in order here, so that the writer's side decides."""
    seen = signalled((("str", FLAG2, 1), barrier), (reader, ("ldr", FLAG2)))

    assert (1,) in seen
    assert forbidden == ((0,) not in seen)


@pytest.mark.parametrize(
    ("store", "between", "load", "forbidden"),
    [
        ("str", ("nop",), "ldr", False),
        ("str", ("dmb", "ish"), "ldr", True),
        ("str", ("dmb", "ishst"), "ldr", False),
        ("str", ("dmb", "ishld"), "ldr", False),
        ("str", ("dsb", "ish"), "ldr", True),
        ("stlr", ("nop",), "ldar", True),
        ("stlr", ("nop",), "ldaxr", True),
        ("stlr", ("nop",), "ldapr", False),
        ("stlr", ("nop",), "ldr", False),
        ("str", ("nop",), "ldar", False),
    ],
)
def test_only_full_barriers_and_rcsc_order_a_store_and_a_later_load(
    store: str, between: Any, load: str, forbidden: bool
) -> None:
    """SB, and SB with release and acquire."""
    ends = outcomes(
        ((store, FLAG, 1), between, (load, FLAG2)),
        ((store, FLAG2, 1), between, (load, FLAG)),
    )

    assert forbidden == (((0,), (0,)) not in ends)
    assert ((1,), (1,)) in ends


def test_store_release_comes_after_all_that_is_earlier() -> None:
    """MP with STLR and LDAR."""
    ends = outcomes((("str", FLAG2, 1), ("stlr", FLAG, 1)), (("ldar", FLAG), ("ldr", FLAG2)))

    assert ((), (1, 0)) not in ends
    assert ((), (1, 1)) in ends


def test_atomic_is_a_full_barrier_for_what_is_earlier() -> None:
    """MP with LDADDAL as the writer's flag."""
    ends = outcomes((("str", FLAG2, 1), ("ldaddal", FLAG, 1)), (("ldr", FLAG), ("ldr", FLAG2)))

    assert ((0,), (1, 0)) not in ends


# R1 to R3: what is cached.


def test_entry_that_faults_is_never_cached() -> None:
    """R1, CoWTf.inv+dsb-isb."""
    assert {NEW} == alone(MAKE, DSB, ISB, READ)


def test_invalid_entry_that_was_overwritten_is_not_seen_after_synchronisation() -> None:
    """R1, CoRpteTf.inv+dsb-isb."""
    ends = outcomes((MAKE,), (("ldr", PX), DSB, ISB, READ))

    assert ((), (leaf(NEW), None)) not in ends
    assert ((), (leaf(NEW), NEW)) in ends
    assert ((), (INV, None)) in ends


def test_access_flag_fault_is_never_cached() -> None:
    """R1, the same with the access flag."""
    young = leaf(NEW, access_flag=False)

    assert {NEW} == alone(MAKE, DSB, ISB, READ, x=young)
    assert {NEW, None} == alone(MAKE, DSB, READ, x=young)


def test_entry_with_a_permission_fault_is_cached() -> None:
    """R1, I2V-UP-STR-DSB-ISB: read-only to writable needs a TLBI."""
    loosen = ("str", PX, leaf(OLD))
    add = ("ldaddal", X, 1)

    assert {OLD, None} == alone(loosen, DSB, ISB, add, x=leaf(OLD, RO))
    assert {OLD} == alone(loosen, *SHOOT, ISB, add, x=leaf(OLD, RO))


def test_walks_of_one_entry_are_not_ordered() -> None:
    """R2, CoTT and R3: old, new, old."""
    ends = outcomes((MAKE,), (READ, READ, READ), x=leaf(OLD))

    assert ((), (OLD, NEW, OLD)) in ends


def test_old_entry_outlives_synchronisation() -> None:
    """R2, CoTT.ro+dsb-isb."""
    ends = outcomes((MAKE,), (READ, DSB, ISB, READ), x=leaf(OLD))

    assert ((), (NEW, OLD)) in ends


@BASE_AND_ETS2
def test_unmapping_needs_a_tlbi(ets2: bool) -> None:
    """R3, CoWinvT+dsb-isb and CoWinvT.EL1+dsb-tlbi-dsb-isb."""
    assert {OLD, None} == alone(BREAK, DSB, ISB, READ, x=leaf(OLD), ets2=ets2)
    assert {None} == alone(BREAK, *SHOOT, ISB, READ, x=leaf(OLD), ets2=ets2)


# R4 to R6: when a translation is made.


def test_walks_do_not_forward_from_the_store_buffer() -> None:
    """R4, PPOAA.RT.inv: whoever has used the new entry has propagated it."""
    used = outcomes((MAKE, READ, SIGNAL), (("ldar", FLAG), ("ldr", PX)))
    read = outcomes((MAKE, ("ldr", PX), SIGNAL), (("ldar", FLAG), ("ldr", PX)))

    assert ((NEW,), (1, INV)) not in used
    assert ((None,), (1, INV)) in used
    assert ((leaf(NEW),), (1, INV)) in read


def test_translation_may_come_before_a_dsb_unless_ets2() -> None:
    """R5, R17, CoWTf.inv+dsb, I2V-UP-DSB."""
    assert {NEW, None} == alone(MAKE, DSB, READ)
    assert {NEW} == alone(MAKE, DSB, READ, ets2=True)


@pytest.mark.parametrize(
    ("between", "base", "ets2"),
    [
        ((), True, False),
        ((("dmb", "ish"),), True, False),
        ((("dmb", "ishld"),), True, False),
        ((DSB,), True, False),
        ((ISB,), False, False),
        ((DSB, ISB), False, False),
    ],
)
def test_fault_may_be_as_early_as_the_last_synchronisation(
    between: Any, base: bool, ets2: bool
) -> None:
    """R5, R17, MP.RTf.inv+dmbs, with dsb, ctrl-isb and dsb-isb."""
    writer = (MAKE, ("dmb", "ish"))

    assert base == ((None,) in signalled(writer, (*between, READ)))
    assert ets2 == ((None,) in signalled(writer, (*between, READ), ets2=True))
    assert (NEW,) in signalled(writer, (*between, READ))


def test_translation_comes_before_later_stores() -> None:
    """R6, S.T+dmb+po."""
    ends = outcomes((READ_FLAG, ("dmb", "ish"), MAKE), (READ, SIGNAL))

    assert ((1,), (NEW,)) not in ends
    assert ((1,), (None,)) in ends


def test_translation_comes_before_a_later_isb() -> None:
    """R6, MP.TR.inv+dmb+isb."""
    ends = outcomes((SIGNAL, ("dmb", "ish"), MAKE), (READ, ISB, READ_FLAG))

    assert ((), (NEW, 0)) not in ends
    assert ((), (NEW, 1)) in ends


# R17, R18.


@BASE_AND_ETS2
def test_fault_after_a_successful_walk_needs_an_early_translation(ets2: bool) -> None:
    """R17, CoTTf.inv+po."""
    ends = outcomes((MAKE,), (READ, READ), ets2=ets2)

    assert ets2 == (((), (NEW, None)) not in ends)
    assert ((), (None, NEW)) in ends


@BASE_AND_ETS2
def test_ets2_fault_waits_for_earlier_stores(ets2: bool) -> None:
    """R17: a fault of the first CPU means that its store came before the entry."""
    ends = outcomes((("str", FLAG2, 1), READ), (MAKE, ("dmb", "ish"), ("ldr", FLAG2)), ets2=ets2)

    assert ets2 == (((None,), (0,)) not in ends)
    assert ((None,), (1,)) in ends


@BASE_AND_ETS2
def test_stale_permission_stays_weak_under_ets2(ets2: bool) -> None:
    """R17: only faults of walks are ordered, and this one is cached."""
    seen = alone(("str", PX, leaf(OLD)), DSB, ("ldaddal", X, 1), x=leaf(OLD, RO), ets2=ets2)

    assert {OLD, None} == seen


def test_write_seen_by_one_walk_is_seen_by_all() -> None:
    """R18, WRC.TRTf.inv+dsb+dsb-isb."""
    ends = outcomes((MAKE,), (READ, DSB, SIGNAL), (READ_FLAG, DSB, ISB, READ))

    assert ((), (NEW,), (1, None)) not in ends
    assert ((), (NEW,), (1, NEW)) in ends


def test_stale_entry_is_nobody_elses_business() -> None:
    """R18, IRIW-V2Vpte+64: two readers may disagree on which of two entries changed first."""
    ends = outcomes(
        (MAKE,),
        (("str", PX + 1, leaf(NEW)),),
        (READ, ISB, ("ldr", Y)),
        (("ldr", Y), ISB, READ),
        x=leaf(OLD),
        y=leaf(OLD),
    )

    assert ((), (), (NEW, OLD), (NEW, OLD)) in ends


# R13: tables.


@pytest.mark.parametrize(
    ("barrier", "forbidden"),
    [
        (("nop",), False),
        (("dmb", "ishld"), False),
        (("dmb", "ishst"), True),
        (("dmb", "ish"), True),
        (("dsb", "ishst"), True),
    ],
)
def test_new_table_is_seen_filled_only_with_a_barrier(barrier: Any, forbidden: bool) -> None:
    """R13, ROT.inv+po, ROT.inv+dmbst, ROT.inv+dsb: page 10 is what the table held before."""
    from simbbm.arm64.descriptor import INVALID_DESCRIPTOR as NOTHING
    from tests.support import OTHER, PTES, ROOT, explore, machine, thread

    steps = (("str", SPARE, leaf(NEW)), barrier, ("str", PTABLE, table(SPARE)))
    system = machine(
        (thread, *steps),
        (thread, READ),
        tables={
            ROOT: (NOTHING, leaf(4), NOTHING, NOTHING),
            PTES: (NOTHING,) * 4,
            SPARE: (leaf(THIRD), NOTHING, NOTHING, NOTHING),
            OTHER: (NOTHING,) * 4,
        },
    )
    seen = {reader for _, (reader,) in explore(system).outcomes}

    assert {NEW, None} <= seen
    assert forbidden == (THIRD not in seen)


@pytest.mark.parametrize(
    ("tlbi", "forbidden"),
    [
        (("nop",), False),
        (("tlbi", "vmalle1is"), True),
        (("tlbi", "vaae1is", 0), True),
        (("tlbi", "vaae1is", 3), True),
        (("tlbi", "vae1is", 0, 1), True),
        (("tlbi", "vae1is", 0, 2), False),
        (("tlbi", "aside1is", None, 1), True),
        (("tlbi", "aside1is", None, 2), False),
        (("tlbi", "vaae1is", 4), False),
        (("tlbi", "vmalle1"), False),
    ],
)
def test_stale_table_entry_leads_to_a_new_leaf_until_a_tlbi(tlbi: Any, forbidden: bool) -> None:
    """R13, ROT+dmb, ROT+dsb-tlbivmallis-dsb: the leaf was written after the table was unlinked."""
    writer = (("str", PTABLE, table(SPARE)), DSB, tlbi, DSB, MAKE, DSB)
    seen = signalled(writer, (DSB, ISB, READ), x=INV, spare=(leaf(THIRD), INV, INV, INV))

    assert (THIRD,) in seen
    assert forbidden == ((NEW,) not in seen)


@pytest.mark.parametrize("op", ["vaale1is", "vale1is"])
def test_tlbi_vale1is_leaves_walk_cache(op: str) -> None:
    """R13: the last-level forms keep cached tables."""
    tlbi = ("tlbi", op, 0) if op == "vaale1is" else ("tlbi", op, 0, 1)
    writer = (("str", PTABLE, table(SPARE)), DSB, tlbi, DSB, MAKE, DSB)
    seen = signalled(writer, (DSB, ISB, READ), x=INV, spare=(leaf(THIRD), INV, INV, INV))

    assert {(NEW,), (THIRD,)} <= seen
