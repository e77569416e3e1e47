"""Broadcast invalidation of kernel mappings: asm/tlbflush.h.

`flush_tlb_kernel_range` is that of CPUs without FEAT_TLBIRANGE, page by page, and names its pages;
`flush_tlb_range_op` is what others do, with registers as the architecture encodes them.
"""

from __future__ import annotations

from simbbm.arm64.ops import Cpu
from simbbm.arm64.translation.tlbi_operand import GRANULES, page_address
from simbbm.core.program import routine
from simbbm.linux.kernel import Kernel


def tlbi_vaddr(page: int, asid: int, level: int, shift: int) -> int:
    """tlbflush.h:__TLBI_VADDR, and the hint that __tlbi_level adds."""
    address = page_address(page, shift) >> 12 & (1 << 44) - 1
    hint = GRANULES.index(shift) << 2 | level if level else 0
    return asid << 48 | hint << 44 | address


def tlbi_vaddr_range(page: int, asid: int, scale: int, num: int, level: int, shift: int) -> int:
    """tlbflush.h:__TLBI_VADDR_RANGE."""
    base = page_address(page, shift) >> shift & (1 << 37) - 1
    return asid << 48 | GRANULES.index(shift) << 46 | scale << 44 | num << 39 | level << 37 | base


def tlbi_range_num(pages: int, scale: int) -> int:
    """tlbflush.h:__TLBI_RANGE_NUM; -1: none at this scale."""
    return (pages >> 5 * scale + 1 & 31) - 1


def tlbi_range_pages(num: int, scale: int) -> int:
    """tlbflush.h:__TLBI_RANGE_PAGES."""
    return num + 1 << 5 * scale + 1


@routine
async def flush_tlb_range_op(
    cpu: Cpu, op: str, start: int, pages: int, level: int, shift: int
) -> None:
    """tlbflush.h:__flush_tlb_range_op of kernel addresses, with FEAT_TLBIRANGE.

    The largest ranges first; an odd page by itself.
    """
    for scale in (3, 2, 1, 0):
        num = tlbi_range_num(pages, scale)
        if num >= 0:
            xt = tlbi_vaddr_range(start, 0, scale, num, level, shift)
            await cpu.tlbi_raw(f"r{op}", xt, shift)
            start, pages = (
                start + tlbi_range_pages(num, scale),
                pages - tlbi_range_pages(num, scale),
            )
    if pages == 1:
        await cpu.tlbi_raw(op, tlbi_vaddr(start, 0, level, shift), shift)


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
    if end - start >= k.max_dvm_ops:
        await flush_tlb_all(cpu)
        return
    await cpu.dsb("ishst")
    for page in range(start, end):
        await cpu.tlbi("vaale1is", page)
    await cpu.dsb("ish")
    await cpu.isb()
