"""CPUs that come out of reset (R26): addresses are physical, what is unknown may be anything."""

from __future__ import annotations

from typing import Any

import pytest

from simbbm import CpuSetup, Setup
from simbbm.arm64.cpu import COMING, OFF, ON
from simbbm.arm64.descriptor import leaf, table
from simbbm.arm64.features import CONCRETE, DELAYED, EAGER
from simbbm.arm64.footprints import EVENT
from simbbm.arm64.geometry import KERNEL_PAGE, SCALED4
from simbbm.arm64.machine import Arm64
from simbbm.arm64.platform.power import UNKNOWN_PAGE
from simbbm.arm64.registers import ON_MMU, Sctlr
from simbbm.check.given import require_sound
from simbbm.check.properties import no_tlb_conflict
from simbbm.core.errors import ScenarioError
from simbbm.core.values import encode
from tests.support import (
    DATA,
    FLAG,
    FLAG2,
    INV,
    NEW,
    OLD,
    OTHER,
    PTES,
    PX,
    REGIME,
    ROOT,
    SPARE,
    WORDS,
    X,
    explore,
    machine,
    skip,
    thread,
)

ON_STEP, OFF_STEP = ("msr", "sctlr_el1", Sctlr(m=True)), ("msr", "sctlr_el1", Sctlr(m=False))
FLUSH, ISB, DSB = (("tlbi", "vmalle1"), ("dsb", "nsh")), ("isb",), ("dsb", "ish")
READ = ("ldr", X)
"""By the tables a word of page OLD, which is OLD; physically a word of page 0, which is 5."""
PHYSICAL = 5
CONFLICT = None
"""Two entries match: the access may be aborted, and is skipped."""
UNKNOWN = 0
"""What is at the unknown page."""
KNOWN: Any = {"hardware": DELAYED.without("unknown at reset")}
MAPPED = leaf(OLD)


def booted(*threads: Any, power: str = COMING, **more: Any) -> Arm64:
    """The little machine, whose last CPU comes out of reset."""
    tables = {
        ROOT: (table(PTES), leaf(4), INV, INV),
        PTES: (MAPPED, INV, INV, INV),
        SPARE: (INV,) * 4,
        OTHER: (INV,) * 4,
    }
    programs = [(thread, *steps) for steps in threads]
    powers = (*(ON,) * (len(threads) - 1), power)
    more.setdefault("handler", skip)
    return machine(*programs, tables=tables, data=DATA | {0: PHYSICAL}, power=powers, **more)


def last(*steps: Any, **more: Any) -> set[Any]:
    """What the last step of the one CPU observes."""
    return {value[0][-1] for value in explore(booted(steps, **more)).outcomes}


def test_while_the_mmu_is_off_addresses_are_physical() -> None:
    assert {PHYSICAL} == last(READ)
    assert {None} == last(("ldr", KERNEL_PAGE * WORDS))


def test_the_mmu_is_on_after_a_synchronisation_or_before() -> None:
    assert {OLD} == last(*FLUSH, ISB, ON_STEP, ISB, READ)
    assert {PHYSICAL, OLD} == last(*FLUSH, ISB, ON_STEP, READ)
    assert {PHYSICAL} == last(*FLUSH, ISB, ON_STEP, ISB, OFF_STEP, ISB, READ)
    assert {True} == {v.m for v in last(ON_STEP, ("mrs", "sctlr_el1"))}


@pytest.mark.parametrize(
    ("flush", "seen"),
    [
        ((), {OLD, UNKNOWN, CONFLICT}),
        ((*FLUSH,), {OLD}),
        ((("tlbi", "vmalle1is"), DSB), {OLD}),
        ((("tlbi", "vaae1", 0), DSB), {OLD}),
        ((("tlbi", "vaae1", 1), DSB), {OLD, UNKNOWN, CONFLICT}),
        ((("tlbi", "aside1", None, 1), DSB), {OLD, UNKNOWN, CONFLICT}),
        ((("tlbi", "vmalle1"),), {OLD, UNKNOWN, CONFLICT}),
    ],
    ids=str,
)
def test_what_the_tlb_holds_is_unknown_until_a_tlbi_has_completed(flush: Any, seen: Any) -> None:
    """An unknown entry leads to memory where nothing is."""
    assert seen == last(*flush, ON_STEP, ISB, READ)


def test_hardware_that_resets_its_tlb_shows_none_of_that() -> None:
    assert {OLD} == last(ON_STEP, ISB, READ, hardware=DELAYED.without("unknown at reset"))
    assert {OLD} == last(ON_STEP, ISB, READ, hardware=EAGER)
    assert {OLD, UNKNOWN} == last(ON_STEP, ISB, READ, hardware=CONCRETE)


def test_two_entries_disagree_before_one_is_used() -> None:
    assert no_tlb_conflict.check
    judged: Any = {"always": (no_tlb_conflict.check,)}
    assert {"no_tlb_conflict"} == explore(booted((ON_STEP,), **judged)).problems
    assert not explore(booted((*FLUSH, ON_STEP), **judged)).problems
    assert not explore(booted((("nop",),), **judged)).problems


def test_a_store_is_not_in_the_table_that_a_walk_reads() -> None:
    """By a physical address, or a virtual one: walks read memory (R4)."""
    stored = ("str", PX, leaf(NEW))
    assert {OLD, NEW, CONFLICT} == last(stored, ON_STEP, ISB, READ, **KNOWN)
    assert {NEW} == last(stored, ("dsb", "ishst"), ON_STEP, ISB, READ, **KNOWN)
    assert {NEW} == last(*FLUSH, stored, ("dsb", "ishst"), ON_STEP, ISB, READ)


@pytest.mark.parametrize(
    ("steps", "stuck"),
    [((("sevl",), ("wfe",)), False), ((("wfe",),), True), ((("ldr", FLAG), ("wfe",)), True)],
    ids=str,
)
def test_the_event_register_is_unknown(steps: Any, stuck: bool) -> None:
    found = explore(booted((("sev",),), steps))
    assert found.ended
    assert bool(found.stuck) is stuck


def test_before_it_is_up_a_cpu_is_no_part_of_the_system() -> None:
    """It takes no step, and an SEV is lost, so that a register which is known is clear."""
    system = booted((("sev",),), (("wfe",),), **KNOWN)
    assert explore(system).stuck
    first = system.initial()
    [sev, reset] = system.moves(first)
    assert ("cpu1.reset", "cpu1.reset", False) == (reset.agent, reset.label, reset.optional)
    assert EVENT in sev.footprint.writes & reset.footprint.reads


def test_it_is_masked_at_reset() -> None:
    [up] = booted((("nop",),)).initial().cpus
    assert up.masked
    assert up.all_masked


def test_psci_calls_a_cpu_once() -> None:
    found = explore(booted((("cpu_on", 1), ("cpu_on", 1)), (("nop",),), power=OFF))
    assert found.ended
    assert not found.stuck
    assert explore(booted((("nop",),), (("nop",),), power=OFF)).stuck


@pytest.mark.parametrize(("between", "seen"), [((), {0, 1}), ((("dsb", "ishst"),), {1})])
def test_stores_come_before_cpu_on_by_a_dsb_alone(between: Any, seen: set[int]) -> None:
    system = booted((("str", FLAG, 1), *between, ("cpu_on", 1)), (("ldr", FLAG),), power=OFF)
    assert seen == {value[1][0] for value in explore(system).outcomes}


def test_a_wrong_word_is_refused() -> None:
    setup = Setup(
        geometry=SCALED4, cpus=(CpuSetup(thread, REGIME, power="on off"),), tables={}, properties=()
    )
    with pytest.raises(ScenarioError, match=r"cpu0's power: 'on off' is no power.*on, reset, off"):
        require_sound("it", setup, CpuSetup)


def test_what_was_recorded_before_has_the_same_digest() -> None:
    assert encode(REGIME) == encode(REGIME._replace(sctlr=(ON_MMU,)))
    assert encode(REGIME) != encode(REGIME._replace(sctlr=(Sctlr(m=False),)))
    assert UNKNOWN_PAGE * WORDS + FLAG2 not in DATA
