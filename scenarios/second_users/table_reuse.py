"""A page of tables becomes another process's table: what FEAT_nTLBPA is about.

When a process exits, the kernel gives its page tables back, and must flush what walks have cached
of them (tlb.h:tlb_flush, which spares the flush of a dying address space only if no table goes with
it). Is that needed, where the ASID is not used again before all is flushed anyway? A TLB has its
entries by ASID: nobody looks at those of a dead one. But a CPU without FEAT_nTLBPA may keep
descriptors by their physical address, and whose table is there does not matter to it.

One CPU: process A runs, the kernel switches to process B, frees the table of A, and links the same
page, cleared, as a table of B. B has nothing mapped there and has to fault.
"""

from __future__ import annotations

from typing import Literal

from simbbm import (
    GEOMETRIES,
    INVALID_DESCRIPTOR,
    KERNEL_PAGE,
    Aborted,
    Cpu,
    CpuSetup,
    Features,
    Regime,
    Setup,
    Tcr,
    Ttbr,
    hardware_for,
    leaf,
    routine,
    scenario,
    table,
    terminates,
)

GEOMETRY = GEOMETRIES["scaled4"]
WORDS = GEOMETRY.page_words
TABLES = 8
"""The page that the tables are in, in memory and in the kernel's half."""
A, B, PTES, KERNEL = (TABLES * WORDS + 4 * n for n in range(4))
SECRET = 0
"""The page of A's data, mapped at 0."""
OF_A, OF_B = Ttbr(A, asid=1), Ttbr(B, asid=2)


@routine
async def cpu_switch_mm(cpu: Cpu, mm: Ttbr) -> None:
    """mmu_context.h: from here on another address space."""
    await cpu.msr("ttbr0_el1", mm)
    await cpu.isb()


@routine
async def tlb_flush(cpu: Cpu, asid: int) -> None:
    """tlb.h: of an address space that goes away with its tables (flush_tlb_mm)."""
    await cpu.dsb("ishst")
    await cpu.tlbi("aside1is", None, asid)
    await cpu.dsb("ish")


async def kernel(cpu: Cpu) -> None:
    """A exits, and B gets a table."""
    await cpu_switch_mm(cpu, OF_B)
    await cpu.str(linear(A), INVALID_DESCRIPTOR)
    await tlb_flush(cpu, OF_A.asid)
    await cpu.str(linear(PTES), INVALID_DESCRIPTOR)
    await cpu.dsb("ishst")
    await cpu.str(linear(B), table(PTES))
    await cpu.dsb("ishst")
    await cpu.isb()
    await use(cpu)


@routine
async def use(cpu: Cpu) -> None:
    """B reads what is not mapped; its handler gives it nothing."""
    if await cpu.ldr(0) is not None:
        await cpu.panic("reads memory of a process that is gone")


async def fault(cpu: Cpu, aborted: Aborted) -> None:  # noqa: ARG001 - nothing to be asked
    """Nothing is there: go on behind the access."""
    await cpu.eret(retry=False)


def linear(address: int) -> int:
    """The kernel's address of a word of the tables."""
    return KERNEL_PAGE * WORDS + address


@scenario(evidence="proved")
def good(
    *, ntlbpa: Literal["yes", "no"] = "no", hardware: Literal["delayed", "eager"] = "delayed"
) -> Setup:
    """The tables are flushed before they are freed."""
    regime = Regime((OF_A,), (Ttbr(KERNEL),), (Tcr(4, 4, a1=False),))
    empty = (INVALID_DESCRIPTOR,) * 4
    return Setup(
        geometry=GEOMETRY,
        cpus=(CpuSetup(kernel, regime, features=Features(ntlbpa=ntlbpa == "yes")),),
        tables={
            A: (table(PTES), *empty[1:]),
            B: empty,
            PTES: (leaf(SECRET, not_global=True), *empty[1:]),
            KERNEL: (*empty[:2], leaf(TABLES), INVALID_DESCRIPTOR),
        },
        properties=(terminates,),
        hardware=hardware_for(hardware),
        handler=fault,
        symbols={0: "x", A: "a", B: "b", PTES: "ptes", KERNEL: "kernel"},
    )


no_flush = good.twin(
    "The ASID is dead, so its tables are freed without a flush: a copy of a descriptor stays.",
    expect="VIOLATED:no_panic",
    drop=["tlb_flush.tlbi.aside1is"],
)

no_flush_with_ntlbpa = no_flush.twin(
    "The same on a CPU with FEAT_nTLBPA, which keeps nothing by physical address: harmless.",
    expect="HOLDS",
    ntlbpa="yes",
)
