"""Contiguous groups of a user's pages: folded when all are alike, unfolded when one is to differ.

mm/contpte.c. With BBML3 (BBML2_NOABORT) the flush between break and make is left out, since v6.17:
a CPU may hold a page and the group that it is in, until what has been changed is flushed.

Simplified: CPUs set no access flags and no dirty states while a table is changed
(`__ptep_get_and_clear` is a load and a store); there is one folio, and pages that lie as the table
does.
"""

from __future__ import annotations

from simbbm.arm64.descriptor import INVALID_DESCRIPTOR, Descriptor
from simbbm.arm64.ops import Cpu
from simbbm.core.program import routine
from simbbm.linux.user.mm import READ_ONLY, Mm, __flush_tlb_range, __set_ptes


def contpte_align_down(mm: Mm, page: int) -> int:
    """contpte.c:contpte_align_down: the first page of a page's group."""
    return page - page % mm.cont_ptes


@routine
async def __ptep_get_and_clear(cpu: Cpu, ptep: int) -> Descriptor:
    """pgtable.h:__ptep_get_and_clear."""
    old: Descriptor = await cpu.ldr(ptep)
    await cpu.str(ptep, INVALID_DESCRIPTOR)
    return old


@routine
async def flush_between(cpu: Cpu, mm: Mm, start: int, end: int) -> None:
    """contpte.c:contpte_convert: the flush of the group, which BBML3 does without."""
    if not mm.bbml3:
        await __flush_tlb_range(cpu, mm, start, end)


@routine
async def contpte_convert(cpu: Cpu, mm: Mm, page: int, pte: Descriptor) -> None:
    """contpte.c:contpte_convert: clear the group, flush it unless BBML3, write it as `pte` says."""
    start = contpte_align_down(mm, page)
    first = pte._replace(output=pte.output - (page - start))
    for i in range(mm.cont_ptes):
        await __ptep_get_and_clear(cpu, mm.ptep + start + i)
    await flush_between(cpu, mm, start, start + mm.cont_ptes)
    await __set_ptes(cpu, mm.ptep + start, first, mm.cont_ptes)


@routine
async def contpte_try_fold(cpu: Cpu, mm: Mm, page: int) -> None:
    """contpte.c:__contpte_try_fold: if all pages of the group are alike."""
    start = contpte_align_down(mm, page)
    pte = await cpu.ldr(mm.ptep + page)
    first = pte._replace(output=pte.output - (page - start))
    for i in range(mm.cont_ptes):
        if await cpu.ldr(mm.ptep + start + i) != first._replace(output=first.output + i):
            return
    await contpte_convert(cpu, mm, page, pte._replace(contiguous=True))


@routine
async def contpte_try_unfold(cpu: Cpu, mm: Mm, page: int) -> None:
    """contpte.c:__contpte_try_unfold."""
    pte = await cpu.ldr(mm.ptep + page)
    if pte.contiguous:
        await contpte_convert(cpu, mm, page, pte._replace(contiguous=False))


@routine
async def __wrprotect_ptes(cpu: Cpu, ptep: int) -> None:
    """pgtable.h:__wrprotect_ptes, of one."""
    pte = await cpu.ldr(ptep)
    await cpu.str(ptep, pte._replace(attributes=READ_ONLY))


@routine
async def wrprotect_ptes(cpu: Cpu, mm: Mm, page: int) -> None:
    """pgtable.h:wrprotect_ptes, of one page: flushed later, by whoever asked for it."""
    await contpte_try_unfold(cpu, mm, page)
    await __wrprotect_ptes(cpu, mm.ptep + page)
    await contpte_try_fold(cpu, mm, page)
