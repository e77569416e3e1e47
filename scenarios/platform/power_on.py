"""CPUs that come out of reset: MMU off, and what is in TLB and event register is unknown.

A kernel writes its first tables, invalidates what its TLB may hold, and sets SCTLR_EL1.M. Walks
read memory, so the tables have to be there (DSB); what reset has left in the TLB has to be gone
(TLBI and DSB); and the write of SCTLR takes effect by an ISB, if not before. Other CPUs are let go
by a flag and SEV, or called by PSCI. What they find is what was stored before a DSB.
"""

from __future__ import annotations

from typing import Literal

from simbbm import (
    INVALID_DESCRIPTOR,
    SCALED,
    Aborted,
    Cpu,
    CpuSetup,
    Regime,
    Sctlr,
    Setup,
    Tcr,
    Ttbr,
    hardware_for,
    leaf,
    no_size_change_seen,
    no_stale_translation,
    no_tlb_conflict,
    repeat_until,
    routine,
    scenario,
    table,
    terminates,
)

WORDS = SCALED.page_words

# Physical memory: page 0 is the kernel's data, page 1 has the words, page 2 the tables. The idmap
# has them where they are; page 3 is page 0, so that one sees whether the MMU is on.
ROOT, PMD, PTE, FIXED = (2 * WORDS + 2 * n for n in range(4))
DATA_VA, DATA = 3 * WORDS, 7
RELEASE, SECONDARY_DATA = WORDS, WORDS + 1
GO = 1


def setup(*cpus: CpuSetup, hardware: str) -> Setup:
    """The machine; of the tables only the root is there."""
    return Setup(
        geometry=SCALED,
        cpus=cpus,
        tables={
            ROOT: (table(PMD), INVALID_DESCRIPTOR),
            PMD: (table(PTE), INVALID_DESCRIPTOR),
            PTE: (leaf(0), leaf(1)),
            FIXED: (leaf(2), leaf(0)),
        },
        properties=(no_tlb_conflict, no_size_change_seen, no_stale_translation, terminates),
        data={0: DATA},
        hardware=hardware_for(hardware),
        handler=panic,
        symbols={
            DATA_VA: "data",
            RELEASE: "secondary_release",
            SECONDARY_DATA: "secondary_data",
            PMD: "pmd",
            FIXED: "pte@2",
        },
    )


REGIME = Regime((Ttbr(ROOT),), (Ttbr(0),), (Tcr(3, 0, a1=False, epd1=True),))


async def panic(cpu: Cpu, aborted: Aborted) -> None:
    """There are no vectors yet that could do more."""
    await cpu.panic(f"{aborted.kind} fault")


# One CPU, from reset to its first access through the map.


@routine
async def cpu_setup(cpu: Cpu) -> None:
    """proc.S:__cpu_setup: nothing that reset has left in the TLB."""
    await cpu.tlbi("vmalle1")
    await cpu.dsb("nsh")


@routine
async def create_idmap(cpu: Cpu) -> None:
    """head.S: the rest of the tables, while the MMU is off."""
    await cpu.str(PMD + 1, table(FIXED))
    await cpu.dsb("ishst")


@routine
async def enable_mmu(cpu: Cpu) -> None:
    """head.S:__enable_mmu: set SCTLR_EL1.M; from the ISB on addresses are virtual."""
    await cpu.msr("ttbr0_el1", Ttbr(ROOT))
    await cpu.isb()
    await cpu.msr("sctlr_el1", Sctlr(m=True))
    await cpu.isb()


async def primary_entry(cpu: Cpu) -> None:
    """The boot CPU."""
    await cpu_setup(cpu)
    await create_idmap(cpu)
    await enable_mmu(cpu)
    if await cpu.ldr(DATA_VA) != DATA:
        await cpu.panic("the MMU is not on")


@scenario(evidence="proved")
def boot(*, hardware: Literal["delayed", "eager"] = "delayed") -> Setup:
    """Tables, TLBI, DSB, then SCTLR.M and ISB: what is accessed next is what the tables say."""
    return setup(CpuSetup(primary_entry, REGIME, power="reset"), hardware=hardware)


no_dsb_before_mmu = boot.twin(
    "An ISB alone between the tables and SCTLR.M: walks find what was there before (NuttX 11946).",
    expect="VIOLATED:no_panic",
    drop=["create_idmap.dsb.ishst"],
)

no_tlbi_at_reset = boot.twin(
    "No TLBI: what reset has left in the TLB is used, beside what the tables say.",
    expect="VIOLATED:no_tlb_conflict",
    drop=["cpu_setup.tlbi.vmalle1"],
)

tlbi_not_completed = boot.twin(
    "No DSB for the TLBI: the MMU is on before it has acted.",
    expect="VIOLATED:no_tlb_conflict",
    drop=["cpu_setup.dsb.nsh"],
)

no_isb_after_mmu = boot.twin(
    "No ISB behind SCTLR.M: the next access may still go to a physical address.",
    expect="VIOLATED:no_stale_translation",
    drop=["enable_mmu.isb#2"],
)


# Others wait for a flag in a holding pen, as with the boot protocol "spin-table".


@routine
async def secondary_holding_pen(cpu: Cpu) -> bool:
    """head.S:secondary_holding_pen: look, and sleep if it is not time."""
    if await cpu.ldr(RELEASE) == GO:
        return True
    await cpu.wfe()
    return False


@routine
async def sleep_first(cpu: Cpu) -> bool:
    """Sleep, and look then."""
    await cpu.wfe()
    return bool(await cpu.ldr(RELEASE) == GO)


@routine
async def smp_spin_table_cpu_boot(cpu: Cpu) -> None:
    """smp_spin_table.c: set the flag, and wake whoever sleeps."""
    await cpu.str(RELEASE, GO)
    await cpu.dsb("sy")
    await cpu.sev()


async def releasing(cpu: Cpu) -> None:
    """The boot CPU."""
    await smp_spin_table_cpu_boot(cpu)


async def secondary(cpu: Cpu) -> None:
    """One of the others, which comes out of reset at any time."""
    await repeat_until(secondary_holding_pen, cpu)


@scenario(evidence="proved")
def holding_pen(*, hardware: Literal["delayed", "eager"] = "delayed") -> Setup:
    """The flag is looked at first, whatever the event register holds; SEV comes behind a DSB."""
    others = CpuSetup(secondary, REGIME, power="reset")
    return setup(CpuSetup(releasing, REGIME), others, hardware=hardware)


wfe_before_flag = holding_pen.twin(
    "WFE first: a CPU that comes up after SEV, with its event register clear, sleeps for ever (bao "
    "395).",
    expect="STUCK:terminates",
    replace={secondary_holding_pen: sleep_first},
)

no_dsb_before_sev = holding_pen.twin(
    "No DSB before SEV: the sleeper wakes, sees no flag, and sleeps again.",
    expect="STUCK:terminates",
    drop=["smp_spin_table_cpu_boot.dsb.sy"],
)


# Others are called by PSCI, and find what was left for them.


@routine
async def cpu_psci_cpu_boot(cpu: Cpu) -> None:
    """smp.c:__cpu_up(), psci.c: leave the task for the other, and call it."""
    await cpu.str(SECONDARY_DATA, DATA)
    await cpu.dsb("ishst")
    await cpu.cpu_on(1)


async def calling(cpu: Cpu) -> None:
    """The boot CPU."""
    await cpu_psci_cpu_boot(cpu)


async def secondary_entry(cpu: Cpu) -> None:
    """head.S:secondary_entry: with the MMU off still."""
    await cpu_setup(cpu)
    if await cpu.ldr(SECONDARY_DATA) != DATA:
        await cpu.panic("no task")


@scenario(evidence="proved")
def psci(*, hardware: Literal["delayed", "eager"] = "delayed") -> Setup:
    """What is left for a CPU that is called by PSCI is stored before a DSB, before the call."""
    others = CpuSetup(secondary_entry, REGIME, power="off")
    return setup(CpuSetup(calling, REGIME), others, hardware=hardware)


no_dsb_before_cpu_on = psci.twin(
    "No DSB: the other CPU is up before its data.",
    expect="VIOLATED:no_panic",
    drop=["cpu_psci_cpu_boot.dsb.ishst"],
)

never_called = psci.twin(
    "A CPU that nobody calls never comes up.",
    expect="STUCK:terminates",
    drop=["cpu_psci_cpu_boot.cpu_on"],
)
