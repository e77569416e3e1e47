"""Reading and writing the kernel's page tables: asm/pgtable.h, asm/pgalloc.h, mm/pgtable-generic.c.

All of it in lazy MMU mode: setting a valid kernel entry emits no barriers at once, it leaves them
queued (TIF_LAZY_MMU_PENDING), and leaving the mode emits them for all. Who calls these keeps in
mind that something is queued.

Simplified: filling a table that is not linked yet is one store on real geometries (fewer
interleavings); on scaled ones it is a store an entry, as in the kernel.
"""

from __future__ import annotations

from collections.abc import Callable

from simbbm.arm64.descriptor import LEAF, Descriptor, table
from simbbm.arm64.geometry import KERNEL_PAGE
from simbbm.arm64.ops import Cpu
from simbbm.core.program import Request, routine
from simbbm.linux.kernel import Kernel

PUD, PMD, PTE = 1, 2, 3
"""Levels of the architecture's tables, by the kernel's names for their entries."""

SMALL_TABLE = 4
PTE_PRESENT_INVALID = 1
"""pgtable-prot.h: software bit of a mapping that was made invalid and still says what it maps."""


def pmd_leaf(entry: Descriptor) -> bool:
    """pgtable.h:pmd_leaf (since 15bfba1ad77f): invalid ones too."""
    return entry.kind == LEAF or entry.software == PTE_PRESENT_INVALID


pud_leaf = pmd_leaf
"""pgtable.h:pud_leaf."""


def offset_in(k: Kernel, table_: int, level: int, page: int) -> int:
    """pgtable.h:pud_offset, pmd_offset, pte_offset_kernel: the entry that maps a page."""
    return table_ + (page - KERNEL_PAGE) // k.pages(level) % k.entries


def addr_end(k: Kernel, level: int, page: int, end: int) -> int:
    """pgtable.h:pud_addr_end, pmd_addr_end: where what its entry maps ends, or `end`."""
    size = k.pages(level)
    return min(page - page % size + size, end)


@routine
async def set_pud(cpu: Cpu, pudp: int, pud: Descriptor) -> None:
    """pgtable.h:set_pud: WRITE_ONCE, barriers queued (B3e)."""
    await cpu.str(pudp, pud)


@routine
async def set_pmd(cpu: Cpu, pmdp: int, pmd: Descriptor) -> None:
    """pgtable.h:set_pmd: WRITE_ONCE, barriers queued (B3e)."""
    await cpu.str(pmdp, pmd)


@routine
async def __set_pte(cpu: Cpu, ptep: int, pte: Descriptor) -> None:
    """pgtable.h:__set_pte: WRITE_ONCE, barriers queued (B3e)."""
    await cpu.str(ptep, pte)


@routine
async def __pud_populate(cpu: Cpu, pudp: int, pmd_phys: int) -> None:
    """pgalloc.h:__pud_populate: link a table."""
    await set_pud(cpu, pudp, table(pmd_phys))


@routine
async def __pmd_populate(cpu: Cpu, pmdp: int, pte_phys: int) -> None:
    """pgalloc.h:__pmd_populate: link a table."""
    await set_pmd(cpu, pmdp, table(pte_phys))


@routine
async def arch_leave_lazy_mmu_mode(cpu: Cpu) -> None:
    """pgtable.h:arch_leave_lazy_mmu_mode, emit_pte_barriers, if something is queued."""
    await cpu.dsb("ishst")
    await cpu.isb()


SetEntry = Callable[[Cpu, int, Descriptor], Request[None]]


@routine
async def fill_table(
    cpu: Cpu, k: Kernel, entryp: int, first: Descriptor, stride: int, set_entry: SetEntry
) -> None:
    """The loop of mmu.c:split_pud, split_pmd, init_pte: leaf by leaf, from `first` on."""
    if k.entries > SMALL_TABLE:
        await cpu.fill(entryp, first, stride, k.entries)
        return
    for i in range(k.entries):
        await set_entry(cpu, entryp + i, first._replace(output=first.output + i * stride))
