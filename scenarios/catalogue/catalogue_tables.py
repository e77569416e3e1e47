"""More ways to get it wrong: when there is no page left for a table.

Numbers are those of the catalogue of mutants; the story of each single mistake ends with where it
comes from. Defaults are the smallest machine on which it shows.

Simplified: the allocator hands out so many tables and then fails; it takes no locks (fewer
behaviours).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from simbbm_scenarios import linear_map_split as merged
from simbbm_scenarios.catalogue_walk import split_beyond_kstart, split_from_kstart

from simbbm import (
    Cpu,
    CpuSet,
    Range,
    Setup,
    edits,
    routine,
    scenario,
)
from simbbm.linux.kernel import Kernel
from simbbm.linux.layout import LayoutName
from simbbm.linux.mmu import (
    OutOfMemoryError,
    SplitState,
    linear_map_maybe_split_to_ptes,
    linear_map_split_to_ptes,
    pgd_pgtable_alloc_init_mm_gfp,
    range_split_to_ptes,
)
from simbbm.linux.pagewalk import MmWalk, MmWalkOps, walk_kernel_page_table_range_lockless
from simbbm.linux.pgtable import PMD, PUD, pmd_leaf, pud_leaf


@scenario(evidence="proved")
def good(
    *,
    cpus: Annotated[int, Range(2, 16)] = 3,
    layout: LayoutName = "mixed",
    noabort: Annotated[str, CpuSet()] = "boot",
    hardware: Literal["delayed", "eager"] = "delayed",
    window: Annotated[int, Range(1, 16)] = 1,
    tables: Annotated[int, Range(0, 64)] = 64,
) -> Setup:
    """The merged protocol; the page allocator has so many tables, and without one it panics."""
    setup = merged.good.setup(
        {
            "cpus": cpus,
            "layout": layout,
            "noabort": noabort,
            "hardware": hardware,
            "window": window,
        }
    )
    return replace(
        setup,
        cpus=tuple(
            cpu._replace(args=tuple(k._replace(free_table_count=tables) for k in cpu.args))
            for cpu in setup.cpus
        ),
    )


class ReturnedError(Exception):
    """An error that fn returns, on its way out of it."""


@routine
async def range_split_or_return(
    cpu: Cpu, k: Kernel, start: int, end: int, state: SplitState
) -> SplitState:
    """`if (ret) return ret;` in place of the panic."""
    try:
        return await range_split_to_ptes(cpu, k, start, end, state)
    except OutOfMemoryError:
        raise ReturnedError from None


@routine
async def split_or_return(cpu: Cpu, k: Kernel) -> None:
    """mmu.c:linear_map_split_to_ptes: multi_cpu_stop() hands on what it returns."""
    try:
        await linear_map_split_to_ptes(cpu, k)
    except ReturnedError:
        return


WITHOUT_PANIC = {
    linear_map_split_to_ptes: split_or_return,
    "linear_map_split_to_ptes/range_split_to_ptes": range_split_or_return,
}

m48_error_without_release = good.twin(
    "An allocation fails and fn returns, the flag not cleared: the others stay parked (inferred).",
    expect="STUCK:terminates",
    replace=WITHOUT_PANIC,
    cpus=2,
    layout="pud",
    tables=1,
    smallest={"cpus": 2, "layout": "contpmd"},
)


@routine
async def tables_for_leaf(cpu: Cpu, k: Kernel, level: int) -> int:  # noqa: ARG001 - as the others
    """Tables that it takes to split a leaf of one level."""
    return 1 if level == PMD else 1 + k.entries


@routine
async def count_pud_entry(cpu: Cpu, k: Kernel, pudp: int, walk: MmWalk) -> MmWalk:
    """As split_to_ptes_pud_entry(), but it counts what that allocates."""
    if pud_leaf(await cpu.ldr(pudp)):
        walk = walk._replace(private=walk.private + await tables_for_leaf(cpu, k, PUD))
    return walk


@routine
async def count_pmd_entry(cpu: Cpu, k: Kernel, pmdp: int, walk: MmWalk) -> MmWalk:
    """As split_to_ptes_pmd_entry(), but it counts what that allocates."""
    if pmd_leaf(await cpu.ldr(pmdp)):
        walk = walk._replace(private=walk.private + await tables_for_leaf(cpu, k, PMD))
    return walk


count_ops = MmWalkOps(count_pud_entry, count_pmd_entry)


@routine
async def range_count_tables(cpu: Cpu, k: Kernel, start: int, end: int, needed: int) -> int:
    """Tables that range_split_to_ptes() will take for this range, and those that were counted."""
    if start == end:
        return needed
    counted = await walk_kernel_page_table_range_lockless(cpu, k, start, end, count_ops, needed)
    return int(counted)


@routine
async def count_tables_and_split(cpu: Cpu, k: Kernel) -> None:
    """Allocate all tables before stop_machine(): count what there is to split."""
    lend = k.lm_first + k.lm_count
    needed = await range_count_tables(cpu, k, k.lm_first, k.kernel_first, 0)
    needed = await range_count_tables(cpu, k, k.kernel_first + k.kernel_count, lend, needed)
    if needed > k.free_table_count:
        await cpu.panic("Failed to allocate page tables")
    await cpu.str(k.scratch, needed)
    await linear_map_maybe_split_to_ptes(cpu, k)


@routine
async def take_preallocated(cpu: Cpu, k: Kernel, state: SplitState) -> tuple[int, SplitState]:
    """The next of the tables that were put aside, if there is one."""
    if state.allocated == await cpu.ldr(k.scratch):
        raise OutOfMemoryError
    return await pgd_pgtable_alloc_init_mm_gfp(cpu, k, state)


preallocated = replace(
    good,
    story="The merged protocol, with tables put aside before stop_machine() (PREEMPT_RT threads).",
    edits=edits(
        {
            linear_map_maybe_split_to_ptes: count_tables_and_split,
            pgd_pgtable_alloc_init_mm_gfp: take_preallocated,
        }
    ),
)


@routine
async def one_table_for_a_leaf(cpu: Cpu, k: Kernel, level: int) -> int:  # noqa: ARG001
    """The level 2 tables below a split PUD are forgotten."""
    return 1


m40_pud_counts_once = preallocated.twin(
    "Too few tables for a PUD were put aside: "
    "panic in mid-split, others parked (PREEMPT_RT threads).",
    expect="VIOLATED:no_panic",
    replace={tables_for_leaf: one_table_for_a_leaf},
    cpus=2,
    layout="pud",
)

m40_m48_pud_counts_once = m40_pud_counts_once.twin(
    "Too few tables were put aside, and fn returns the error: the others stay parked.",
    expect="STUCK:terminates",
    replace=WITHOUT_PANIC,
)


m40_m47_alias_not_counted = preallocated.twin(
    "Tables are put aside without the kernel's alias, and it is split all the same: one too few.",
    expect="VIOLATED:no_panic",
    replace={"linear_map_split_to_ptes/range_split_to_ptes#2": split_from_kstart},
    cpus=2,
    layout="sides",
)

m40_m45_kstart_too_high = preallocated.twin(
    "Tables are put aside for the ranges as they should be, the first goes on into the kernel's "
    "alias: one too few.",
    expect="VIOLATED:no_panic",
    replace={"linear_map_split_to_ptes/range_split_to_ptes#1": split_beyond_kstart},
    cpus=2,
    layout="straddle",
    smallest={"cpus": 2, "layout": "sides"},
)
