"""More ways to get it wrong: what the walk visits, and what it writes.

Numbers are those of the catalogue of mutants; the story of each single mistake ends with where it
comes from. Defaults are the smallest machine on which it shows.
"""

from __future__ import annotations

from simbbm_scenarios.catalogue import good

from simbbm import (
    LEAF,
    Cpu,
    Descriptor,
    routine,
)
from simbbm.linux.kernel import Kernel
from simbbm.linux.mmu import repaint
from simbbm.linux.pgtable import fill_table, set_entry
from simbbm.linux.split import PMD, Progress, range_split_to_ptes, split_to_ptes_pmd_entry

# What the walk visits: mutants 42, 44 and 47.


@routine
async def never_go_below_pmd(
    cpu: Cpu, k: Kernel, address: int, progress: Progress
) -> tuple[bool, Progress]:
    """ACTION_CONTINUE whatever the PMD was."""
    _, progress = await split_to_ptes_pmd_entry(cpu, k, address, progress)
    return False, progress


m42_continue_at_tables = good.twin(
    "ACTION_CONTINUE also where the PMD was a table before: "
    "contiguous PTEs remain (from v7's 6/6).",
    expect="VIOLATED:all_ptes_at_end",
    replace={split_to_ptes_pmd_entry: never_go_below_pmd},
    cpus=2,
    layout="contpte",
)


@routine
async def repaint_first_region(cpu: Cpu, k: Kernel) -> None:
    """Memblock's regions by now: the one behind the hole is not in the list any more."""
    await range_split_to_ptes(cpu, k, k.lm_first, k.pages(PMD), Progress())


m44_region_missed = good.twin(
    "Memblock's regions are walked, not the tables: one has left the list, unsplit (review of v5).",
    expect="VIOLATED:all_ptes_at_end",
    replace={repaint: repaint_first_region},
    cpus=2,
    layout="regions",
    smallest={"cpus": 2, "layout": "contpmd"},
)


@routine
async def repaint_everything(cpu: Cpu, k: Kernel) -> None:
    """The linear map with the kernel's alias in it."""
    await range_split_to_ptes(cpu, k, k.lm_first, k.lm_count, Progress())


m47_alias_not_excluded = good.twin(
    "The kernel's alias is split too: harmless, it costs a table for each block (v6 excludes it).",
    expect="HOLDS",
    replace={repaint: repaint_everything},
    cpus=2,
    layout="sides",
)

# What the walk writes: mutants 41, 46 and 50.


@routine
async def fill_table_with_cont(
    cpu: Cpu, k: Kernel, child: int, block: Descriptor, stride: int
) -> None:
    """The snapshot of the PMD is older than clear_cont(): its CONT goes into every PTE."""
    for i in range(k.entries):
        entry = block._replace(output=block.output + i * stride)
        await set_entry(cpu, k.linear(child) + i, entry)


m41_split_keeps_cont = good.twin(
    "split_pmd() copies CONT from a PMD that was read before it was cleared (v7's 6/6 drops it).",
    expect="VIOLATED:all_ptes_at_end",
    replace={fill_table: fill_table_with_cont},
    cpus=2,
    layout="contpmd",
)


@routine
async def fill_table_with_valid(
    cpu: Cpu, k: Kernel, child: int, block: Descriptor, stride: int
) -> None:
    """Whatever the block was, its pages are valid."""
    await fill_table(cpu, k, child, block._replace(kind=LEAF, software=0), stride)


m46_invalid_block_resurrected = good.twin(
    "An invalid large leaf is split into valid pages: mapped again (fixed by 15bfba1ad77f).",
    expect="VIOLATED:translations_preserved",
    replace={fill_table: fill_table_with_valid},
    cpus=2,
    layout="invalid",
)


@routine
async def set_entry_in_halves(cpu: Cpu, address: int, entry: Descriptor) -> None:
    """Two stores: first what kind of descriptor it is, then its output address."""
    old = await cpu.ldr(address)
    await cpu.str(address, entry._replace(output=old.output))
    await set_entry(cpu, address, entry)


m50_torn_descriptor = good.twin(
    "A descriptor is written by two stores: in between the live map leads nowhere (inferred).",
    expect="VIOLATED:no_fault_on_live_map",
    replace={set_entry: set_entry_in_halves},
    cpus=2,
    layout="pmd",
)
