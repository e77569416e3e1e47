"""Splitting a live leaf at run time: what set_memory_*() asks of mm/mmu.c.

Where all CPUs have BBML2_NOABORT a leaf is split whenever permissions change inside of it, with
nobody parked. What a leaf is split into is contiguous at first, group by group; then CONT goes from
the group that the boundary lies inside of, on the live table. `caps` and `online` are words of
memory.

Simplified: one boundary is looked at (as since v7 of the series for single pages), and
pgtable_split_lock is only what may sleep. What changes then: scenarios `live_change`, `realm`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from simbbm.arm64.descriptor import TABLE, Descriptor
from simbbm.arm64.geometry import KERNEL_PAGE
from simbbm.arm64.ops import Cpu
from simbbm.core.program import routine
from simbbm.linux.kernel import Kernel
from simbbm.linux.mmu import SplitState, split_contpmd, split_contpte, split_pmd, split_pud
from simbbm.linux.pgtable import PMD, PTE, PUD, arch_leave_lazy_mmu_mode, offset_in, pmd_leaf


class Caps(IntEnum):
    """What cpufeature.c knows of the system as a whole."""

    NOT_FINAL = 0
    WITHOUT_NOABORT = 1
    NOABORT = 2


@dataclass(frozen=True, kw_only=True)
class RunningKernel(Kernel):
    """A kernel with what changes while it runs."""

    caps: int
    """Word: `Caps`."""
    online: int
    """Word: num_online_cpus()."""
    hotplug_lock: int
    """Word: cpu_hotplug_lock."""
    spare: int
    """Tables that the repaint needs: those that run time may have come behind them."""

    def by_idmap(self) -> RunningKernel:
        """What a CPU without the kernel's mappings goes by: its words' idmap addresses."""
        shift = self.flag_idmap - self.flag
        return self._replace(caps=self.caps + shift, hotplug_lock=self.hotplug_lock + shift)


def group_pages(k: Kernel, level: int) -> int:
    """CONT_PMD_SIZE, CONT_PTE_SIZE: pages of a group; where there is none, of an entry."""
    return k.pages(level) * {PMD: k.cont_pmds, PTE: k.cont_ptes}.get(level, 1)


@routine
async def split_cont(
    cpu: Cpu, k: Kernel, address: int, level: int, state: SplitState
) -> SplitState:
    """CONT goes from a group, on the live table: pages that were made invalid have it as well."""
    if level == PMD:
        await split_contpmd(cpu, k, address)
    else:
        await split_contpte(cpu, k, address)
    return state._replace(pending=True)


@routine
async def split_at(
    cpu: Cpu, k: Kernel, address: int, level: int, state: SplitState, inside: int
) -> tuple[Descriptor, SplitState]:
    """One level: CONT goes, and a leaf with the boundary inside of it becomes a table of groups."""
    entry: Descriptor = await cpu.ldr(address)
    if not pmd_leaf(entry):
        return entry, state
    if entry.contiguous:
        state = await split_cont(cpu, k, address, level, state)
    if inside and level in (PUD, PMD):
        if level == PUD:
            state = await split_pud(cpu, k, address, entry, state, True)  # noqa: FBT003
        else:
            state = await split_pmd(cpu, k, address, entry, state, True)  # noqa: FBT003
        entry = await cpu.ldr(address)
    return entry, state


@routine
async def split_kernel_leaf_mapping_locked(
    cpu: Cpu, k: Kernel, page: int, state: SplitState
) -> SplitState:
    """mmu.c:split_kernel_leaf_mapping_locked: no leaf crosses the start of this page any more.

    Where the page is aligned to what an entry, or a group of them, maps, nothing does.
    """
    table = k.swapper_pg_dir
    for level in range(k.root_level, PTE + 1):
        if (page - KERNEL_PAGE) % group_pages(k, level) == 0:
            break
        address = offset_in(k, table, level, page)
        inside = (page - KERNEL_PAGE) % k.pages(level)
        entry, state = await split_at(cpu, k, address, level, state, inside)
        if entry.kind != TABLE:
            break
        table = k.linear(entry.output)
    return state


@routine
async def leaf_of(cpu: Cpu, k: Kernel, page: int) -> tuple[int, int, Descriptor]:
    """pagewalk.c: the entry that maps a page: where it is, its level, and what it says."""
    base, level = k.swapper_pg_dir, k.root_level
    while True:
        address = offset_in(k, base, level, page)
        entry: Descriptor = await cpu.ldr(address)
        if entry.kind != TABLE or level == PTE:
            return address, level, entry
        base, level = k.linear(entry.output), level + 1


@routine
async def may_split_live(cpu: Cpu, k: RunningKernel) -> bool:
    """mmu.c:split_kernel_leaf_mapping: its tests, since f12b435de2f2 (else -EBUSY, or nothing)."""
    caps = await cpu.ldr(k.caps)
    if caps != Caps.NOT_FINAL:
        return bool(caps == Caps.NOABORT)
    return bool(await cpu.ldr(k.online) == 1)


@routine
async def split_kernel_leaf_mapping(cpu: Cpu, k: RunningKernel, page: int) -> None:
    """mmu.c:split_kernel_leaf_mapping, called by mm/pageattr.c for set_memory_*()."""
    if not await may_split_live(cpu, k):
        return
    await cpu.might_sleep()
    state = await split_kernel_leaf_mapping_locked(cpu, k, page, SplitState(k.spare))
    if state.pending:
        await arch_leave_lazy_mmu_mode(cpu)
