"""Interrupts that CPUs send each other (R25): what orders them, what masks them, what waits."""

from __future__ import annotations

from typing import Any

import pytest

from simbbm.arm64.features import DELAYED
from simbbm.arm64.footprints import EVERY_SGI
from simbbm.arm64.ops import SGI, Aborted, Cpu
from simbbm.arm64.registers import Sgi
from simbbm.core.values import encode
from simbbm.explore.search.reductions.reduced_system import ReducedSystem
from simbbm.explore.search.reductions.symmetry import NotAlikeError
from tests.support import FLAG, FLAG2, Explored, explore, little, searched_next

STORE, SEND = ("str", FLAG, 1), ("msr", "icc_sgi1r_el1", Sgi(1))
MASK, UNMASK = ("daifset",), ("daifclr",)


def is_set(value: int) -> bool:
    return value != 0


WAIT = ("wait", FLAG, is_set)


async def copies(cpu: Cpu, aborted: Aborted) -> None:
    """Tell in FLAG2 what FLAG was: 1 if it was 0, 2 if it was 1."""
    assert aborted.kind == SGI
    seen: int | None = await cpu.ldr(FLAG)
    await cpu.str(FLAG2, 1 + (seen or 0))
    await cpu.eret()


async def counts(cpu: Cpu, aborted: Aborted) -> None:
    """Count the interrupts by their INTIDs: 1 for each of number 1, 10 for the others."""
    await cpu.ldaddal(FLAG2, 1 if aborted.intid == 1 else 10)
    await cpu.eret()


def told(found: Explored) -> set[Any]:
    """What FLAG2 may be in the end."""
    return {state.memory.data.get(FLAG2, 0) for state in found.ended}


def handled(*threads: tuple[Any, ...], handler: Any = copies, **more: Any) -> Explored:
    return explore(little(*threads, handler=handler, **more))


@pytest.mark.parametrize(
    ("between", "seen"),
    [
        ((), {1, 2}),
        ((("dmb", "ish"),), {1, 2}),
        ((("dmb", "ishst"),), {1, 2}),
        ((("isb",),), {1, 2}),
        ((("dsb", "ishld"),), {1, 2}),
        ((("dsb", "ishst"),), {2}),
        ((("dsb", "ish"),), {2}),
    ],
    ids=str,
)
@pytest.mark.parametrize("window", [1, 3])
def test_stores_come_before_an_sgi_by_a_dsb_alone(
    between: Any, seen: set[int], window: int
) -> None:
    hardware = DELAYED._replace(window=window)
    assert seen == told(handled((STORE, *between, SEND), (), hardware=hardware))


def test_the_rule_has_teeth() -> None:
    """Were an SGI ordered behind stores, nobody would need a DSB."""
    hardware = DELAYED._replace(ablations=("signal-waits-for-stores",))
    assert {2} == told(handled((STORE, SEND), (), hardware=hardware))


def test_a_dsb_behind_an_sgi_is_too_late() -> None:
    assert {1, 2} == told(handled((STORE, SEND, ("dsb", "ish")), ()))


def test_an_idle_cpu_is_interrupted_and_a_run_ends_only_then() -> None:
    assert {1} == told(handled((SEND,), ()))


def test_a_masked_one_is_taken_once_it_is_unmasked() -> None:
    """Who has masked before it was sent has not, if it does not unmask."""
    go = "stlr", FLAG, 1
    for mask in ("i", "daif"):
        masks = (("daifset", mask), go)
        assert {0} == told(handled((WAIT, SEND), masks))
        assert {2} == told(handled((WAIT, SEND), (*masks, ("daifclr", mask))))


def test_whoever_sends_to_all_others_does_not_interrupt_itself() -> None:
    assert {1} == told(handled((SEND,), (), handler=counts))
    assert {1} == told(handled((("msr", "icc_sgi1r_el1", Sgi(1, 0)),), (), handler=counts))
    assert {2} == told(handled((SEND,), (), (), handler=counts))


def test_of_one_intid_one_is_pending_and_of_two_both_are() -> None:
    own, other = ("msr", "icc_sgi1r_el1", Sgi(1, 0)), ("msr", "icc_sgi1r_el1", Sgi(2, 0))
    assert {1} == told(handled((MASK, own, own, UNMASK), handler=counts))
    assert {1, 2} == told(handled((own, own), handler=counts))
    assert {11} == told(handled((MASK, own, other, UNMASK), handler=counts))


def test_wfi_ends_for_a_pending_interrupt_also_for_a_masked_one() -> None:
    """Not for one that was handled before it."""
    own = "msr", "icc_sgi1r_el1", Sgi(1, 0)
    assert not handled((MASK, own, ("wfi",))).stuck
    assert handled((MASK, ("wfi",))).stuck
    handled_before = handled((own, ("wfi",)))
    assert handled_before.stuck
    assert handled_before.ended


def test_one_cpu_that_is_named_is_no_other() -> None:
    named = little((("msr", "icc_sgi1r_el1", Sgi(1, 2)),), (), (), uniform=True)
    space = ReducedSystem(named)
    assert ((1, 2),) == space.symmetry.classes
    with pytest.raises(NotAlikeError, match="cpu2 alone"):
        searched_next(space, space.initial())

    space = ReducedSystem(little((SEND,), (), (), uniform=True))
    assert searched_next(space, space.initial())


def test_an_sgi_is_of_concern_to_all() -> None:
    system = little((SEND,), (("ldr", FLAG),), handler=counts)
    sends, other = system.moves(system.initial())
    assert EVERY_SGI in sends.footprint.writes
    assert EVERY_SGI not in other.footprint.writes | other.footprint.reads
    state = system.apply(system.initial(), sends)
    [taken] = [move for move in system.moves(state) if move.kind == SGI]
    assert ("cpu1.sgi", "cpu1.sgi[1]", False) == (taken.agent, taken.label, taken.optional)
    assert EVERY_SGI in taken.footprint.writes


def test_nobody_handles_it() -> None:
    assert {"no_fault_on_live_map"} == handled((SEND,), (), handler=None).problems


def test_what_was_recorded_before_has_the_same_digest() -> None:
    """Only of an SGI its number is part of it."""
    irq, sgi = Aborted("irq", 0, 0, "interrupt"), Aborted(SGI, 0, 0, "interrupt", 1)
    assert encode(irq) == encode(irq._replace(intid=1))
    assert encode(sgi) != encode(sgi._replace(intid=2))
