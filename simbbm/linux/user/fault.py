"""A page fault on a page that is there: access flags and write permission (mm/fault.c, memory.c).

A permission that is given needs no broadcast: who still holds the old entry faults once more, finds
nothing to do, and flushes that on its own CPU (since v6.19, cb1fa2e99955). In a contiguous group
`ptep_get()` gathers what hardware may have set in any of its entries.

Simplified: pages are there, and nobody takes them away; a write fault on a page that is read-only
reuses it (wp_page_reuse), since nobody else has it.
"""

from __future__ import annotations

from simbbm.arm64.descriptor import Descriptor
from simbbm.arm64.ops import Cpu
from simbbm.core.program import repeat_until, routine
from simbbm.linux.user.contpte import contpte_align_down, contpte_try_unfold
from simbbm.linux.user.mm import (
    Mm,
    local_flush_tlb_range,
    pte_offset_map_lock,
    pte_unmap_unlock,
)


def pte_write(pte: Descriptor) -> bool:
    """pgtable.h:pte_write: PTE_WRITE, which is DBM."""
    return pte.attributes.dirty_modifier


def pte_mkdirty(pte: Descriptor) -> Descriptor:
    """pgtable.h:pte_mkdirty, of a page that may be written."""
    return pte._replace(attributes=pte.attributes._replace(write=pte_write(pte)))


def pte_mkwrite(pte: Descriptor) -> Descriptor:
    """pgtable.h:pte_mkwrite_novma."""
    return pte._replace(attributes=pte.attributes._replace(dirty_modifier=True))


def with_flags_of(pte: Descriptor, entry: Descriptor) -> Descriptor:
    """What __ptep_set_access_flags() makes of an entry: more permissive, never less."""
    attributes = pte.attributes._replace(
        write=pte.attributes.write or entry.attributes.write,
        dirty_modifier=pte_write(pte) or pte_write(entry),
    )
    return pte._replace(access_flag=pte.access_flag or entry.access_flag, attributes=attributes)


@routine
async def ptep_get(cpu: Cpu, mm: Mm, page: int) -> Descriptor:
    """pgtable.h:ptep_get; contpte.c:contpte_ptep_get: with the flags of the whole group."""
    pte: Descriptor = await cpu.ldr(mm.ptep + page)
    if pte.valid and pte.contiguous:
        start = contpte_align_down(mm, page)
        for i in range(mm.cont_ptes):
            sibling = await cpu.ldr(mm.ptep + start + i)
            if sibling.attributes.write:
                pte = pte_mkdirty(pte)
            pte = pte._replace(access_flag=pte.access_flag or sibling.access_flag)
    return pte


@routine
async def try_cmpxchg(cpu: Cpu, ptep: int, entry: Descriptor) -> bool:
    """fault.c:__ptep_set_access_flags, one turn of its loop."""
    pte = await cpu.ldxr(ptep)
    return not await cpu.stxr(ptep, with_flags_of(pte, entry))


@routine
async def flush_page_here(cpu: Cpu, mm: Mm, page: int) -> None:
    """fault.c:__ptep_set_access_flags: its flush, on this CPU alone."""
    await local_flush_tlb_range(cpu, mm, page, page + 1)


@routine
async def __ptep_set_access_flags(
    cpu: Cpu,
    mm: Mm,
    page: int,
    entry: Descriptor,
    dirty: bool,  # noqa: FBT001 - as the kernel's
) -> None:
    """fault.c:__ptep_set_access_flags."""
    await repeat_until(try_cmpxchg, cpu, mm.ptep + page, entry)
    if dirty:
        await flush_page_here(cpu, mm, page)


@routine
async def all_subptes_match(cpu: Cpu, mm: Mm, page: int, entry: Descriptor) -> bool:
    """contpte.c:contpte_all_subptes_match_access_flags: each entry by itself, not gathered."""
    start = contpte_align_down(mm, page)
    for i in range(mm.cont_ptes):
        pte = await cpu.ldr(mm.ptep + start + i)
        if with_flags_of(pte, entry) != pte:
            return False
    return True


@routine
async def flush_contpte_here(cpu: Cpu, mm: Mm, page: int) -> None:
    """contpte.c:contpte_ptep_set_access_flags: its flush of the group, on this CPU alone."""
    start = contpte_align_down(mm, page)
    await local_flush_tlb_range(cpu, mm, start, start + mm.cont_ptes)


@routine
async def contpte_ptep_set_access_flags(
    cpu: Cpu,
    mm: Mm,
    page: int,
    entry: Descriptor,
    dirty: bool,  # noqa: FBT001 - as the kernel's
) -> bool:
    """contpte.c:contpte_ptep_set_access_flags: returns whether there was something to do."""
    if await all_subptes_match(cpu, mm, page, entry):
        return False
    pte = await cpu.ldr(mm.ptep + page)
    if pte_write(pte) != pte_write(entry):
        await contpte_try_unfold(cpu, mm, page)
        await __ptep_set_access_flags(cpu, mm, page, entry, dirty)
        return True
    start = contpte_align_down(mm, page)
    for i in range(mm.cont_ptes):
        await __ptep_set_access_flags(cpu, mm, start + i, entry, False)  # noqa: FBT003 - by position
    if dirty:
        await flush_contpte_here(cpu, mm, page)
    return True


@routine
async def ptep_set_access_flags(
    cpu: Cpu,
    mm: Mm,
    page: int,
    entry: Descriptor,
    dirty: bool,  # noqa: FBT001 - as the kernel's
) -> bool:
    """pgtable.h:ptep_set_access_flags: returns whether there was something to do."""
    pte = await cpu.ldr(mm.ptep + page)
    if pte.contiguous:
        return await contpte_ptep_set_access_flags(cpu, mm, page, entry, dirty)
    if with_flags_of(pte, entry) == pte:
        return False
    await __ptep_set_access_flags(cpu, mm, page, entry, dirty)
    return True


@routine
async def flush_tlb_fix_spurious_fault(cpu: Cpu, mm: Mm, page: int) -> None:
    """pgtable.h:flush_tlb_fix_spurious_fault: what this CPU holds is older than the table."""
    await local_flush_tlb_range(cpu, mm, page, page + 1)


@routine
async def handle_pte_fault(cpu: Cpu, mm: Mm, page: int, write: bool) -> None:  # noqa: FBT001
    """memory.c:handle_pte_fault, under the lock."""
    await pte_offset_map_lock(cpu, mm)
    entry = await ptep_get(cpu, mm, page)
    if write:
        entry = pte_mkdirty(pte_mkwrite(entry))
    young = entry._replace(access_flag=True)
    if not await ptep_set_access_flags(cpu, mm, page, young, write) and write:
        await flush_tlb_fix_spurious_fault(cpu, mm, page)
    await pte_unmap_unlock(cpu, mm)
