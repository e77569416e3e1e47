"""Broadcast invalidation of kernel mappings: asm/tlbflush.h.

Simplified: the per-page path invalidates page by page; TLBI RANGE is not modelled.
"""

from __future__ import annotations

from simbbm.arm64.ops import Cpu
from simbbm.core.program import routine
from simbbm.linux.kernel import Kernel


@routine
async def flush_tlb_all(cpu: Cpu) -> None:
    """tlbflush.h:flush_tlb_all."""
    await cpu.dsb("ishst")
    await cpu.tlbi("vmalle1is")
    await cpu.dsb("ish")
    await cpu.isb()


@routine
async def flush_tlb_kernel_range(cpu: Cpu, k: Kernel, start: int, end: int) -> None:
    """tlbflush.h:flush_tlb_kernel_range: page by page below MAX_DVM_OPS, else everything (B4)."""
    if end - start > k.max_dvm_ops:
        await flush_tlb_all(cpu)
        return
    await cpu.dsb("ishst")
    for page in range(start, end):
        await cpu.tlbi("vaale1is", page)
    await cpu.dsb("ish")
    await cpu.isb()
