"""Memory is added while the kernel runs: its linear map is made as at boot (mm/mmu.c).

Simplified: the memory is whole level 2 entries below tables that exist, in a hole of the linear
map; tables are written through the linear map and not through the fixmap, of whose flush only the
barriers are left; new tables are empty from the start; contiguous entries are not tried (all:
fewer behaviours).
"""

from __future__ import annotations

from dataclasses import dataclass

from simbbm.arm64.descriptor import leaf
from simbbm.arm64.geometry import KERNEL_PAGE
from simbbm.arm64.ops import Cpu
from simbbm.core.program import routine
from simbbm.linux.kernel import Kernel
from simbbm.linux.mmu import SplitState, pgd_pgtable_alloc_init_mm_gfp
from simbbm.linux.pgtable import (
    PMD,
    PTE,
    __pmd_populate,
    __set_pte,
    fill_table,
    offset_in,
    set_pmd,
)
from simbbm.linux.set_memory import Caps, RunningKernel


@dataclass(frozen=True, kw_only=True)
class HotplugKernel(RunningKernel):
    """A running kernel, and the memory that is about to be added."""

    new_first: int
    new_pages: int
    """The new memory in the linear map: its first virtual page, and how many there are."""
    new_word: int
    """A word of it."""
    onlined: int
    """Word: whether others may use it."""
    able: int
    """CPUs whose MIDR is on the list of those with BBML2_NOABORT, one bit each."""


@routine
async def emit_pte_barriers(cpu: Cpu) -> None:
    """pgtable.h:emit_pte_barriers: at once, for set_pmd() outside lazy MMU mode."""
    await cpu.dsb("ishst")
    await cpu.isb()


@routine
async def pte_clear_fixmap(cpu: Cpu) -> None:
    """fixmap.h:pte_clear_fixmap: its flush makes all that was written visible to walkers."""
    await cpu.dsb("ishst")
    await cpu.isb()


@routine
async def pmd_offset(cpu: Cpu, k: Kernel, page: int) -> int:
    """mmu.c:__create_pgd_mapping_locked down to alloc_init_cont_pmd: a page's level 2 entry."""
    table = k.swapper_pg_dir
    for level in range(k.root_level, PMD):
        entry = await cpu.ldr(offset_in(k, table, level, page))
        table = k.linear(entry.output)
    return offset_in(k, table, PMD, page)


@routine
async def pmd_set_huge(cpu: Cpu, pmd: int, page: int) -> None:
    """mmu.c:pmd_set_huge: a block."""
    await set_pmd(cpu, pmd, leaf(page - KERNEL_PAGE))
    await emit_pte_barriers(cpu)


@routine
async def alloc_init_cont_pte(
    cpu: Cpu, k: Kernel, pmd: int, page: int, state: SplitState
) -> SplitState:
    """mmu.c:alloc_init_cont_pte, init_pte: a table, linked while empty, and then its pages."""
    pte_phys, state = await pgd_pgtable_alloc_init_mm_gfp(cpu, k, state)
    await __pmd_populate(cpu, pmd, pte_phys)
    await emit_pte_barriers(cpu)
    first = leaf(page - KERNEL_PAGE)
    await fill_table(cpu, k, k.linear(pte_phys), first, k.pages(PTE), __set_pte)
    await pte_clear_fixmap(cpu)
    return state


@routine
async def __create_pgd_mapping(cpu: Cpu, k: HotplugKernel, blocks: bool) -> None:  # noqa: FBT001
    """mmu.c:__create_pgd_mapping, init_pmd: blocks unless NO_BLOCK_MAPPINGS says no."""
    state = SplitState(k.spare)
    for page in range(k.new_first, k.new_first + k.new_pages, k.pages(PMD)):
        pmd = await pmd_offset(cpu, k, page)
        if blocks:
            await pmd_set_huge(cpu, pmd, page)
        else:
            state = await alloc_init_cont_pte(cpu, k, pmd, page, state)


@routine
async def force_pte_mapping(cpu: Cpu, k: HotplugKernel) -> bool:
    """mmu.c:force_pte_mapping: capabilities are final, so it asks what the system has.

    Before that, at boot, it asks the CPU that it runs on.
    """
    return bool(await cpu.ldr(k.caps) != Caps.NOABORT)


@routine
async def arch_add_memory(cpu: Cpu, k: HotplugKernel) -> None:
    """mmu.c:arch_add_memory."""
    blocks = not await force_pte_mapping(cpu, k)
    await __create_pgd_mapping(cpu, k, blocks)
