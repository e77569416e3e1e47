"""The rules of TLB invalidation, one small program each, on every schedule.

Docstrings name the shape in the published suites. None is a fault.
"""

from __future__ import annotations

from typing import Any

import pytest

from simbbm.arm64.descriptor import leaf
from tests.support import FLAG, INV, NEW, OLD, PX, PY, X, Y, explore, little, outcomes

BASE_AND_ETS2 = pytest.mark.parametrize("ets2", [False, True])
DSB, ISB = ("dsb", "ish"), ("isb",)
TLBI = ("tlbi", "vae1is", 0, 1)
SHOOT = (DSB, TLBI, DSB)
BREAK = ("str", PX, INV)
MAKE = ("str", PX, leaf(NEW))
SIGNAL = ("str", FLAG, 1)
READ_FLAG = ("ldr", FLAG)
READ = ("ldr", X)


def alone(*steps: tuple[Any, ...], **more: Any) -> set[Any]:
    """What one CPU's last load may observe."""
    return {seen[-1] for (seen,) in outcomes(steps, x=leaf(OLD), **more)}


def signalled(first: tuple[Any, ...], second: tuple[Any, ...], **more: Any) -> set[tuple[Any, ...]]:
    """What the second CPU's loads may observe in runs in which it has seen the first one's flag."""
    more.setdefault("x", leaf(OLD))
    ends = outcomes((*first, SIGNAL), (READ_FLAG, *second), **more)
    return {seen[1:] for _, seen in ends if seen[0] == 1}


# R7, R8: what DSBs wait for, and what orders a TLBI.


@pytest.mark.parametrize(
    ("barrier", "forbidden"),
    [("ish", True), ("sy", True), ("nsh", True), ("ishld", False), ("ishst", False)],
)
def test_only_a_full_dsb_waits_for_tlbis(barrier: str, forbidden: bool) -> None:
    """R7, V2I-W-DSB.ISH-TLBI-DSB.{LD,ST}-ISB-R."""
    seen = alone(BREAK, DSB, TLBI, ("dsb", barrier), ISB, READ)

    assert forbidden == (OLD not in seen)
    assert None in seen


@pytest.mark.parametrize(
    ("barrier", "forbidden"),
    [
        (("nop",), False),
        (("dmb", "ish"), False),
        (("dmb", "ishst"), False),
        (ISB, False),
        (("dsb", "ishld"), False),
        (("dsb", "ishst"), True),
        (("dsb", "ish"), True),
    ],
)
def test_tlbi_is_ordered_after_a_store_only_by_dsb(barrier: Any, forbidden: bool) -> None:
    """R8, CoWinvT.EL1+tlbi-dsb-isb, V2I-W-DSB.ST-TLBI, V2I-W-DSB.LD-TLBI."""
    seen = alone(BREAK, barrier, TLBI, DSB, ISB, READ)

    assert forbidden == (OLD not in seen)
    assert None in seen


def test_tlbi_after_a_load_and_dsb_removes_what_the_load_saw_overwritten() -> None:
    """R8, V2I-R-DSB.LD-TLBI."""
    ends = outcomes((BREAK,), (("ldr", PX), ("dsb", "ishld"), TLBI, DSB, ISB, READ), x=leaf(OLD))

    assert ((), (INV, OLD)) not in ends
    assert ((), (leaf(OLD), OLD)) in ends


@pytest.mark.xfail(reason="a TLBI never acts before an earlier load: fewer behaviours")
@pytest.mark.parametrize("barrier", [("nop",), ("dsb", "ishst")])
def test_tlbi_may_act_before_an_earlier_load(barrier: Any) -> None:
    """R8, V2I-R-DSB.ST-TLBI."""
    ends = outcomes((BREAK,), (("ldr", PX), barrier, TLBI, DSB, ISB, READ), x=leaf(OLD))

    assert ((), (INV, OLD)) in ends


# R9 to R11: completion.


@pytest.mark.parametrize(
    ("between", "name"),
    [
        ((), "MP+shoot+po as far as loads in order show it"),
        ((("dmb", "ish"),), "MP.RT.EL1+dsb-tlbiis-dsb+dmb"),
        ((("dmb", "ishld"),), "MP+shoot+DMBLD"),
        ((ISB,), "with a context synchronisation"),
    ],
)
def test_receiver_of_a_completed_tlbi_needs_no_isb(between: Any, name: str) -> None:
    """R9: ordinary ordering from the flag is enough."""
    seen = signalled((BREAK, *SHOOT), (*between, READ))

    assert {(None,)} == seen, name


def test_local_tlbi_says_nothing_about_other_cpus() -> None:
    """R11, MP.RT.EL1+dsb-tlbi-dsb+dsb-isb."""
    seen = signalled((BREAK, DSB, ("tlbi", "vae1", 0, 1), DSB), (DSB, ISB, READ))

    assert {(OLD,), (None,)} == seen


@pytest.mark.parametrize(("op", "forbidden"), [("vae1is", True), ("vae1", False)])
def test_completion_means_that_stores_by_stale_entries_are_performed(
    op: str, forbidden: bool
) -> None:
    """R9, RBS and WBM: page 8 is read through y, which nobody changes."""
    ends = outcomes(
        (BREAK, DSB, ("tlbi", op, 0, 1), DSB, ("ldr", Y), ("ldr", Y)),
        (("str", X, 7),),
        x=leaf(OLD),
        y=leaf(OLD),
    )

    assert forbidden == (((OLD, 7), ()) not in ends)
    assert {((7, 7), ()), ((OLD, OLD), ())} <= ends


def test_completion_does_not_wait_for_stores_by_entries_that_are_still_good() -> None:
    """R10: the TLBI completes while the other CPU's store waits for ever."""
    system = little((TLBI, DSB, SIGNAL), (("str", X, 7),), x=leaf(OLD))
    kept = [
        state
        for state in explore(system).states
        if state.cpus[0].point.finished and state.cpus[1].buffer.stores
    ]

    assert kept


@BASE_AND_ETS2
def test_issuer_itself_needs_an_isb_unless_ets2(ets2: bool) -> None:
    """R11, R17, CoWinvT.EL1+dsb-tlbi-dsb."""
    assert {None} == alone(BREAK, *SHOOT, ISB, READ, ets2=ets2)
    assert ets2 == (OLD not in alone(BREAK, *SHOOT, READ, ets2=ets2))


@pytest.mark.parametrize(
    ("barrier", "forbidden"),
    [
        ((), False),
        ((("dmb", "ishst"),), False),
        ((("dmb", "ishld"),), True),
        ((("dmb", "ish"),), True),
        ((DSB,), True),
        ((ISB,), True),
    ],
)
def test_early_fault_outlives_a_tlbi_until_a_barrier_orders_it(
    barrier: Any, forbidden: bool
) -> None:
    """R10, D15347-M-load-shoot+po and +DMB.LD."""
    seen = signalled((MAKE, *SHOOT), (*barrier, READ), x=INV)

    assert (NEW,) in seen
    assert forbidden == ((None,) not in seen)


def test_early_fault_of_another_page_is_not_touched_by_a_tlbi() -> None:
    """R5, R10: the TLBI is for page 1, page 0 was just mapped."""
    writer = (MAKE, DSB, ("tlbi", "vae1is", 1, 1), DSB)

    assert {(None,), (NEW,)} == signalled(writer, (("dmb", "ish"), READ), x=INV)


def test_early_fault_below_a_table_that_a_tlbi_took_away_is_remembered() -> None:
    """R10, D15347-M-load-shoot+po: the fault was met through the old table."""
    from tests.support import PTABLE

    writer = (("str", PTABLE, leaf(OLD)), DSB, ("tlbi", "vmalle1is"), DSB)

    assert (None,) in signalled(writer, (READ,), x=INV)
    assert {(OLD,)} == signalled(writer, (("dmb", "ish"), READ), x=INV)


# R12, R16, and what each operation matches.


def test_tlbi_acts_on_each_cpu_separately() -> None:
    """R12: one CPU has lost the entry and says so, another still uses it."""
    ends = outcomes(
        (BREAK, DSB, ("tlbi", "vmalle1is"), DSB),
        (READ, SIGNAL),
        (READ_FLAG, DSB, ISB, READ),
        x=leaf(OLD),
    )

    assert ((), (None,), (1, OLD)) in ends


@pytest.mark.parametrize(
    ("tlbi", "removed"),
    [
        (("tlbi", "vae1is", 0, 1), (True, True)),
        (("tlbi", "vae1is", 0, 2), (False, True)),
        (("tlbi", "vae1is", 1, 1), (False, False)),
        (("tlbi", "vale1is", 0, 1), (True, True)),
        (("tlbi", "vale1is", 0, 2), (False, True)),
        (("tlbi", "vaae1is", 0), (True, True)),
        (("tlbi", "vaale1is", 0), (True, True)),
        (("tlbi", "vaae1is", 1), (False, False)),
        (("tlbi", "aside1is", None, 1), (True, False)),
        (("tlbi", "aside1is", None, 2), (False, False)),
        (("tlbi", "vmalle1is"), (True, True)),
    ],
)
def test_tlbi_matches_by_page_and_asid(tlbi: Any, removed: tuple[bool, bool]) -> None:
    """R16, CoWinvTa1.1, CoWinvTa2.1: for a non-global entry of ASID 1, and for a global one."""
    writer = (BREAK, DSB, tlbi, DSB)
    private = signalled(writer, (DSB, ISB, READ), x=leaf(OLD, not_global=True))
    shared = signalled(writer, (DSB, ISB, READ))

    assert removed == ((OLD,) not in private, (OLD,) not in shared)
    assert (None,) in private & shared


def test_two_tlbis_may_be_pending_at_once() -> None:
    """Both must complete before the DSB does, and they may act in any order."""
    both = (("str", PY, INV), BREAK, DSB, TLBI, ("tlbi", "vae1is", 1, 1))
    reads = (READ, ISB, ("ldr", Y))
    done = signalled((*both, DSB), reads, y=leaf(NEW))
    early = signalled(both, reads, y=leaf(NEW))

    assert {(None, None)} == done
    assert {(None, NEW), (OLD, None), (OLD, NEW), (None, None)} == early


def test_same_tlbi_may_be_pending_twice() -> None:
    ends = signalled((BREAK, DSB, TLBI, TLBI, DSB), (READ,))

    assert {(None,)} == ends


# Contiguous groups: pages 0 and 1, as one entry or as two.

GROUP = {"x": leaf(OLD, contiguous=True), "y": leaf(OLD + 1, contiguous=True)}
BREAK_BOTH = (BREAK, ("str", PY, INV))


def test_tlbi_of_one_page_removes_the_group_and_that_page_only() -> None:
    seen = signalled(
        (*BREAK_BOTH, DSB, ("tlbi", "vaae1is", 0), DSB), (DSB, ISB, READ, ("ldr", Y)), **GROUP
    )

    assert {(None, OLD + 1), (None, None)} == seen


def test_tlbi_of_each_page_removes_a_contiguous_group() -> None:
    tlbis = (("tlbi", "vaae1is", 0), ("tlbi", "vaae1is", 1))
    seen = signalled((*BREAK_BOTH, DSB, *tlbis, DSB), (DSB, ISB, READ, ("ldr", Y)), **GROUP)

    assert {(None, None)} == seen


def test_what_is_left_of_a_group_maps_all_of_it() -> None:
    """A walk of page 1 caches the whole group again, whatever the entry of page 0 says."""
    seen = signalled((BREAK, *SHOOT), (DSB, ISB, READ), **GROUP)

    assert {(OLD,), (None,)} == seen
