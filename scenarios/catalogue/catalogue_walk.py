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
from simbbm.linux.mmu import (
    SplitState,
    range_split_to_ptes,
    split_pmd,
    split_to_ptes_pmd_entry,
)
from simbbm.linux.pagewalk import Action, MmWalk
from simbbm.linux.pgtable import PMD, __set_pte, set_pmd, set_pud

# What the walk visits: mutants 42, 44 and 47.


@routine
async def never_go_below_pmd(cpu: Cpu, k: Kernel, pmdp: int, walk: MmWalk) -> MmWalk:
    """ACTION_CONTINUE whatever the PMD was."""
    walk = await split_to_ptes_pmd_entry(cpu, k, pmdp, walk)
    return walk._replace(action=Action.CONTINUE)


m42_continue_at_tables = good.twin(
    "ACTION_CONTINUE also where the PMD was a table before: "
    "contiguous PTEs remain (from v7's 6/6).",
    expect="VIOLATED:all_ptes_at_end",
    replace={split_to_ptes_pmd_entry: never_go_below_pmd},
    cpus=2,
    layout="contpte",
)


@routine
async def split_first_region(
    cpu: Cpu, k: Kernel, start: int, end: int, state: SplitState
) -> SplitState:
    """Memblock's regions by now: the one behind the hole is not in the list any more."""
    return await range_split_to_ptes(cpu, k, start, min(end, start + k.pages(PMD)), state)


m44_region_missed = good.twin(
    "Memblock's regions are walked, not the tables: one has left the list, unsplit (review of v5).",
    expect="VIOLATED:all_ptes_at_end",
    replace={"linear_map_split_to_ptes/range_split_to_ptes": split_first_region},
    cpus=2,
    layout="regions",
    smallest={"cpus": 2, "layout": "contpmd"},
)


@routine
async def split_from_kstart(
    cpu: Cpu, k: Kernel, start: int, end: int, state: SplitState
) -> SplitState:
    """[kstart, lend), with the kernel's alias in it."""
    return await range_split_to_ptes(cpu, k, start - k.kernel_count, end, state)


m47_alias_not_excluded = good.twin(
    "The kernel's alias is split too: harmless, it costs a table for each block (v6 excludes it).",
    expect="HOLDS",
    replace={"linear_map_split_to_ptes/range_split_to_ptes#2": split_from_kstart},
    cpus=2,
    layout="sides",
)

# Where the ranges end and begin: mutant 45. A block that kstart or kend lies in the middle of is
# split as a whole, since the walk comes to it from outside.


@routine
async def split_to_block_of_kstart(
    cpu: Cpu, k: Kernel, start: int, end: int, state: SplitState
) -> SplitState:
    """[lstart, kstart), which is rounded down to the block that it lies in."""
    return await range_split_to_ptes(cpu, k, start, end - end % k.pages(PMD), state)


m45_kstart_too_low = good.twin(
    "The first range ends with the last whole block before kstart: a block that the kernel's alias "
    "shares stays (by inference).",
    expect="VIOLATED:all_ptes_at_end",
    replace={"linear_map_split_to_ptes/range_split_to_ptes#1": split_to_block_of_kstart},
    cpus=2,
    layout="straddle",
)


@routine
async def split_behind_block_of_kend(
    cpu: Cpu, k: Kernel, start: int, end: int, state: SplitState
) -> SplitState:
    """[kend, lend), where kend is rounded up to the end of the block that it lies in."""
    return await range_split_to_ptes(cpu, k, start + -start % k.pages(PMD), end, state)


m45_kend_too_high = good.twin(
    "The second range begins with the first whole block behind kend: a block that the kernel's "
    "alias shares stays (by inference).",
    expect="VIOLATED:all_ptes_at_end",
    replace={"linear_map_split_to_ptes/range_split_to_ptes#2": split_behind_block_of_kend},
    cpus=2,
    layout="straddle",
)


@routine
async def split_beyond_kstart(
    cpu: Cpu, k: Kernel, start: int, end: int, state: SplitState
) -> SplitState:
    """One block more, if there is one."""
    end = min(end + k.pages(PMD), k.lm_first + k.lm_count)
    return await range_split_to_ptes(cpu, k, start, end, state)


m45_kstart_too_high = good.twin(
    "The first range goes on into the kernel's alias: harmless, it costs a table (by inference).",
    expect="HOLDS",
    replace={"linear_map_split_to_ptes/range_split_to_ptes#1": split_beyond_kstart},
    cpus=2,
    layout="straddle",
)


@routine
async def split_from_before_kend(
    cpu: Cpu, k: Kernel, start: int, end: int, state: SplitState
) -> SplitState:
    """One block more, if there is one."""
    start = max(start - k.pages(PMD), k.lm_first)
    return await range_split_to_ptes(cpu, k, start, end, state)


m45_kend_too_low = good.twin(
    "The second range begins inside of the kernel's alias: harmless, it costs a table (by "
    "inference).",
    expect="HOLDS",
    replace={"linear_map_split_to_ptes/range_split_to_ptes#2": split_from_before_kend},
    cpus=2,
    layout="straddle",
)


@routine
async def split_from_behind_lend(
    cpu: Cpu, k: Kernel, _: int, end: int, state: SplitState
) -> SplitState:
    """[kend, lend), where kend is an address of the image, far above the linear map."""
    return await range_split_to_ptes(cpu, k, k.text + k.kernel_count, end, state)


m45_kend_of_the_image = good.twin(
    "kend is not the linear alias of __init_begin but its own address (no lm_alias()): -EINVAL, a "
    "panic (by inference).",
    expect="VIOLATED:no_panic",
    replace={"linear_map_split_to_ptes/range_split_to_ptes#2": split_from_behind_lend},
    cpus=2,
    layout="pages",
)

# What the walk writes: mutants 41, 46 and 50.


@routine
async def split_pmd_keeping_cont(
    cpu: Cpu, k: Kernel, pmdp: int, pmd: Descriptor, state: SplitState
) -> SplitState:
    """The snapshot of the PMD is older than split_contpmd(): its CONT goes into every PTE."""
    return await split_pmd(cpu, k, pmdp, pmd, state, pmd.contiguous)


m41_split_keeps_cont = good.twin(
    "split_pmd() copies CONT from a PMD that was read before it was cleared (v7's 6/6 drops it).",
    expect="VIOLATED:all_ptes_at_end",
    replace={split_pmd: split_pmd_keeping_cont},
    cpus=2,
    layout="contpmd",
)


@routine
async def split_pmd_into_valid(
    cpu: Cpu, k: Kernel, pmdp: int, pmd: Descriptor, state: SplitState
) -> SplitState:
    """Whatever the block was, its pages are valid."""
    return await split_pmd(cpu, k, pmdp, pmd._replace(kind=LEAF, software=0), state)


m46_invalid_block_resurrected = good.twin(
    "An invalid large leaf is split into valid pages: mapped again (fixed by 15bfba1ad77f).",
    expect="VIOLATED:translations_preserved",
    replace={split_pmd: split_pmd_into_valid},
    cpus=2,
    layout="invalid",
)


@routine
async def set_in_halves(cpu: Cpu, entryp: int, entry: Descriptor) -> None:
    """Two stores: first what kind of descriptor it is, then its output address."""
    old = await cpu.ldr(entryp)
    await cpu.str(entryp, entry._replace(output=old.output))
    await cpu.str(entryp, entry)


m50_torn_descriptor = good.twin(
    "A descriptor is written by two stores: in between the live map leads nowhere (inferred).",
    expect="VIOLATED:no_fault_on_live_map",
    replace={set_pud: set_in_halves, set_pmd: set_in_halves, __set_pte: set_in_halves},
    cpus=2,
    layout="pmd",
)
