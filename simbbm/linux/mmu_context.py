"""Switching address spaces: asm/mmu_context.h, asm/tlbflush.h, mm/context.c.

Simplified: no user mm has run yet (init_mm is active everywhere, as at smp_cpus_done), so
cpu_uninstall_idmap has no mm to switch back to.
"""

from __future__ import annotations

from simbbm.arm64.ops import Cpu
from simbbm.arm64.registers import Ttbr
from simbbm.core.program import routine
from simbbm.linux.kernel import Kernel


@routine
async def cpu_set_reserved_ttbr0(cpu: Cpu, k: Kernel) -> None:
    """mmu_context.h:cpu_set_reserved_ttbr0."""
    await cpu.msr("ttbr0_el1", Ttbr(k.reserved_pg_dir))
    await cpu.isb()


@routine
async def local_flush_tlb_all(cpu: Cpu) -> None:
    """tlbflush.h:local_flush_tlb_all."""
    await cpu.dsb("nshst")
    await cpu.tlbi("vmalle1")
    await cpu.dsb("nsh")
    await cpu.isb()


@routine
async def cpu_set_idmap_tcr_t0sz(cpu: Cpu, k: Kernel) -> None:
    """mmu_context.h:__cpu_set_tcr_t0sz, for the idmap."""
    if k.idmap_tcr != k.tcr:
        await cpu.msr("tcr_el1", k.idmap_tcr)
        await cpu.isb()


@routine
async def cpu_set_default_tcr_t0sz(cpu: Cpu, k: Kernel) -> None:
    """mmu_context.h:__cpu_set_tcr_t0sz, back to the default."""
    if k.idmap_tcr != k.tcr:
        await cpu.msr("tcr_el1", k.tcr)
        await cpu.isb()


@routine
async def cpu_switch_mm(cpu: Cpu, k: Kernel, ttbr0: Ttbr, asid: int | None = None) -> None:
    """context.c:cpu_do_switch_mm: the ASID goes into TTBR1, since TCR.A1 is set.

    Without an ASID the mm is init_mm.
    """
    ttbr1 = await cpu.mrs("ttbr1_el1")
    await cpu.msr("ttbr0_el1", Ttbr(k.reserved_pg_dir))
    await cpu.msr("ttbr1_el1", ttbr1._replace(asid=k.init_mm_asid if asid is None else asid))
    await cpu.msr("ttbr0_el1", ttbr0)
    await cpu.isb()


@routine
async def cpu_install_idmap(cpu: Cpu, k: Kernel) -> None:
    """mmu_context.h:cpu_install_idmap (S2 to S5).

    The reserved table is in place while T0SZ changes, because walks are speculative.
    """
    await cpu_set_reserved_ttbr0(cpu, k)
    await local_flush_tlb_all(cpu)
    await cpu_set_idmap_tcr_t0sz(cpu, k)
    await cpu_switch_mm(cpu, k, k.idmap_ttbr0)


@routine
async def cpu_uninstall_idmap(cpu: Cpu, k: Kernel) -> None:
    """mmu_context.h:cpu_uninstall_idmap (S11)."""
    await cpu_set_reserved_ttbr0(cpu, k)
    await local_flush_tlb_all(cpu)
    await cpu_set_default_tcr_t0sz(cpu, k)
