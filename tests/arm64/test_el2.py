"""VMIDs, EL2, and what a guest's accesses get through both stages. Rules R31 and R32."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from simbbm_scenarios import hypervisor, world_switch

from simbbm.arm64.descriptor import INVALID_DESCRIPTOR as INV
from simbbm.arm64.descriptor import RO, Descriptor, leaf, table
from simbbm.arm64.features import DELAYED, Features, Hardware
from simbbm.arm64.footprints import Kind, tables_in_view
from simbbm.arm64.geometry import SCALED
from simbbm.arm64.machine import Arm64
from simbbm.arm64.ops import HVC, Aborted, Cpu
from simbbm.arm64.registers import OFF_MMU, Regime, Tcr, Ttbr, Vttbr
from simbbm.arm64.translation.guests import GuestMmus
from simbbm.arm64.translation.memory import MemoryPool, Tables
from simbbm.arm64.translation.mmu import Mmu
from simbbm.arm64.translation.stage2 import TwoStageView
from simbbm.arm64.translation.tlb import Tlbi
from simbbm.arm64.translation.translate import READ, WRITE, translations
from simbbm.arm64.translation.walks import PERMISSION, TRANSLATION, Fault
from simbbm.core.errors import ScenarioError
from simbbm.model import Model
from simbbm.scenario import CpuSetup, Scenario, Setup, scenario
from tests.scenarios.everything import on_hardware, walk_rows

W = SCALED.page_words
ONE, ONE_PTES, TWO, TWO_PTES, OTHER_TWO = (6 * W + 2 * n for n in range(5))
"""Tables: root and pages of stage 1; the same of stage 2; the root of another VM."""
VTTBR = Vttbr(TWO, vmid=1, bits=2)
REGIME = Regime((Ttbr(ONE, asid=1),), (Ttbr(0),), (Tcr(2, 0, a1=False, epd1=True),), (VTTBR,))
MAPPED: dict[int, tuple[Descriptor, ...]] = {
    ONE: (table(ONE_PTES), leaf(2)),
    ONE_PTES: (leaf(0), leaf(1, not_global=True)),
    TWO: (table(TWO_PTES), leaf(4)),
    TWO_PTES: (leaf(8), leaf(9)),
    OTHER_TWO: (leaf(12), leaf(14)),
}


def interned(tables: Mapping[int, tuple[Descriptor, ...]]) -> Tables:
    return MemoryPool(SCALED.entries).tables(dict(tables))


def view_of(mmus: GuestMmus, mmu: Mmu, tables: Tables) -> TwoStageView:
    view = mmus.view(mmu, tables)
    assert isinstance(view, TwoStageView)
    return view


# VMIDs and EL2


def test_at_el2_nothing_walks_and_what_was_held_waits() -> None:
    mmus = GuestMmus(SCALED, DELAYED)
    tables = interned(MAPPED)
    guest = mmus.start(REGIME, tables)
    host = mmus.at_level(guest, tables, 2)

    assert not mmus.view(host, tables).leaves
    assert not mmus.view(host, tables).table_addresses()
    assert mmus.observed(host, tables, interned(MAPPED | {TWO: (INV, INV)}), TWO) is host
    assert mmus.at_level(host, tables, 1) is guest
    other = mmus.written(host, tables, "vttbr", Vttbr(OTHER_TWO, vmid=2, bits=2))
    second = view_of(mmus, mmus.at_level(other, tables, 1), tables)
    assert {e.page for e in second.matching(0)} == {12}
    same = mmus.written(host, tables, "vttbr", Vttbr(OTHER_TWO, vmid=1, bits=2))
    mixed = view_of(mmus, mmus.at_level(same, tables, 1), tables)
    assert {e.page for e in mixed.matching(0)} == {8, 12}
    assert mixed.output_conflict()


def test_combined_entries_are_tagged_by_the_asid_of_stage_1() -> None:
    mmus = GuestMmus(SCALED, DELAYED)
    tables = interned(MAPPED)
    leaves = mmus.view(mmus.start(REGIME, tables), tables).leaves

    assert {(e.asid, e.vmid) for e in leaves} == {(-1, 1), (1, 1)}


ABLATED = {
    # what is switched off: who notices, and how it ends then
    "vmid": (world_switch.by_vmid_no_isb, {"HOLDS"}),
    "out-of-context": (world_switch.vcpus, {"VIOLATED:no_tlb_conflict"}),
}


@pytest.mark.parametrize("rule", ABLATED)
def test_a_rule_that_is_missing_is_noticed(rule: str) -> None:
    noticed, ends = ABLATED[rule]
    without = on_hardware(noticed, lambda h: h._replace(ablations=(rule,)))

    assert set(walk_rows(Model(without).system).ends) == ends


@pytest.mark.parametrize("needs", [hypervisor.copied_no_vmalle1, hypervisor.no_vmalle1])
def test_hardware_without_combined_entries_needs_no_tlbi_of_stage_1(needs: Scenario) -> None:
    without = on_hardware(needs, lambda h: h.without("combined entry"))

    assert set(walk_rows(Model(without).system).ends) == {"HOLDS"}


def test_it_needs_the_tlbi_by_ipa_anyway() -> None:
    without = on_hardware(hypervisor.no_ipas2, lambda h: h.without("combined entry"))

    assert "VIOLATED:no_panic" in walk_rows(Model(without).system).ends


# What an access gets


def running(
    tables: Mapping[int, tuple[Descriptor, ...]], hardware: Hardware = DELAYED
) -> tuple[Arm64, Any]:
    one = guest_scenario(idle, tables=tables, hardware=hardware)
    system = Model(one).system
    return system, system.initial()


async def idle(cpu: Cpu) -> None:
    await cpu.nop()


async def give_back(cpu: Cpu, aborted: Aborted) -> None:
    """The hypervisor: what it was asked, or where a fault was."""
    await cpu.eret(retry=False, result=aborted.page if aborted.access == HVC else aborted.ipa)


def guest_scenario(
    program: Any,
    tables: Mapping[int, tuple[Descriptor, ...]] = MAPPED,
    *,
    hardware: Hardware = DELAYED,
    regime: Regime = REGIME,
    el: int = 1,
    hypervisor: Any = give_back,
    **more: Any,
) -> Scenario:
    def build() -> Setup:
        cpu = CpuSetup(program, regime, el=el, **more)
        return Setup(
            geometry=SCALED,
            hardware=hardware,
            cpus=(cpu,),
            tables=tables,
            properties=(),
            hypervisor=hypervisor,
        )

    build.__doc__ = "A guest."
    return scenario()(build)


def results(tables: Mapping[int, tuple[Descriptor, ...]], page: int, access: str) -> set[Any]:
    system, state = running(tables)
    found = translations(system.shared, state.cpus[0], state.memory, page, access)
    return {t.fault or t.page for t in found}


def test_faults_of_either_stage() -> None:
    assert results(MAPPED, 0, READ) == {8}
    unmapped = MAPPED | {TWO_PTES: (INV, leaf(9))}
    assert results(unmapped, 0, READ) == {Fault(TRANSLATION, 3, 0)}
    assert results(MAPPED | {ONE_PTES: (INV, INV)}, 0, READ) == {Fault(TRANSLATION, 3)}
    read_only = MAPPED | {TWO_PTES: (leaf(8, RO), leaf(9))}
    assert results(read_only, 0, READ) == {8}
    assert results(read_only, 0, WRITE) == {Fault(PERMISSION, 3, 0)}
    both = read_only | {ONE_PTES: (leaf(0, RO), leaf(1))}
    assert results(both, 0, WRITE) == {Fault(PERMISSION, 3)}, "stage 1 comes first"
    outside = MAPPED | {ONE: (table(ONE_PTES), leaf(16))}
    assert results(outside, 2, READ) == {Fault(TRANSLATION, 0, 16)}


async def asks(cpu: Cpu) -> None:
    """An HVC gets an answer, and so does an access that stage 2 does not let through."""
    if await cpu.hvc(7) != 7 or await cpu.ldr(0) != 0 or await cpu.ldr(3 * W) != 3:
        await cpu.panic("another answer")


def test_hvc_and_faults_of_stage_2_go_to_el2() -> None:
    tables = MAPPED | {TWO: (leaf(0), INV)}

    assert set(walk_rows(Model(guest_scenario(asks, tables)).system).ends) == {"HOLDS"}


async def spurious(cpu: Cpu) -> None:
    """The guest's own fault was early, though the page is mapped by now."""
    await cpu.ldr(2 * W)
    await cpu.ldr(0)


def test_a_fault_of_stage_2_may_be_early() -> None:
    """R5 through both stages: back to the last context synchronisation, and not behind it."""
    system, state = running(MAPPED | {TWO_PTES: (INV, leaf(9))})
    pool, mmus, pe = system.shared.memories, system.shared.mmus, state.cpus[0]
    now = pool.write(state.memory, TWO_PTES, (leaf(8),))
    mmu = mmus.observed(pe.mmu, state.memory.tables, now.tables, TWO_PTES)

    def got(mmu: Mmu) -> set[Any]:
        cpu = system.shared.cpus.change(pe, mmu=mmu)
        return {t.fault or t.page for t in translations(system.shared, cpu, now, 0, READ)}

    assert got(mmu) == {8, Fault(TRANSLATION, 3, 0)}
    assert got(mmus.synchronised(mmu, now.tables)) == {8}
    assert got(mmus.without_early(mmu)) == {8}
    assert got(mmus.without_early_faults(mmu)) == {8}


def test_footprints_have_the_tables_of_both_stages() -> None:
    system, state = running(MAPPED)
    found = set(tables_in_view(system.shared, state.cpus[0], state.memory))

    assert found == {(Kind.TABLE, address) for address in (ONE, ONE_PTES, TWO, TWO_PTES)}


def test_equal_values_are_one_and_others_are_not() -> None:
    mmus = GuestMmus(SCALED, DELAYED)
    tables = interned(MAPPED)
    guest = mmus.start(REGIME, tables)
    host = mmus.at_level(guest, tables, 2)

    assert mmus.start(REGIME, tables) is guest
    assert guest.content() != host.content()
    assert not host.holds_nothing
    assert mmus.start(REGIME, tables, 2).holds_nothing
    gone = mmus.invalidated(host, tables, Tlbi("alle1", True, vmid=3))
    assert gone is mmus.start(REGIME, tables, 2)


# What cannot be


async def invalidates(cpu: Cpu) -> None:
    await cpu.tlbi("ipas2e1is", 0)


async def switches(cpu: Cpu) -> None:
    await cpu.msr("vttbr_el2", VTTBR)


async def returns(cpu: Cpu) -> None:
    await cpu.eret_to_el1()


async def calls(cpu: Cpu) -> None:
    await cpu.hvc()


@pytest.mark.parametrize(
    ("program", "more", "told"),
    [
        (invalidates, {}, "tlbi ipas2e1is at EL1"),
        (switches, {}, "msr vttbr_el2 at EL1"),
        (returns, {}, "eret to EL1 at EL1"),
        (calls, {"hypervisor": None}, "hvc at EL1"),
        (idle, {"regime": REGIME._replace(vttbr=()), "el": 2}, "starts at EL2"),
        (idle, {"regime": REGIME._replace(vttbr=(VTTBR._replace(vmid=0),))}, "VMID is less"),
        (idle, {"features": Features(tlb=1)}, "shares a TLB"),
        (idle, {"regime": REGIME._replace(sctlr=(OFF_MMU,))}, "has its MMU off"),
        (idle, {"features": Features(hardware_af=True)}, "updates descriptors"),
    ],
)
def test_what_is_refused(program: Any, more: dict[str, Any], told: str) -> None:
    with pytest.raises(ScenarioError, match=told):
        walk_rows(Model(guest_scenario(program, **more)).system)


async def boots(cpu: Cpu) -> None:
    """A hypervisor writes its guest's VTTBR, and enters it."""
    await cpu.msr("vttbr_el2", Vttbr(OTHER_TWO, vmid=2, bits=2))
    await cpu.eret_to_el1()
    if await cpu.ldr(0) != 0 or await cpu.hvc(1) != 1:
        await cpu.panic("another page")


def test_a_hypervisor_enters_a_guest() -> None:
    found = walk_rows(Model(guest_scenario(boots, el=2)).system)

    assert set(found.ends) == {"HOLDS"}
