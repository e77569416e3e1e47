"""A realm shares pages with its host: arm64's mm/pageattr.c, and what it asks of mm/mmu.c.

A realm guest (Arm CCA) "decrypts" the pages that it uses for DMA: the output address of their leaf
gains PROT_NS_SHARED, the top bit of the guest's physical addresses. So it is another output, and
the leaf is broken and made; and before that the pages must have leaves of their own.

Simplified: the leaf of a page is looked up from the root (the kernel walks a range once, fewer
loads), what the host does with the pages is not modelled (fewer behaviours), and errors are numbers
(WARN_ON() is left out).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from simbbm.arm64.descriptor import INVALID, LEAF, Descriptor, leaves, table
from simbbm.arm64.geometry import KERNEL_PAGE, LEAF_LEVEL, Geometry
from simbbm.arm64.ops import Cpu
from simbbm.arm64.state import Machine
from simbbm.core.program import routine
from simbbm.linux.layout import Layout
from simbbm.linux.mmu import SplitState
from simbbm.linux.pgtable import (
    PMD,
    PTE,
    PTE_PRESENT_INVALID,
    PUD,
    __set_pte,
    arch_leave_lazy_mmu_mode,
    pmd_leaf,
    set_pmd,
    set_pud,
)
from simbbm.linux.set_memory import (
    Caps,
    RunningKernel,
    leaf_of,
    may_split_live,
    split_kernel_leaf_mapping_locked,
)
from simbbm.linux.stop_machine import is_set
from simbbm.linux.tlbflush import flush_tlb_kernel_range

PROT_NS_SHARED = 1 << 40
"""In a leaf's output page: above every page that there is."""

Change = Callable[[Descriptor], Descriptor]
"""set_pageattr_masks() with the masks of one caller."""


class Answer(IntEnum):
    """What split_kernel_leaf_mapping() comes to, before it splits anything."""

    SPLIT = 1
    LEAVE_AS_IS = 0
    EBUSY = -16


EINVAL = -22


@dataclass(frozen=True, kw_only=True)
class RealmKernel(RunningKernel):
    """A running kernel, and what matters while it boots as a realm."""

    page_alloc_available: int
    """Word: page_alloc_available, set by mem_init()."""
    cpu_on: int
    """Word: whether PSCI has been asked to start the other CPUs."""
    dma_start: int
    """The first page that a driver shares, and the first behind them."""
    dma_end: int

    def physical(self, word: int) -> int:
        """Where a word of .bss is, which is also its address in the idmap."""
        return word + self.flag_idmap - self.flag


def shared_but_invalid(entry: Descriptor) -> Descriptor:
    """__set_memory_enc_dec's first masks: the new output is there already, but nobody may use it.

    PTE_PRESENT_INVALID takes the place of the valid bit.
    """
    output = entry.output | PROT_NS_SHARED
    return entry._replace(kind=INVALID, output=output, software=PTE_PRESENT_INVALID)


def valid_again(entry: Descriptor) -> Descriptor:
    """__set_memory_enc_dec's last masks."""
    return entry._replace(kind=LEAF, software=0)


@routine
async def page_alloc_is_available(cpu: Cpu, k: RealmKernel) -> bool:
    """Black-out window (a): before mem_init() there is no page to make a table of."""
    return bool(await cpu.ldr(k.page_alloc_available))


@routine
async def can_split(cpu: Cpu, k: RealmKernel) -> int:
    """mmu.c:split_kernel_leaf_mapping: its tests, since f12b435de2f2."""
    final = await cpu.ldr(k.caps) != Caps.NOT_FINAL
    if not final and not await page_alloc_is_available(cpu, k):
        return Answer.EBUSY
    if await may_split_live(cpu, k):
        return Answer.SPLIT
    return Answer.LEAVE_AS_IS if final else Answer.EBUSY


def boundaries(start: int, end: int) -> tuple[int, ...]:
    """Where no leaf may cross: of a single page, its less aligned end stands for both."""
    if end - start > 1:
        return start, end
    return (min(start, end, key=lambda page: page & -page),)


@routine
async def split_kernel_leaf_mapping(cpu: Cpu, k: RealmKernel, start: int, end: int) -> int:
    """mmu.c:split_kernel_leaf_mapping: the pages from start to end have leaves of their own."""
    answer = await can_split(cpu, k)
    if answer != Answer.SPLIT:
        return answer
    await cpu.might_sleep()
    state = SplitState(k.spare)
    for page in boundaries(start, end):
        state = await split_kernel_leaf_mapping_locked(cpu, k, page, state)
    if state.pending:
        await arch_leave_lazy_mmu_mode(cpu)
    return 0


@routine
async def pageattr_entry(cpu: Cpu, address: int, level: int, old: Descriptor, new: Change) -> bool:
    """pageattr.c:pageattr_pud_entry, pageattr_pmd_entry, pageattr_pte_entry.

    Returns whether barriers are queued: they are for what is valid.
    """
    if level < PTE and not pmd_leaf(old):
        return False
    changed = new(old)
    if level == PUD:
        await set_pud(cpu, address, changed)
    elif level == PMD:
        await set_pmd(cpu, address, changed)
    else:
        await __set_pte(cpu, address, changed)
    return changed.valid


@routine
async def update_range_prot(cpu: Cpu, k: RealmKernel, start: int, end: int, new: Change) -> int:
    """pageattr.c:update_range_prot: a leaf that is not wholly in the range is an error."""
    error = await split_kernel_leaf_mapping(cpu, k, start, end)
    page, pending = start, False
    while page < end and not error:
        address, level, entry = await leaf_of(cpu, k, page)
        size = k.pages(level)
        if page % size or page + size > end:
            error = EINVAL
        else:
            queued = await pageattr_entry(cpu, address, level, entry, new)
            page, pending = page + size, pending or queued
    if pending:
        await arch_leave_lazy_mmu_mode(cpu)
    return error


@routine
async def __change_memory_common(
    cpu: Cpu, k: RealmKernel, start: int, end: int, new: Change
) -> int:
    """pageattr.c:__change_memory_common: no flush where an invalid leaf becomes valid alone."""
    error = await update_range_prot(cpu, k, start, end, new)
    if new is not valid_again:
        await flush_tlb_kernel_range(cpu, k, start, end)
    return error


@routine
async def rsi_set_memory_range_shared(cpu: Cpu) -> None:
    """rsi.h:rsi_set_memory_range_shared: a call of the realm's monitor."""
    await cpu.nop()


@routine
async def __set_memory_enc_dec(cpu: Cpu, k: RealmKernel, start: int, end: int) -> int:
    """pageattr.c:__set_memory_enc_dec, to decrypt: break, ask for it, make."""
    error = await __change_memory_common(cpu, k, start, end, shared_but_invalid)
    if error:
        return error
    await rsi_set_memory_range_shared(cpu)
    return await __change_memory_common(cpu, k, start, end, valid_again)


@routine
async def set_memory_decrypted(cpu: Cpu, k: RealmKernel, start: int, end: int) -> int:
    """mem_encrypt.c:set_memory_decrypted: pages from start to end are shared with the host."""
    return await __set_memory_enc_dec(cpu, k, start, end)


# What else of the boot matters: from when on there are pages to make tables of, and other CPUs.


@routine
async def mem_init(cpu: Cpu, k: RealmKernel) -> None:
    """init.c:mem_init: the page allocator is up."""
    await cpu.str(k.page_alloc_available, 1)


@routine
async def smp_init(cpu: Cpu, k: RealmKernel) -> None:
    """smp.c:smp_init: the other CPUs are started."""
    await cpu.stlr(k.cpu_on, 1)


@routine
async def wait_for_smp_init(cpu: Cpu, k: RealmKernel) -> None:
    """Off, until PSCI's CPU_ON; the word's idmap address is what such a CPU goes by."""
    await cpu.wait(k.physical(k.cpu_on), is_set, acquire=True)


# How to tell what has come of it.


def between_break_and_make(machine: Machine) -> bool:
    """Some leaf has its new output, but is not valid."""
    tables = machine.memory.tables.by_address.values()
    return any(e.kind == INVALID and e.output >= PROT_NS_SHARED for t in tables for e in t.entries)


def tables_with_shared(
    at: Layout, geometry: Geometry, start: int, end: int
) -> dict[int, tuple[Descriptor, ...]]:
    """A layout's tables with these pages shared; the tables that split blocks lie beyond all."""
    tables = dict(at.tables)
    for page in range(start, end):
        address = at.swapper
        for level in range(at.kernel.root_level, LEAF_LEVEL + 1):
            index = geometry.index(page - KERNEL_PAGE, level)
            entry = tables[address][index]
            if level == LEAF_LEVEL:
                entry = entry._replace(output=entry.output | PROT_NS_SHARED)
            elif entry.kind == LEAF:
                child = max(tables) + geometry.entries
                tables[child] = leaves(entry, geometry.pages(level + 1), geometry.entries)
                entry = table(child)
            entries = list(tables[address])
            entries[index] = entry
            tables[address] = tuple(entries)
            address = entry.output
    return tables
