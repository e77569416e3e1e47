"""Reading and writing the kernel's page tables: asm/pgtable.h, asm/pgalloc.h, mm/pgtable-generic.c.

A writer tells whether it left barriers queued (TIF_LAZY_MMU_PENDING): inside lazy MMU mode a set of
a valid kernel entry emits none at once, and leaving the mode emits them for all.

Simplified: filling a table that is not linked yet is one store on real geometries (fewer
interleavings); on scaled ones it is a store an entry, as in the kernel.
"""

from __future__ import annotations

from simbbm.arm64.descriptor import LEAF, Descriptor, table
from simbbm.arm64.ops import Cpu
from simbbm.core.program import routine
from simbbm.linux.kernel import Kernel

SMALL_TABLE = 4
PTE_PRESENT_INVALID = 1
"""pgtable-prot.h: software bit of a mapping that was made invalid and still says what it maps."""


def pxd_leaf(entry: Descriptor) -> bool:
    """pgtable.h:pud_leaf, pmd_leaf (since 15bfba1ad77f): invalid ones too."""
    return entry.kind == LEAF or entry.software == PTE_PRESENT_INVALID


@routine
async def set_entry(cpu: Cpu, address: int, entry: Descriptor) -> None:
    """pgtable.h:set_pud, set_pmd, __set_pte in lazy MMU mode: WRITE_ONCE, barriers queued (B3e)."""
    await cpu.str(address, entry)


@routine
async def populate(cpu: Cpu, address: int, child: int) -> None:
    """pgalloc.h:__pud_populate, __pmd_populate: link the table at physical address `child`."""
    await set_entry(cpu, address, table(child))


@routine
async def arch_leave_lazy_mmu_mode(cpu: Cpu) -> None:
    """pgtable.h:emit_pte_barriers, for what was queued."""
    await cpu.dsb("ishst")
    await cpu.isb()


@routine
async def fill_table(cpu: Cpu, k: Kernel, child: int, block: Descriptor, stride: int) -> None:
    """The loops of split_pud and split_pmd: leaves that map what `block` maps, CONT cleared.

    What is invalid stays invalid (15bfba1ad77f).
    """
    first = block._replace(contiguous=False)
    address = k.linear(child)
    if k.entries > SMALL_TABLE:
        await cpu.fill(address, first, stride, k.entries)
        return
    for i in range(k.entries):
        await set_entry(cpu, address + i, first._replace(output=block.output + i * stride))
