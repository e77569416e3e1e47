"""Splitting the linear map to pages: mm/mmu.c, top to bottom as there.

The boot CPU walks the live map without locks (`pagewalk`) and splits what is large; the others wait
in the idmap (`proc`). What the kernel has in globals beside its arguments, how many tables the page
allocator has handed out and whether barriers are queued, is handed on as a value, `SplitState`.

Simplified: the page allocator is a counter (it takes no locks); -ENOMEM is an exception on its way
up; in layouts without the kernel's alias the second range is empty, and nothing is walked.
"""

from __future__ import annotations

from typing import NamedTuple

from simbbm.arm64.descriptor import Descriptor
from simbbm.arm64.ops import Cpu
from simbbm.core.program import routine
from simbbm.linux.barrier import equals, smp_cond_load_acquire
from simbbm.linux.kernel import Kernel
from simbbm.linux.mmu_context import cpu_install_idmap, cpu_uninstall_idmap
from simbbm.linux.pagewalk import (
    Action,
    MmWalk,
    MmWalkOps,
    walk_kernel_page_table_range_lockless,
)
from simbbm.linux.pgtable import (
    PMD,
    PTE,
    __pmd_populate,
    __pud_populate,
    __set_pte,
    arch_leave_lazy_mmu_mode,
    fill_table,
    pmd_leaf,
    pud_leaf,
    set_pmd,
)
from simbbm.linux.proc import wait_linear_map_split_to_ptes
from simbbm.linux.stop_machine import stop_machine
from simbbm.linux.tlbflush import flush_tlb_kernel_range


class OutOfMemoryError(Exception):
    """-ENOMEM."""


class InvalidRangeError(Exception):
    """-EINVAL: a walk whose range ends before it begins."""


class SplitState(NamedTuple):
    """What splitting leaves behind, beside the tables themselves."""

    allocated: int = 0
    """Tables that the page allocator has handed out."""
    pending: bool = False
    """TIF_LAZY_MMU_PENDING: barriers are queued."""


@routine
async def pgd_pgtable_alloc_init_mm_gfp(
    cpu: Cpu,  # noqa: ARG001 - it takes no step, but what scenarios put in its place does
    k: Kernel,
    state: SplitState,
) -> tuple[int, SplitState]:
    """mmu.c:pgd_pgtable_alloc_init_mm_gfp: the physical address of the next free table."""
    if state.allocated == k.free_table_count:
        raise OutOfMemoryError
    table = k.free_tables + state.allocated * k.entries
    return table, SplitState(state.allocated + 1, pending=True)


@routine
async def split_contpte(cpu: Cpu, k: Kernel, ptep: int) -> None:
    """mmu.c:split_contpte (B3d): CONT goes, one entry after the other."""
    ptep -= ptep % k.cont_ptes
    for i in range(k.cont_ptes):
        pte = await cpu.ldr(ptep + i)
        await __set_pte(cpu, ptep + i, pte._replace(contiguous=False))


@routine
async def split_pmd(
    cpu: Cpu,
    k: Kernel,
    pmdp: int,
    pmd: Descriptor,
    state: SplitState,
    to_cont: bool = False,  # noqa: FBT001, FBT002 - a routine's arguments are positional
) -> SplitState:
    """mmu.c:split_pmd (B3c): what is invalid stays invalid (15bfba1ad77f)."""
    pte_phys, state = await pgd_pgtable_alloc_init_mm_gfp(cpu, k, state)
    pte = pmd._replace(contiguous=to_cont)
    await fill_table(cpu, k, k.linear(pte_phys), pte, k.pages(PTE), __set_pte)

    # A walk that comes to the new table has to find it filled.
    await cpu.dsb("ishst")
    await __pmd_populate(cpu, pmdp, pte_phys)
    return state


@routine
async def split_contpmd(cpu: Cpu, k: Kernel, pmdp: int) -> None:
    """mmu.c:split_contpmd (B3b): CONT goes, one entry after the other."""
    pmdp -= pmdp % k.cont_pmds
    for i in range(k.cont_pmds):
        pmd = await cpu.ldr(pmdp + i)
        await set_pmd(cpu, pmdp + i, pmd._replace(contiguous=False))


@routine
async def split_pud(
    cpu: Cpu,
    k: Kernel,
    pudp: int,
    pud: Descriptor,
    state: SplitState,
    to_cont: bool = False,  # noqa: FBT001, FBT002 - a routine's arguments are positional
) -> SplitState:
    """mmu.c:split_pud (B3a): into blocks, which the repaint does not make contiguous."""
    pmd_phys, state = await pgd_pgtable_alloc_init_mm_gfp(cpu, k, state)
    pmd = pud._replace(contiguous=to_cont)
    await fill_table(cpu, k, k.linear(pmd_phys), pmd, k.pages(PMD), set_pmd)

    # A walk that comes to the new table has to find it filled.
    await cpu.dsb("ishst")
    await __pud_populate(cpu, pudp, pmd_phys)
    return state


@routine
async def split_to_ptes_pud_entry(cpu: Cpu, k: Kernel, pudp: int, walk: MmWalk) -> MmWalk:
    """mmu.c:split_to_ptes_pud_entry."""
    pud = await cpu.ldr(pudp)
    if pud_leaf(pud):
        walk = walk._replace(private=await split_pud(cpu, k, pudp, pud, walk.private))
    return walk


@routine
async def split_to_ptes_pmd_entry(cpu: Cpu, k: Kernel, pmdp: int, walk: MmWalk) -> MmWalk:
    """mmu.c:split_to_ptes_pmd_entry."""
    pmd = await cpu.ldr(pmdp)
    if pmd_leaf(pmd):
        if pmd.contiguous:
            await split_contpmd(cpu, k, pmdp)
        state = await split_pmd(cpu, k, pmdp, pmd, walk.private)
        # The new PTEs are pages already: no need to visit them.
        walk = walk._replace(private=state, action=Action.CONTINUE)
    return walk


@routine
async def split_to_ptes_pte_entry(cpu: Cpu, k: Kernel, ptep: int, walk: MmWalk) -> MmWalk:
    """mmu.c:split_to_ptes_pte_entry: contiguous PTEs that were there before."""
    pte = await cpu.ldr(ptep)
    if pte.contiguous:
        await split_contpte(cpu, k, ptep)
        walk = walk._replace(private=walk.private._replace(pending=True))
    return walk


split_to_ptes_ops = MmWalkOps(
    split_to_ptes_pud_entry, split_to_ptes_pmd_entry, split_to_ptes_pte_entry
)
"""mmu.c:split_to_ptes_ops."""


@routine
async def range_split_to_ptes(
    cpu: Cpu, k: Kernel, start: int, end: int, state: SplitState
) -> SplitState:
    """mmu.c:range_split_to_ptes (B3): walk [start, end) in lazy MMU mode."""
    if start == end:
        return state
    if start > end:
        raise InvalidRangeError
    state = await walk_kernel_page_table_range_lockless(
        cpu, k, start, end, split_to_ptes_ops, state._replace(pending=False)
    )
    if state.pending:
        await arch_leave_lazy_mmu_mode(cpu)
    return state


@routine
async def smp_processor_id_is(cpu: Cpu, number: int) -> bool:
    """smp.h:smp_processor_id, compared where it is read (B1).

    A routine, so that the number does not stay in what its caller has observed: secondaries would
    have different pasts, and a search could not exchange them.
    """
    return await cpu.mrs_mpidr() == number


@routine
async def linear_map_split_to_ptes(cpu: Cpu, k: Kernel) -> None:
    """mmu.c:linear_map_split_to_ptes, run by every CPU inside stop_machine()."""
    if await smp_processor_id_is(cpu, 0):
        # The only CPU of which it is known that it may change sizes of a live map.
        lstart = k.lm_first
        lend = k.lm_first + k.lm_count
        kstart = k.kernel_first
        kend = k.kernel_first + k.kernel_count

        # Until all secondaries are parked (B2).
        await smp_cond_load_acquire(cpu, k.flag, equals, k.num_online_cpus)

        # All of the linear map but the kernel's alias, which keeps its blocks (B3).
        try:
            state = await range_split_to_ptes(cpu, k, lstart, kstart, SplitState())
            await range_split_to_ptes(cpu, k, kend, lend, state)
        except OutOfMemoryError:
            await cpu.panic("Failed to split linear map")
        except InvalidRangeError:
            await cpu.panic("Failed to split linear map")
        await flush_tlb_kernel_range(cpu, k, lstart, lend)

        # Ordered behind the tables' stores by the DSB of the flush (B4, B5).
        await cpu.str(k.flag, 0)
    else:
        # Some of these may not see a size change: they wait in the idmap, the swapper unmapped.
        await cpu_install_idmap(cpu, k)
        await wait_linear_map_split_to_ptes(cpu, k)
        # Back in C: its stack is mapped by TTBR1 alone, so a wrong TTBR1 shows here at the latest.
        await cpu.ldr(k.stack)
        await cpu_uninstall_idmap(cpu, k)


@routine
async def init_idmap_kpti_bbml2_flag(cpu: Cpu, k: Kernel) -> None:
    """mmu.c:init_idmap_kpti_bbml2_flag (F1, F2): the 1 stands for the boot CPU itself."""
    await cpu.str(k.flag, 1)
    await cpu.dmb("ish")


@routine
async def linear_map_maybe_split_to_ptes(cpu: Cpu, k: Kernel) -> None:
    """mmu.c:linear_map_maybe_split_to_ptes, on a system that needs the repaint."""
    await init_idmap_kpti_bbml2_flag(cpu, k)
    await stop_machine(cpu, k, linear_map_split_to_ptes)
