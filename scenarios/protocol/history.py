"""The protocol's own history: what each version of it does, as edits of what was merged in v6.18.

`simbbm check history` says which version had which problem. It finds what reviewers found, by
another way; where the review only asked (READ_ONCE in v4) it answers. The first number of a name is
the version of the patch series that had it last, from v3 (March 2025) to v8 (September 2025), or
the kernel release.

Versions differ in more than is told here: only what bears on the protocol is modelled, and what is
the same in this model is not repeated (the flag of its own in v4 to v6, the assembler's `.long 1`).
What was mended after the merge is told here too, where it is about the live map: also splits at run
time, and in a realm (`realm`). Not told: v7's pud_leaf() and pmd_leaf(), which did not know invalid
entries; 53357f14f924, which only tidies; erratum 4118414 (June 2026), which has its own page.

Simplified: where nobody may sleep, interrupts are masked; in a softirq they are not (misses: one
could come).
"""

from __future__ import annotations

from dataclasses import replace

from simbbm_scenarios import late_cpu, realm
from simbbm_scenarios import linear_map_split as merged
from simbbm_scenarios.catalogue import wait_with_read_once
from simbbm_scenarios.catalogue_walk import split_first_region, split_pmd_into_valid

from simbbm import (
    Cpu,
    Descriptor,
    routine,
)
from simbbm.linux.kernel import Kernel
from simbbm.linux.mmu import (
    SplitState,
    linear_map_split_to_ptes,
    pgd_pgtable_alloc_init_mm_gfp,
    range_split_to_ptes,
    split_pmd,
    split_to_ptes_pmd_entry,
)
from simbbm.linux.pagewalk import Action, MmWalk
from simbbm.linux.pgtable import PMD, __set_pte, arch_leave_lazy_mmu_mode, set_pmd, set_pud
from simbbm.linux.set_memory import RunningKernel, split_kernel_leaf_mapping

v6_18 = replace(
    merged.good,
    story="v6.18, as merged (v8 of the series): no problem in what it was written for.",
)

# The series.

v3_only_boot_cpu = v6_18.twin(
    "v3: only the boot CPU runs fn. The others spin in multi_cpu_stop() through the map that is "
    "being split (mended in v4: they wait in the idmap).",
    expect="VIOLATED:no_size_change_seen",
    replace={linear_map_split_to_ptes: merged.split_on_boot_cpu_only},
    cpus=2,
    layout="pmd",
)


v3_gfp_kernel = v6_18.twin(
    "v3: tables are allocated with GFP_KERNEL, with interrupts off (mended in v4: GFP_ATOMIC).",
    expect="VIOLATED:no_sleep_in_atomic",
    replace={pgd_pgtable_alloc_init_mm_gfp: merged.alloc_with_gfp_kernel},
    cpus=2,
    layout="pmd",
)


v4_read_once = v6_18.twin(
    "v4: the boot CPU waits with READ_ONCE(). Asked in review, harmless: its stores depend on what "
    "it waited for, and what it loads nobody else writes (changed in v5).",
    expect="HOLDS",
    replace={"linear_map_split_to_ptes/smp_cond_load_acquire": wait_with_read_once},
    cpus=2,
    layout="pmd",
    window=4,
)


v5_memblock = v6_18.twin(
    "v3 to v5: memblock's regions are walked; if the list has changed since the map was made, a "
    "block stays (mended in v6: the tables are walked).",
    expect="VIOLATED:all_ptes_at_end",
    replace={"linear_map_split_to_ptes/range_split_to_ptes": split_first_region},
    cpus=2,
    layout="regions",
)


@routine
async def range_split_to_ptes_locked(
    cpu: Cpu, k: Kernel, start: int, end: int, state: SplitState
) -> SplitState:
    """mutex_lock(&pgtable_split_lock)."""
    await cpu.might_sleep()
    return await range_split_to_ptes(cpu, k, start, end, state)


v5_split_lock = v6_18.twin(
    "v5: the split takes a mutex, also inside stop_machine() (mended in v6: a walk without locks).",
    expect="VIOLATED:no_sleep_in_atomic",
    replace={range_split_to_ptes: range_split_to_ptes_locked},
    cpus=2,
    layout="pages",
)


@routine
async def go_on_below(cpu: Cpu, k: Kernel, pmdp: int, walk: MmWalk) -> MmWalk:
    """No ACTION_CONTINUE."""
    walk = await split_to_ptes_pmd_entry(cpu, k, pmdp, walk)
    return walk._replace(action=Action.SUBTREE)


v6_visits_new_ptes = v6_18.twin(
    "v6: the walk visits the PTEs that it has just made. Asked in review, harmless: it costs a "
    "load for each (changed in v7: ACTION_CONTINUE).",
    expect="HOLDS",
    replace={split_to_ptes_pmd_entry: go_on_below},
    cpus=2,
    layout="pmd",
)

v7_contpmd = v6_18.twin(
    "v7: new PTEs are not contiguous (to_cont=false), so that ACTION_CONTINUE leaves none behind.",
    expect="HOLDS",
    cpus=2,
    layout="contpmd",
)

# Later. Release candidates of v6.18 first.


@routine
async def set_at_once(cpu: Cpu, entryp: int, entry: Descriptor) -> None:
    """Outside of lazy MMU mode: behind what is valid, the barriers that the mode puts off."""
    await cpu.str(entryp, entry)
    if entry.valid:
        await arch_leave_lazy_mmu_mode(cpu)


v6_18_rc_barriers_at_once = v6_18.twin(
    "v6.18-rc: the repaint does not use lazy MMU mode. Harmless: it costs barriers behind every "
    "entry (changed by 40a292f70147, November 2025).",
    expect="HOLDS",
    replace={set_pud: set_at_once, set_pmd: set_at_once, __set_pte: set_at_once},
    drop=[
        "range_split_to_ptes/arch_leave_lazy_mmu_mode.dsb.ishst",
        "range_split_to_ptes/arch_leave_lazy_mmu_mode.isb",
    ],
    cpus=2,
    layout="pmd",
)


@routine
async def arch_kfence_init_pool(cpu: Cpu, k: RunningKernel) -> None:
    """mmu.c:arch_kfence_init_pool: late, but before use. The pool is one block; no flush."""
    pool = k.lm_first
    await range_split_to_ptes(cpu, k, pool, pool + k.pages(PMD), SplitState(k.spare))


@routine
async def is_made_of_pages(cpu: Cpu, k: RunningKernel, page: int) -> bool:  # noqa: ARG001 - no step
    """is_kfence_address(), or force_pte_mapping() with DEBUG_PAGEALLOC: known, not looked up."""
    return bool(page - k.lm_first < k.pages(PMD))


@routine
async def kfence_protect_page(cpu: Cpu, k: RunningKernel, page: int) -> None:
    """kfence.h:kfence_protect_page, as far as it splits, once there is a pool; in a softirq."""
    await arch_kfence_init_pool(cpu, k)
    await cpu.daifset()
    if not await is_made_of_pages(cpu, k, page):
        await split_kernel_leaf_mapping(cpu, k, page)
    await cpu.daifclr()


v6_18_kfence = late_cpu.good.twin(
    "v6.18: KFENCE's pool is split before use, with no flush as all CPUs have noabort; then pages "
    "are protected in a softirq without a mutex (since ce2b3a50ad92, November 2025).",
    expect="HOLDS",
    replace={split_kernel_leaf_mapping: kfence_protect_page},
    cpus=2,
)


@routine
async def not_known(cpu: Cpu, k: RunningKernel, page: int) -> bool:  # noqa: ARG001 - as the test
    """Nobody asks."""
    return False


v6_18_rc_mutex_in_softirq = v6_18_kfence.twin(
    "v6.18-rc: split_kernel_leaf_mapping() takes its mutex before it looks whether there is "
    "anything to split, also in a softirq (mended by ce2b3a50ad92, November 2025).",
    expect="VIOLATED:no_sleep_in_atomic",
    replace={is_made_of_pages: not_known},
)

v6_18_preempt_rt = v6_18.twin(
    "v6.18 under PREEMPT_RT: GFP_ATOMIC takes locks that sleep, with interrupts off (threads of "
    "December 2025, not settled).",
    expect="VIOLATED:no_sleep_in_atomic",
    replace={pgd_pgtable_alloc_init_mm_gfp: merged.alloc_with_gfp_kernel},
    cpus=2,
    layout="pmd",
)

v6_18_realm = replace(
    realm.refused_until_final,
    story="v6.18: the boot CPU of a realm cannot share a page of a block before capabilities are "
    "final (mended by f12b435de2f2, March 2026: it can while it is alone).",
)

v6_18_realm_block = replace(
    realm.invalid_block_ignored,
    story="v6.18: a block that a realm shares as a whole is made invalid and never valid again "
    "(mended by 15bfba1ad77f, March 2026).",
)

v6_18_invalid_block = v6_18.twin(
    "v6.18: a large leaf that was made invalid is split into valid pages (mended by "
    "15bfba1ad77f, March 2026).",
    expect="VIOLATED:translations_preserved",
    replace={split_pmd: split_pmd_into_valid},
    cpus=2,
    layout="invalid",
)
