"""Memory is added while the kernel runs: its linear map is made as at boot (mm/mmu.c).

Simplified: the memory is whole level 2 entries below tables that exist, in a hole of the linear
map; tables are written through the linear map and not through the fixmap, of whose flush only the
barriers are left; new tables are empty from the start; contiguous entries are not tried (all:
fewer behaviours).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from simbbm.arm64.descriptor import leaf
from simbbm.arm64.geometry import KERNEL_PAGE
from simbbm.arm64.ops import Cpu
from simbbm.core.program import routine
from simbbm.linux.kernel import Kernel
from simbbm.linux.pgtable import fill_table, populate, set_entry
from simbbm.linux.set_memory import Caps, RunningKernel
from simbbm.linux.split import PMD, PTE, Progress, pgd_pgtable_alloc_split


class HotplugKernel(NamedTuple):
    """A kernel as its functions know it, and the memory that is about to be added."""

    running: RunningKernel
    new_first: int
    new_pages: int
    """The new memory in the linear map: its first virtual page, and how many there are."""
    new_word: int
    """A word of it."""
    onlined: int
    """Word: whether others may use it."""
    able: int
    """CPUs whose MIDR is on the list of those with BBML2_NOABORT, one bit each."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.running, name)


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
    table, offset = k.swapper_pg_dir, page - KERNEL_PAGE
    for level in range(k.root_level, PMD):
        entry = await cpu.ldr(table + offset // k.pages(level) % k.entries)
        table = k.linear(entry.output)
    return table + offset // k.pages(PMD) % k.entries


@routine
async def pmd_set_huge(cpu: Cpu, pmd: int, page: int) -> None:
    """mmu.c:pmd_set_huge: a block."""
    await set_entry(cpu, pmd, leaf(page - KERNEL_PAGE))
    await emit_pte_barriers(cpu)


@routine
async def alloc_init_cont_pte(
    cpu: Cpu, k: Kernel, pmd: int, page: int, progress: Progress
) -> Progress:
    """mmu.c:alloc_init_cont_pte, init_pte: a table, linked while empty, and then its pages."""
    child, progress = pgd_pgtable_alloc_split(k, progress)
    await populate(cpu, pmd, child)
    await emit_pte_barriers(cpu)
    await fill_table(cpu, k, child, leaf(page - KERNEL_PAGE), k.pages(PTE))
    await pte_clear_fixmap(cpu)
    return progress


@routine
async def __create_pgd_mapping(cpu: Cpu, k: HotplugKernel, blocks: bool) -> None:  # noqa: FBT001
    """mmu.c:__create_pgd_mapping, init_pmd: blocks unless NO_BLOCK_MAPPINGS says no."""
    kernel = k.running.kernel
    progress = Progress(k.running.spare)
    for page in range(k.new_first, k.new_first + k.new_pages, kernel.pages(PMD)):
        pmd = await pmd_offset(cpu, kernel, page)
        if blocks:
            await pmd_set_huge(cpu, pmd, page)
        else:
            progress = await alloc_init_cont_pte(cpu, kernel, pmd, page, progress)


@routine
async def force_pte_mapping(cpu: Cpu, k: HotplugKernel) -> bool:
    """mmu.c:force_pte_mapping: capabilities are final, so it asks what the system has.

    Before that, at boot, it asks the CPU that it runs on.
    """
    return bool(await cpu.ldr(k.running.caps) != Caps.NOABORT)


@routine
async def arch_add_memory(cpu: Cpu, k: HotplugKernel) -> None:
    """mmu.c:arch_add_memory."""
    blocks = not await force_pte_mapping(cpu, k)
    await __create_pgd_mapping(cpu, k, blocks)
