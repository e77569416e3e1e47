"""A user address space: one table of pages, the lock that guards it, and its TLB flushes.

The user's pages are translated by TTBR0, non-global, under the ASID that TTBR1 holds. The kernel
has the table, its own words, and the pages themselves at addresses of its own.

Simplified: the user's table is the root of its half, with as many pages as it has entries (fewer
walk caches, no other rules); TLBI by range is TLBI page by page; the lock is a word of the kernel's
data, not of the table's page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from simbbm.arm64.context import Region
from simbbm.arm64.descriptor import RW, Attributes, Descriptor, leaf
from simbbm.arm64.geometry import KERNEL_PAGE, SCALED4
from simbbm.arm64.ops import Cpu
from simbbm.arm64.registers import Regime, Tcr, Ttbr
from simbbm.core.program import repeat_until, routine
from simbbm.linux.hotplug import try_lock

GEOMETRY = SCALED4
READ_ONLY = Attributes(write=False, user=True, user_write=True)
"""A page that the user may read."""
CLEAN = READ_ONLY._replace(dirty_modifier=True)
"""PTE_WRITE and PTE_RDONLY: it may be written, and has not been. The bit of PTE_WRITE is DBM, by
which hardware that manages the dirty state knows."""
DIRTY = CLEAN._replace(write=True)
"""PTE_WRITE alone."""

TABLES_PAGE, DATA_PAGE = 8, 9
"""Physical pages of the tables, and of the kernel's words; below them are the user's pages."""
_ROOMS = ("user pte", "kernel pte", "reserved_pg_dir", "other pte")
"""The tables in their page."""


@dataclass(frozen=True, kw_only=True)
class Mm:
    """struct mm_struct, and the kernel's addresses of what it has."""

    ptep: int
    """The PTE of user page 0, at its kernel address."""
    cont_ptes: int
    page_words: int
    ptl: int
    """Word: the page table lock."""
    words: int
    """Words of the kernel's data, of any use."""
    linear: int
    """The first word of user page 0 at its kernel address: pages 0 and 1 have one."""
    asid: int
    bbml3: bool
    """system_supports_bbml3(); system_supports_bbml2_noabort() until v7.2."""

    def word(self, page: int) -> int:
        """The first word of a user page, at its user address."""
        return page * self.page_words


class UserSpace(NamedTuple):
    """A user address space that is laid out, and a kernel that has it."""

    mm: Mm
    tables: dict[int, tuple[Descriptor, ...]]
    regime: Regime
    symbols: dict[int, str]
    table_names: frozenset[int]
    regions: tuple[Region, ...]


def table_at(name: str) -> int:
    """Physical address of one of the tables."""
    return TABLES_PAGE * GEOMETRY.page_words + _ROOMS.index(name) * GEOMETRY.entries


def user_leaves(
    *attributes: Attributes, contiguous: bool = False, first: int = 0
) -> tuple[Descriptor, ...]:
    """The user's pages in order, to physical pages from `first` on."""
    return tuple(
        leaf(first + i, a, contiguous=contiguous, not_global=True) for i, a in enumerate(attributes)
    )


def user_space(entries: tuple[Descriptor, ...], *, bbml3: bool = False, asid: int = 1) -> UserSpace:
    """Lay out a user address space whose first pages have these entries."""
    words, empty = GEOMETRY.page_words, Descriptor()
    full = (*entries, *(empty,) * (GEOMETRY.entries - len(entries)))
    nothing = (empty,) * GEOMETRY.entries
    kernel = (leaf(TABLES_PAGE), leaf(DATA_PAGE), leaf(0, RW), leaf(1, RW))
    contents = dict(zip(_ROOMS, (full, kernel, nothing, nothing), strict=True))
    names = {table_at(name): name for name in _ROOMS}
    shift = KERNEL_PAGE * words - TABLES_PAGE * words
    names |= {a + shift: n for a, n in names.items()}
    data = (KERNEL_PAGE + 1) * words
    mm = Mm(
        ptep=table_at("user pte") + shift,
        cont_ptes=GEOMETRY.group(3),
        page_words=words,
        ptl=data,
        words=data + 1,
        linear=(KERNEL_PAGE + 2) * words,
        asid=asid,
        bbml3=bbml3,
    )
    return UserSpace(
        mm=mm,
        tables={table_at(name): tuple(table) for name, table in contents.items()},
        regime=Regime(
            (Ttbr(table_at("user pte")),),
            (Ttbr(table_at("kernel pte"), asid),),
            (Tcr(GEOMETRY.entry_bits, GEOMETRY.entry_bits),),
        ),
        symbols={**names, mm.ptl: "ptl", DATA_PAGE * words: "ptl"},
        table_names=frozenset(names),
        regions=(Region(0, GEOMETRY.entries, "user"), Region(KERNEL_PAGE + 2, 2, "linear")),
    )


@routine
async def pte_offset_map_lock(cpu: Cpu, mm: Mm) -> None:
    """memory.c:pte_offset_map_lock: take the page table lock."""
    await repeat_until(try_lock, cpu, mm.ptl)


@routine
async def pte_unmap_unlock(cpu: Cpu, mm: Mm) -> None:
    """mm.h:pte_unmap_unlock."""
    await cpu.stlr(mm.ptl, 0)


@routine
async def __set_ptes(cpu: Cpu, ptep: int, first: Descriptor, count: int) -> None:
    """pgtable.h:__set_ptes: one after the other, no barriers: a user's fault is taken."""
    for i in range(count):
        await cpu.str(ptep + i, first._replace(output=first.output + i))


@routine
async def __flush_tlb_range(cpu: Cpu, mm: Mm, start: int, end: int) -> None:
    """tlbflush.h:__flush_tlb_range, of the last level, on all CPUs."""
    await cpu.dsb("ishst")
    for page in range(start, end):
        await cpu.tlbi("vale1is", page, mm.asid)
    await cpu.dsb("ish")


@routine
async def flush_tlb_page(cpu: Cpu, mm: Mm, page: int) -> None:
    """tlbflush.h:flush_tlb_page."""
    await __flush_tlb_range(cpu, mm, page, page + 1)


@routine
async def local_flush_tlb_range(cpu: Cpu, mm: Mm, start: int, end: int) -> None:
    """tlbflush.h:__flush_tlb_range with TLBF_NOBROADCAST: on this CPU alone.

    Before v7.1 local_flush_tlb_page_nonotify() and local_flush_tlb_contpte().
    """
    await cpu.dsb("nshst")
    for page in range(start, end):
        await cpu.tlbi("vale1", page, mm.asid)
    await cpu.dsb("nsh")
