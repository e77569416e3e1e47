"""CPUs that have a TLB in common use each other's entries, where both say that they may (CnP)."""

from __future__ import annotations

from typing import Any

import pytest

from simbbm.arm64.descriptor import leaf
from simbbm.arm64.features import EAGER, Features
from simbbm.arm64.machine import Arm64
from simbbm.arm64.registers import Regime, Ttbr
from simbbm.arm64.translation.optional.cnp import common_halves, groups
from simbbm.core.values import encode
from tests.support import FLAG, FLAG2, INV, NEW, OLD, OTHER, PX, REGIME, ROOT, X, explore, little

COMMON = REGIME._replace(ttbr0=(Ttbr(ROOT, asid=1, cnp=True),))
OWN = Ttbr(ROOT, asid=1)
AGAIN = Ttbr(ROOT, asid=1, cnp=True)
SHARES = Features(conflict="either", tlb=1)
ALONE = SHARES._replace(tlb=0)
SYNC = (("dsb", "ish"), ("isb",))

# The writer changes a leaf and forgets what it held of it: nobody else does. The reader leaves,
# forgets everything itself, comes back, and reads when the writer has changed the leaf.
WRITER = (("str", PX, leaf(NEW)), *SYNC, ("str", FLAG, 1))
AWAY = (("msr", "ttbr0_el1", OWN), ("isb",), ("tlbi", "vmalle1"), *SYNC)
BACK = (("msr", "ttbr0_el1", AGAIN), ("isb",))


def is_one(value: int) -> bool:
    return value == 1


def read(*before: Any) -> tuple[Any, ...]:
    """A reader that waits for the writer and does something before it reads."""
    return (*AWAY, ("wait", FLAG, is_one), *SYNC, ("tlbi", "vmalle1"), *SYNC, *before, ("ldr", X))


def got(
    *threads: tuple[Any, ...],
    features: Features | tuple[Features, ...] = SHARES,
    regime: Regime | tuple[Regime, ...] = COMMON,
) -> set[int]:
    """What the second thread reads last."""
    system = little(*threads, x=leaf(OLD), features=features, regime=regime)
    return {seen[1][-1] for seen in explore(system).outcomes}


def test_an_entry_that_another_cpu_holds_is_used() -> None:
    """The reader's own TLB is empty, and the tables have the new leaf: the old one is there yet."""
    assert {OLD, NEW} == got(WRITER, read(*BACK))


@pytest.mark.parametrize(
    ("features", "regime", "before"),
    [
        (SHARES, COMMON, ()),
        ((SHARES, SHARES._replace(tlb=2)), COMMON, BACK),
        (ALONE, COMMON, BACK),
        (SHARES, (REGIME, COMMON), BACK),
    ],
    ids=["reader without CnP", "another TLB", "none in common", "writer without CnP"],
)
def test_it_is_not_used(features: Any, regime: Any, before: Any) -> None:
    assert {NEW} == got(WRITER, read(*before), features=features, regime=regime)


@pytest.mark.parametrize(("private", "seen"), [(False, {OLD, NEW}), (True, {NEW})])
def test_a_cpu_under_another_asid_gets_what_is_global(private: bool, seen: set[int]) -> None:
    """Both have CnP set, for one table, which their address spaces have in common."""
    writer = (("str", PX, leaf(NEW, not_global=private)), *SYNC, ("str", FLAG, 1))
    back = (("msr", "ttbr0_el1", AGAIN._replace(asid=2)), ("isb",))
    system = little(
        writer, read(*back), x=leaf(OLD, not_global=private), features=SHARES, regime=COMMON
    )

    assert seen == {observed[1][-1] for observed in explore(system).outcomes}


def test_it_is_gone_when_everybody_has_invalidated_it() -> None:
    writer = (*WRITER[:-1], ("tlbi", "vmalle1is"), *SYNC, WRITER[-1])

    assert {NEW} == got(writer, read(*BACK))


def test_a_local_tlbi_does_not_take_it_from_the_others() -> None:
    """It may be held by both; the reader forgets it, and gets it again from the writer."""
    reader = (("wait", FLAG, is_one), *SYNC, ("tlbi", "vmalle1"), *SYNC, ("ldr", X))

    assert {OLD, NEW} == got(WRITER, reader)
    assert {NEW} == got(WRITER, reader, features=ALONE)


def test_other_tables_are_not_in_common() -> None:
    """Both have CnP set, for different tables (which is unpredictable, and not shown)."""
    other = COMMON._replace(ttbr0=(Ttbr(OTHER, asid=1, cnp=True),))

    assert (False, False) == common_halves(COMMON, other)
    assert (True, False) == common_halves(COMMON, COMMON)
    assert (False, True) == common_halves(*(REGIME._replace(ttbr1=(AGAIN,)),) * 2)
    assert (False, False) == common_halves(REGIME, REGIME)


def test_a_register_that_may_still_be_in_effect_counts() -> None:
    """Between MSR and ISB the reader may have CnP set, or not."""
    both = COMMON._replace(ttbr0=(AGAIN, OWN))

    assert (True, False) == common_halves(COMMON, both)
    assert {OLD, NEW} == got(WRITER, read(BACK[0]))


def test_groups_are_those_with_one_number() -> None:
    def machine(*numbers: int) -> Arm64:
        threads = [(("nop",),)] * len(numbers)
        return little(*threads, features=tuple(Features(tlb=n) for n in numbers))

    assert ((0, 2), (1, 3)) == machine(1, 2, 1, 2).common
    assert ((1, 2),) == groups(machine(0, 7, 7, 3).spec.cpus)
    assert () == machine(0, 0).common


def test_what_was_recorded_before_cnp_has_the_same_digest() -> None:
    assert b"Ttbr(int:64;int:1;)" == encode(OWN._replace(baddr=64))
    assert b"Ttbr(int:64;int:1;bool:True;)" == encode(AGAIN._replace(baddr=64))
    assert b"Features(int:2;bool:True;bool:False;str:'abort';)" == encode(Features(2, noabort=True))
    assert encode(Features(tlb=1)) != encode(Features(tlb=2)) != encode(Features())


def test_concrete_entries_are_shared_as_well() -> None:
    """A walk of one CPU fills the TLB of both."""

    def fills(features: Features) -> set[int]:
        one = (("ldr", X), ("str", PX, leaf(NEW)), *SYNC, ("str", FLAG, 1))
        two = (("wait", FLAG, is_one), ("ldr", X))
        hardware = EAGER._replace(common_tlb=True)
        system = little(one, two, x=leaf(OLD), features=features, regime=COMMON, hardware=hardware)
        return {seen[1][-1] for seen in explore(system).outcomes}

    assert {OLD, NEW} == fills(SHARES)
    assert {NEW} == fills(ALONE)


def is_two(value: int) -> bool:
    return value == 2


@pytest.mark.parametrize(("features", "seen"), [(SHARES, {NEW, None}), (ALONE, {None})])
def test_table_entries_are_shared_as_well(features: Features, seen: set[int | None]) -> None:
    """The reader takes over a table that the root has lost, leaves, and walks on from it."""
    gone = (("str", ROOT, INV), *SYNC, ("str", FLAG, 1))
    then = (("wait", FLAG2, is_one), ("str", PX, leaf(NEW)), *SYNC, ("str", FLAG, 2))
    leave = (("msr", "ttbr0_el1", OWN), ("isb",), ("str", FLAG2, 1))
    reader = (*read(*BACK)[:-1], *leave, ("wait", FLAG, is_two), ("isb",), ("ldr", X))
    system = little((*gone, *then), reader, x=INV, features=features, regime=COMMON)

    assert seen == {observed[1][-1] for observed in explore(system).outcomes}
