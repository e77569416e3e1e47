"""Rules of context: system registers, ASIDs, exceptions, and instruction fetch.

One small program each, on every schedule. None is a fault.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from simbbm.arm64.descriptor import ROX, RW, Attributes, Descriptor, leaf, table
from simbbm.arm64.features import Features
from simbbm.arm64.machine import Arm64
from simbbm.arm64.ops import Aborted, Cpu
from simbbm.arm64.registers import Regime, Tcr, Ttbr
from simbbm.arm64.state import Machine
from tests.support import (
    FLAG,
    FLAG2,
    INV,
    NEW,
    OLD,
    OTHER,
    PTES,
    PX,
    ROOT,
    SPARE,
    THIRD,
    Explored,
    X,
    explore,
    little,
    machine,
    outcomes,
    retry,
    skip,
    thread,
)

DSB, ISB = ("dsb", "ish"), ("isb",)
READ = ("ldr", X)
MAKE = ("str", PX, leaf(NEW))
TO_OTHER = ("msr", "ttbr0_el1", Ttbr(OTHER, asid=1))
TO_ASID_2 = ("msr", "ttbr0_el1", Ttbr(OTHER, asid=2))
OTHER_MAP: dict[str, Any] = {
    "spare": (leaf(NEW), INV, INV, INV),
    "other": (table(SPARE), leaf(4), INV, INV),
    "features": Features(conflict="either"),
}
"""Page 0 is page 9 under the root OTHER, and two entries for it are no more than that."""
PRIVATE = leaf(OLD, not_global=True)
GLOBAL = leaf(OLD)


def alone(*steps: tuple[Any, ...], **more: Any) -> set[Any]:
    """What one CPU's last load may observe."""
    return {seen[-1] for (seen,) in outcomes(steps, **more)}


# R15, R16: TTBR, ASID, TCR.


@pytest.mark.parametrize(
    ("steps", "old", "expected"),
    [
        ((TO_OTHER,), PRIVATE, {OLD, NEW}),
        ((TO_OTHER, DSB), PRIVATE, {OLD, NEW}),
        ((TO_OTHER, ISB), PRIVATE, {OLD, NEW}),
        ((TO_OTHER, ISB, ("tlbi", "vmalle1"), DSB, ISB), PRIVATE, {NEW}),
        ((TO_OTHER, ("tlbi", "vmalle1"), DSB, ISB), PRIVATE, {OLD, NEW}),
        ((TO_ASID_2,), PRIVATE, {OLD, NEW}),
        ((TO_ASID_2, DSB), PRIVATE, {OLD, NEW}),
        ((TO_ASID_2, ISB), PRIVATE, {NEW}),
        ((TO_ASID_2, ISB), GLOBAL, {OLD, NEW}),
        ((TO_ASID_2, ISB, ("tlbi", "aside1", None, 1), DSB, ISB), GLOBAL, {OLD, NEW}),
        ((TO_ASID_2, ISB, ("tlbi", "vaae1", 0), DSB, ISB), GLOBAL, {NEW}),
        pytest.param(
            (TO_ASID_2, ISB, ("tlbi", "vae1", 0, 2), DSB, ISB),
            GLOBAL,
            {NEW},
            marks=pytest.mark.xfail(reason="the table of ASID 1 still counts: more behaviours"),
        ),
        ((TO_ASID_2, ISB, ("tlbi", "vmalle1"), DSB, ISB), GLOBAL, {NEW}),
        ((TO_ASID_2, ISB, ("tlbi", "vmalle1"), ISB), GLOBAL, {OLD, NEW}),
    ],
)
def test_new_root_is_in_use_after_synchronisation_and_entries_stay_until_a_tlbi(
    steps: tuple[Any, ...], old: Descriptor, expected: set[int]
) -> None:
    """R15, R16. A TLBI before the ISB lets the old root in again."""
    assert expected == alone(*steps, READ, x=old, **OTHER_MAP)


def test_mrs_reads_what_was_written_last() -> None:
    steps = (TO_OTHER, ("mrs", "ttbr0_el1"), ISB, ("mrs", "ttbr0_el1"))

    assert {((Ttbr(OTHER, 1), Ttbr(OTHER, 1)),)} == outcomes(steps, **OTHER_MAP)


def test_asid_comes_from_the_register_that_tcr_names() -> None:
    """R16: with TCR.A1 the ASID is TTBR1's, and writing TTBR0 does not change it."""
    regime = Regime((Ttbr(ROOT, 1),), (Ttbr(OTHER, 7),), (Tcr(4, 0, a1=True, epd1=True),))

    assert {OLD, NEW} == alone(TO_ASID_2, ISB, READ, x=PRIVATE, regime=regime, **OTHER_MAP)


def test_switching_off_walks_leaves_what_is_cached() -> None:
    """R15: TCR.EPD0."""
    off = ("msr", "tcr_el1", Tcr(4, 0, a1=False, epd0=True, epd1=True))

    assert {OLD, None} == alone(off, READ, x=GLOBAL)
    assert None in alone(off, ISB, READ, x=GLOBAL)
    assert {None} == alone(off, ISB, ("tlbi", "vmalle1"), DSB, ISB, READ, x=GLOBAL)


def test_new_t0sz_moves_the_level_at_which_walks_start() -> None:
    """R15: with a region of four pages the root is a table of pages."""
    small = (
        ("msr", "ttbr0_el1", Ttbr(SPARE, asid=2)),
        ("msr", "tcr_el1", Tcr(2, 0, a1=False, epd1=True)),
    )
    maps: dict[str, Any] = {
        "spare": (leaf(THIRD, not_global=True), leaf(OLD), INV, INV),
        "features": Features(conflict="either"),
    }

    assert {THIRD} == alone(*small, ISB, READ, x=PRIVATE, **maps)
    assert {OLD, THIRD, None} == alone(*small, READ, x=PRIVATE, **maps)
    forget = (ISB, ("tlbi", "vmalle1"), DSB, ISB)
    assert {None} == alone(*small, *forget, ("ldr", FLAG), x=PRIVATE, **maps)


def test_region_whose_root_and_size_change_one_after_the_other_is_seen_in_between() -> None:
    """R15: the new root read as a table of the old level; its page is a block there."""
    spare = (leaf(THIRD, not_global=True), leaf(OLD), INV, INV)
    small = (
        ("msr", "ttbr0_el1", Ttbr(SPARE, asid=2)),
        ("msr", "tcr_el1", Tcr(2, 0, a1=False, epd1=True)),
    )

    assert None in alone(*small, ISB, READ, x=PRIVATE, spare=spare)


# R14: exceptions.


@pytest.mark.parametrize(
    ("between", "expected"),
    [
        ((), {NEW, None}),
        ((("svc",),), {NEW, None}),
        ((DSB,), {NEW, None}),
        ((DSB, ("svc",)), {NEW}),
        ((("svc",), DSB), {NEW, None}),
        ((DSB, ISB), {NEW}),
        ((ISB, DSB), {NEW, None}),
    ],
)
def test_exception_is_a_context_synchronisation_but_no_dsb(
    between: tuple[Any, ...], expected: set[Any]
) -> None:
    """R14, CoWTf.inv.EL1+eret, +dsb-eret, +dsb-svc."""
    assert expected == alone(MAKE, *between, READ)


@pytest.mark.parametrize(
    ("steps", "back"), [((TO_ASID_2,), {OLD, NEW}), ((TO_ASID_2, ("svc",)), {NEW})]
)
def test_exception_puts_a_new_root_into_effect(steps: tuple[Any, ...], back: set[int]) -> None:
    """R14, R15."""
    assert back == alone(*steps, READ, x=PRIVATE, **OTHER_MAP)


async def retry_after_mapping(cpu: Cpu, aborted: Aborted) -> None:
    """Map what faulted, and try again."""
    assert Aborted("translation", 3, 0, "read") == aborted
    await cpu.str(PX, leaf(NEW))
    await cpu.dsb("ishst")
    await cpu.eret(retry=True)


async def map_page(cpu: Cpu, aborted: Aborted) -> None:
    """Map page 0, be it asked for by SVC or by a fault."""
    if aborted.kind == "svc":
        await cpu.str(PX, leaf(NEW))
        await cpu.dsb("ishst")
    await cpu.eret(retry=False)


def test_return_from_an_exception_is_a_context_synchronisation() -> None:
    """R14: what the handler mapped is mapped for the program."""
    assert {((NEW,),)} == outcomes((("svc",), READ), handler=map_page)


def test_handler_may_map_the_page_and_retry() -> None:
    assert {((NEW, NEW),)} == outcomes((READ, READ), handler=retry_after_mapping)


def test_handler_may_skip_the_instruction() -> None:
    assert {((None, 0),)} == outcomes((READ, ("ldr", FLAG)), handler=skip)


def test_retry_of_what_stays_unmapped_never_ends_well() -> None:
    found = explore(little((READ,), handler=retry))

    assert (set(), set(), set()) == (found.ended, found.stuck, found.failed)


def test_fault_without_handler_is_a_violation() -> None:
    found = explore(little((READ,), handler=None))

    assert {"no_fault_on_live_map"} == found.problems
    assert not found.ended


async def fault_again(cpu: Cpu, aborted: Aborted) -> None:
    """Meet the same fault in the handler."""
    await cpu.ldr(X)
    await cpu.eret()


def test_faults_within_the_handler_end_in_a_violation() -> None:
    found = explore(little((READ,), handler=fault_again))

    assert {"no_fault_on_live_map"} == found.problems
    assert (set(), set()) == (found.ended, found.stuck)


async def masked_and_back(cpu: Cpu, aborted: Aborted) -> None:
    """Be at EL1 with interrupts masked: might_sleep complains."""
    await cpu.might_sleep()
    await cpu.eret(retry=False)


def test_exception_masks_interrupts() -> None:
    assert {"no_sleep_in_atomic"} == explore(little((READ,), handler=masked_and_back)).problems
    assert not explore(little((READ, ("might_sleep",)))).problems


# Instruction fetch.

CODE, VECTORS, LATER_CODE = 12, 13, 14


def fetching(*steps: tuple[Any, ...], vectors: Descriptor, code: Descriptor) -> Explored:
    """A CPU that runs from page 12, with vectors on page 13, and more code on page 14."""
    system = machine(
        (thread, *steps),
        tables={
            ROOT: (table(PTES), leaf(4), INV, table(OTHER)),
            PTES: (INV,) * 4,
            SPARE: (INV,) * 4,
            OTHER: (code, vectors, leaf(LATER_CODE, ROX), INV),
        },
        pc=CODE,
        vbar=VECTORS,
    )
    return explore(system)


def test_program_runs_if_its_code_is_mapped() -> None:
    found = fetching(("ldr", FLAG), vectors=INV, code=leaf(CODE, ROX))

    assert {((0,),)} == found.outcomes
    assert not found.failed


@pytest.mark.parametrize("code", [INV, leaf(CODE, RW), leaf(CODE, ROX, access_flag=False)])
def test_code_must_be_mapped_executable(code: Descriptor) -> None:
    found = fetching(("ldr", FLAG), vectors=leaf(VECTORS, ROX), code=code)

    assert {((None,),)} == found.outcomes


@pytest.mark.parametrize("vectors", [INV, leaf(VECTORS, RW)])
def test_fault_without_vectors_is_terminal(vectors: Descriptor) -> None:
    found = fetching(READ, ("ldr", FLAG), vectors=vectors, code=leaf(CODE, ROX))

    assert {"no_fault_on_live_map"} == found.problems
    assert (set(), set()) == (found.ended, found.stuck)
    assert all("vectors cannot be fetched" in message(state) for state in found.failed)


def message(state: Machine) -> str:
    assert state.failure is not None
    return state.failure.message


def test_branch_changes_where_instructions_come_from() -> None:
    steps = (("br", LATER_CODE), ("ldr", FLAG))

    assert {((0,),)} == fetching(*steps, vectors=INV, code=leaf(CODE, ROX)).outcomes


# Permissions.

USER = Attributes(user=True, user_write=True)
USER_RO = Attributes(user=True)


@pytest.mark.parametrize(
    ("attributes", "el", "reads", "writes"),
    [
        (RW, 1, True, True),
        (Attributes(write=False), 1, True, False),
        (RW, 0, False, False),
        (USER, 0, True, True),
        (USER_RO, 0, True, False),
    ],
)
def test_permissions_depend_on_the_exception_level(
    attributes: Attributes, el: int, reads: bool, writes: bool
) -> None:
    system = little((READ, ("ldaddal", X, 1)), x=leaf(OLD, attributes))
    spec = replace(system.spec, cpus=(system.spec.cpus[0]._replace(el=el),))

    assert {((OLD if reads else None, OLD if writes else None),)} == explore(Arm64(spec)).outcomes


def test_exception_level_is_restored() -> None:
    system = little((("svc",), ("ldr", FLAG2), READ), x=leaf(OLD, USER))
    spec = replace(system.spec, cpus=(system.spec.cpus[0]._replace(el=0),))

    assert {((None, OLD),)} == explore(Arm64(spec)).outcomes
