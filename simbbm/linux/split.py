"""Splitting the linear map to pages: mm/mmu.c (B3).

range_split_to_ptes walks the live map without locks (walk_kernel_page_table_range_lockless); the
callbacks split what is large. Every function that may split returns a `Progress`: how many tables
the allocator has handed out, and whether barriers are queued.

Simplified: the page allocator is a counter (it never fails and takes no locks), the walk visits
whole ranges only.
"""

from __future__ import annotations

from typing import NamedTuple

from simbbm.arm64.descriptor import Descriptor
from simbbm.arm64.geometry import KERNEL_PAGE
from simbbm.arm64.ops import Cpu
from simbbm.core.program import routine
from simbbm.linux.kernel import Kernel
from simbbm.linux.pgtable import (
    arch_leave_lazy_mmu_mode,
    fill_table,
    populate,
    pxd_leaf,
    set_entry,
)

PUD, PMD, PTE = 1, 2, 3


class Progress(NamedTuple):
    """What a split has used and left to do."""

    allocated: int = 0
    pending: bool = False


def pgd_pgtable_alloc_split(k: Kernel, progress: Progress) -> tuple[int, Progress]:
    """mmu.c:pgd_pgtable_alloc_init_mm_gfp: physical address of the next free table."""
    child = k.free_tables + progress.allocated * k.entries
    return child, Progress(progress.allocated + 1, pending=True)


@routine
async def split_pud(
    cpu: Cpu, k: Kernel, address: int, pud: Descriptor, progress: Progress
) -> Progress:
    """mmu.c:split_pud (B3a)."""
    child, progress = pgd_pgtable_alloc_split(k, progress)
    await fill_table(cpu, k, child, pud, k.pages(PMD))
    await cpu.dsb("ishst")
    await populate(cpu, address, child)
    return progress


@routine
async def split_pmd(
    cpu: Cpu, k: Kernel, address: int, pmd: Descriptor, progress: Progress
) -> Progress:
    """mmu.c:split_pmd (B3c): the new table is complete and visible before it is linked."""
    child, progress = pgd_pgtable_alloc_split(k, progress)
    await fill_table(cpu, k, child, pmd, k.pages(PTE))
    await cpu.dsb("ishst")
    await populate(cpu, address, child)
    return progress


@routine
async def clear_cont(cpu: Cpu, address: int, group: int) -> None:
    """mmu.c:split_contpmd, split_contpte (B3b, B3d): CONT goes, one entry after the other."""
    first = address - address % group
    for i in range(group):
        entry = await cpu.ldr(first + i)
        await set_entry(cpu, first + i, entry._replace(contiguous=False))


@routine
async def split_to_ptes_pud_entry(
    cpu: Cpu, k: Kernel, address: int, progress: Progress
) -> Progress:
    """mmu.c:split_to_ptes_pud_entry."""
    pud = await cpu.ldr(address)
    if pxd_leaf(pud):
        return await split_pud(cpu, k, address, pud, progress)
    return progress


@routine
async def split_to_ptes_pmd_entry(
    cpu: Cpu, k: Kernel, address: int, progress: Progress
) -> tuple[bool, Progress]:
    """mmu.c:split_to_ptes_pmd_entry: returns whether to go on below (else ACTION_CONTINUE)."""
    pmd = await cpu.ldr(address)
    if not pxd_leaf(pmd):
        return True, progress
    if pmd.contiguous:
        await clear_cont(cpu, address, k.cont_pmds)
    return False, await split_pmd(cpu, k, address, pmd, progress)


@routine
async def split_to_ptes_pte_entry(
    cpu: Cpu, k: Kernel, address: int, progress: Progress
) -> Progress:
    """mmu.c:split_to_ptes_pte_entry."""
    pte = await cpu.ldr(address)
    if pte.kind == "leaf" and pte.contiguous:
        await clear_cont(cpu, address, k.cont_ptes)
        return Progress(progress.allocated, pending=True)
    return progress


@routine
async def walk_entry(
    cpu: Cpu, k: Kernel, address: int, level: int, span: tuple[int, int, int], progress: Progress
) -> Progress:
    """pagewalk.c:walk_pud_range, walk_pmd_range, walk_pte_range: one turn of their loops.

    `span` is the page that the entry maps first, and the range that is walked (first, end).
    """
    if level == PTE:
        return await split_to_ptes_pte_entry(cpu, k, address, progress)
    below = True
    if level == PUD:
        progress = await split_to_ptes_pud_entry(cpu, k, address, progress)
    elif level == PMD:
        below, progress = await split_to_ptes_pmd_entry(cpu, k, address, progress)
    if below:
        entry = await cpu.ldr(address)
        if entry.kind == "table":
            return await walk_table(cpu, k, k.linear(entry.output), level + 1, span, progress)
    return progress


@routine
async def walk_table(
    cpu: Cpu, k: Kernel, table: int, level: int, span: tuple[int, int, int], progress: Progress
) -> Progress:
    """pagewalk.c: visit the entries of one table that map part of the range."""
    page, first, end = span
    size = k.pages(level)
    for i in range(k.entries):
        at = page + i * size
        if at < end and at + size > first:
            progress = await walk_entry(cpu, k, table + i, level, (at, first, end), progress)
    return progress


@routine
async def range_split_to_ptes(
    cpu: Cpu, k: Kernel, first: int, count: int, progress: Progress
) -> Progress:
    """mmu.c:range_split_to_ptes: walk [first, first + count) in lazy MMU mode."""
    if count == 0:
        return progress
    progress = Progress(progress.allocated)
    span = (KERNEL_PAGE, first, first + count)
    progress = await walk_table(cpu, k, k.swapper_pg_dir, k.root_level, span, progress)
    if progress.pending:
        await arch_leave_lazy_mmu_mode(cpu)
    return progress
