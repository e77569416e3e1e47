"""Splitting a live leaf at run time: what set_memory_*() asks of mm/mmu.c.

Where all CPUs have BBML2_NOABORT a leaf is split whenever permissions change inside of it, with
nobody parked. `caps` and `online` are words of memory.

Simplified: one boundary is looked at (as since v7 of the series for single pages), permissions do
not change afterwards, and pgtable_split_lock is only what may sleep.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

from simbbm.arm64.descriptor import LEAF, TABLE, Descriptor
from simbbm.arm64.geometry import KERNEL_PAGE
from simbbm.arm64.ops import Cpu
from simbbm.core.program import routine
from simbbm.linux.kernel import Kernel
from simbbm.linux.pgtable import arch_leave_lazy_mmu_mode, pxd_leaf
from simbbm.linux.split import PMD, PTE, PUD, Progress, clear_cont, split_pmd, split_pud


class Caps(IntEnum):
    """What cpufeature.c knows of the system as a whole."""

    NOT_FINAL = 0
    WITHOUT_NOABORT = 1
    NOABORT = 2


class RunningKernel(NamedTuple):
    """A kernel as its functions know it, with what changes while it runs."""

    kernel: Kernel
    caps: int
    """Word: `Caps`."""
    online: int
    """Word: num_online_cpus()."""
    hotplug_lock: int
    """Word: cpu_hotplug_lock."""
    spare: int
    """Tables that the repaint needs: those that run time may have come behind them."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.kernel, name)

    def by_idmap(self) -> RunningKernel:
        """What a CPU without the kernel's mappings goes by: its words' idmap addresses."""
        shift = self.kernel.flag_idmap - self.kernel.flag
        return self._replace(caps=self.caps + shift, hotplug_lock=self.hotplug_lock + shift)


@routine
async def split_at(
    cpu: Cpu, k: Kernel, address: int, level: int, progress: Progress, inside: int
) -> tuple[Descriptor, Progress]:
    """One level of the walk: CONT goes, and a leaf that the boundary lies inside of is split."""
    entry: Descriptor = await cpu.ldr(address)
    if entry.kind == LEAF and entry.contiguous:
        await clear_cont(cpu, address, k.cont_pmds if level == PMD else k.cont_ptes)
        progress = Progress(progress.allocated, pending=True)
    if inside and level in (PUD, PMD) and pxd_leaf(entry):
        split = split_pud if level == PUD else split_pmd
        progress = await split(cpu, k, address, entry, progress)
        entry = await cpu.ldr(address)
    return entry, progress


@routine
async def split_kernel_leaf_mapping_locked(
    cpu: Cpu, k: Kernel, page: int, progress: Progress
) -> Progress:
    """mmu.c:split_kernel_leaf_mapping_locked: no leaf crosses the start of this page any more."""
    table, offset = k.swapper_pg_dir, page - KERNEL_PAGE
    for level in range(k.root_level, PTE + 1):
        size = k.pages(level)
        address = table + offset // size % k.entries
        inside = offset % size
        entry, progress = await split_at(cpu, k, address, level, progress, inside)
        if inside == 0 or entry.kind != TABLE:
            break
        table = k.linear(entry.output)
    return progress


@routine
async def leaf_of(cpu: Cpu, k: Any, page: int) -> tuple[int, int, Descriptor]:
    """pagewalk.c: the entry that maps a page: where it is, its level, and what it says."""
    base, level, offset = k.swapper_pg_dir, k.root_level, page - KERNEL_PAGE
    while True:
        address = base + offset // k.pages(level) % k.entries
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
    progress = Progress(k.spare)
    progress = await split_kernel_leaf_mapping_locked(cpu, k.kernel, page, progress)
    if progress.pending:
        await arch_leave_lazy_mmu_mode(cpu)
