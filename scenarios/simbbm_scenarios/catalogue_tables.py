"""More ways to get it wrong: when there is no page left for a table.

Numbers are those of the catalogue of mutants; the story of each single mistake ends with where it
comes from. Defaults are the smallest machine on which it shows. What the kernel returns as -ENOMEM
is an exception here.

Simplified: the allocator hands out so many tables and then fails; it takes no locks (fewer
behaviours).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal, NamedTuple

from simbbm_scenarios import linear_map_split as merged
from simbbm_scenarios.catalogue_walk import repaint_everything

from simbbm import (
    KERNEL_PAGE,
    TABLE,
    Cpu,
    CpuSet,
    Descriptor,
    Range,
    Setup,
    edits,
    routine,
    scenario,
)
from simbbm.linux.kernel import Kernel
from simbbm.linux.layout import LayoutName
from simbbm.linux.mmu import boot_cpu_part, linear_map_maybe_split_to_ptes, repaint
from simbbm.linux.pgtable import pxd_leaf
from simbbm.linux.split import (
    PMD,
    PUD,
    Progress,
    split_pmd,
    split_pud,
)


class Finite(NamedTuple):
    """A kernel as its functions know it, and how many tables its allocator has."""

    kernel: Kernel
    tables: int

    def __getattr__(self, name: str) -> Any:
        return getattr(self.kernel, name)


class OutOfMemoryError(Exception):
    """-ENOMEM, on its way up through the walk."""


@routine
async def pgd_pgtable_alloc(cpu: Cpu, k: Any, allocated: int) -> None:  # noqa: ARG001 - as others
    """mmu.c:pgd_pgtable_alloc_init_mm_gfp: there may be no page left."""
    if allocated == k.tables:
        raise OutOfMemoryError


@routine
async def alloc_and_split_pud(
    cpu: Cpu, k: Any, address: int, pud: Descriptor, progress: Progress
) -> Progress:
    """mmu.c:split_pud, with what it returns early on."""
    await pgd_pgtable_alloc(cpu, k, progress.allocated)
    return await split_pud(cpu, k, address, pud, progress)


@routine
async def alloc_and_split_pmd(
    cpu: Cpu, k: Any, address: int, pmd: Descriptor, progress: Progress
) -> Progress:
    """mmu.c:split_pmd, with what it returns early on."""
    await pgd_pgtable_alloc(cpu, k, progress.allocated)
    return await split_pmd(cpu, k, address, pmd, progress)


@routine
async def split_or_panic(cpu: Cpu, k: Any) -> None:
    """mmu.c:linear_map_split_to_ptes: an error of range_split_to_ptes ends in panic()."""
    try:
        await boot_cpu_part(cpu, k)
    except OutOfMemoryError:
        await cpu.panic("Failed to split linear map")


@scenario(evidence="proved")
def finite(
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
            cpu._replace(args=tuple(Finite(k, tables) for k in cpu.args)) for cpu in setup.cpus
        ),
    )


good = replace(
    finite,
    edits=edits(
        {
            split_pud: alloc_and_split_pud,
            split_pmd: alloc_and_split_pmd,
            boot_cpu_part: split_or_panic,
        }
    ),
)
del finite


@routine
async def split_or_return(cpu: Cpu, k: Any) -> None:
    """On an error the boot CPU returns at once."""
    try:
        await boot_cpu_part(cpu, k)
    except OutOfMemoryError:
        return


m48_error_without_release = good.twin(
    "An allocation fails and fn returns, the flag not cleared: the others stay parked (inferred).",
    expect="STUCK:terminates",
    replace={boot_cpu_part: split_or_return},
    cpus=2,
    layout="pud",
    tables=1,
    smallest={"cpus": 2, "layout": "contpmd"},
)


@routine
async def tables_for_leaf(cpu: Cpu, k: Any, level: int) -> int:  # noqa: ARG001 - as the others
    """Tables that it takes to split a leaf of one level."""
    return 1 if level == PMD else 1 + int(k.entries)


@routine
async def tables_for_entry(
    cpu: Cpu, k: Any, address: int, level: int, span: tuple[int, int, int]
) -> int:
    """Tables that it takes to split what one entry maps."""
    entry = await cpu.ldr(address)
    if level in (PUD, PMD) and pxd_leaf(entry):
        return await tables_for_leaf(cpu, k, level)
    if level < PMD and entry.kind == TABLE:
        return await tables_below(cpu, k, k.linear(entry.output), level + 1, span)
    return 0


@routine
async def tables_below(cpu: Cpu, k: Any, table: int, level: int, span: tuple[int, int, int]) -> int:
    """Tables that it takes to split what one table maps of [first, end); `span` as in the walk."""
    needed = 0
    page, first, end = span
    size = k.pages(level)
    for i in range(k.entries):
        at = page + i * size
        if at < end and at + size > first:
            needed += await tables_for_entry(cpu, k, table + i, level, (at, first, end))
    return needed


@routine
async def count_tables_and_split(cpu: Cpu, k: Any) -> None:
    """Allocate all tables before stop_machine(): count what there is to split."""
    needed = 0
    kernel_end = k.kernel_first + k.kernel_count
    for first, end in ((k.lm_first, k.kernel_first), (kernel_end, k.lm_first + k.lm_count)):
        span = (KERNEL_PAGE, first, end)
        needed += await tables_below(cpu, k, k.swapper_pg_dir, k.root_level, span)
    if needed > k.tables:
        await cpu.panic("Failed to allocate page tables")
    await cpu.str(k.scratch, needed)
    await linear_map_maybe_split_to_ptes(cpu, k)


@routine
async def take_preallocated(cpu: Cpu, k: Any, allocated: int) -> None:
    """The next of the tables that were put aside, if there is one."""
    if allocated == await cpu.ldr(k.scratch):
        raise OutOfMemoryError


preallocated = replace(
    good,
    story="The merged protocol, with tables put aside before stop_machine() (PREEMPT_RT threads).",
    edits=good.edits.merged(
        edits(
            {
                linear_map_maybe_split_to_ptes: count_tables_and_split,
                pgd_pgtable_alloc: take_preallocated,
            }
        )
    ),
)


@routine
async def one_table_for_a_leaf(cpu: Cpu, k: Any, level: int) -> int:  # noqa: ARG001
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
    replace={boot_cpu_part: split_or_return},
)


m40_m47_alias_not_counted = preallocated.twin(
    "Tables are put aside without the kernel's alias, and it is split all the same: one too few.",
    expect="VIOLATED:no_panic",
    replace={repaint: repaint_everything},
    cpus=2,
    layout="sides",
)
