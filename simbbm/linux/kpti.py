"""KPTI makes the kernel's mappings non-global: the second user of the flag (mm/mmu.c, mm/proc.S).

The secondaries park as for the split. The boot CPU reaches the swapper's tables through a small
temporary map: one page for each level, which it points from table to table by break-before-make.

Simplified: the temporary tables exist from the start (the kernel allocates them inside
stop_machine(), fewer ways to fail), and lie where the linear map has no alias of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

from simbbm.arm64.context import Region
from simbbm.arm64.descriptor import INVALID_DESCRIPTOR, RW, TABLE, Descriptor, leaf
from simbbm.arm64.geometry import LEAF_LEVEL, Geometry
from simbbm.arm64.ops import Cpu
from simbbm.arm64.registers import Ttbr
from simbbm.arm64.translation.builder import TABLE_NAMES, TableBuilder
from simbbm.core.errors import UsageError
from simbbm.core.program import repeat_until, routine
from simbbm.linux.barrier import equals
from simbbm.linux.kernel import Kernel, extended
from simbbm.linux.layout import Layout
from simbbm.linux.mmu import init_idmap_kpti_bbml2_flag, smp_processor_id_is
from simbbm.linux.mmu_context import cpu_install_idmap, cpu_uninstall_idmap
from simbbm.linux.proc import idmap_cpu_set_reserved_ttbr1, scondary_cpu_wait
from simbbm.linux.stop_machine import stop_machine


@dataclass(frozen=True, kw_only=True)
class KptiKernel(Kernel):
    """A kernel, and where KPTI's temporary map is."""

    swapper: int
    """Physical address of swapper_pg_dir."""
    temp_pgd: int
    """Physical address of the temporary map's root."""
    temp_page: int
    """Virtual page of the first level's window (KPTI_NG_TEMP_VA); those of the others follow."""
    temp_ptes: tuple[int, ...]
    """The word that maps each window, by its virtual address in the temporary map."""


class TempMap(NamedTuple):
    """KPTI's temporary map: its tables by physical address."""

    kernel: KptiKernel
    tables: Mapping[int, tuple[Descriptor, ...]]
    names: Mapping[int, str]
    """Of these tables, and of all that may be seen through a window: `window_pmd.3` is the fourth
    table in the page that the window for level 2 tables maps."""
    regions: tuple[Region, ...]
    """The windows' pages."""


def create_kpti_ng_temp_pgd(at: Layout, geometry: Geometry, k: Kernel) -> TempMap:
    """mmu.c:create_kpti_ng_temp_pgd: windows that map nothing yet, and the words that map them."""
    words = geometry.page_words
    builder = TableBuilder(geometry)
    first = -(-(max(at.tables) + geometry.entries) // words) * words
    allocate = count(first, geometry.entries)
    root = builder.table(next(allocate), "kpti_ng_temp_pgd")
    bits, windows = k.tcr.t1_bits, len(k.level_pages)
    page = _free_pages(at, 1 << bits, windows + 2)
    for window in range(windows):
        builder.map(root, bits, page + window, 0, RW, allocate=allocate, invalid_as=0)
    ptes = [_pte(builder, root, bits, page + window) for window in range(windows)]
    own = {p: page + windows + i for i, p in enumerate(dict.fromkeys(a // words for a in ptes))}
    for physical, virtual in own.items():
        builder.map(root, bits, virtual, physical, RW, allocate=allocate)
    temp_ptes = tuple(own[pte // words] * words + pte % words for pte in ptes)
    kernel = extended(
        k, KptiKernel, swapper=at.swapper, temp_pgd=root, temp_page=page, temp_ptes=temp_ptes
    )
    names = {a: n.replace("@", "@temp+") for a, n in builder.names.items()}
    names |= {own[a // words] * words + a % words: n for a, n in names.items() if a // words in own}
    levels = [TABLE_NAMES[level] for level in range(geometry.start_level(bits), LEAF_LEVEL + 1)]
    for at_page, level in enumerate(levels, page):
        first_words = range(at_page * words, (at_page + 1) * words, geometry.entries)
        names |= {word: f"window_{level}.{i}" for i, word in enumerate(first_words)}
    regions = tuple(Region(p, 1, f"window_{level}") for p, level in enumerate(levels, page))
    return TempMap(kernel, builder.contents(), names, regions)


def _pte(builder: TableBuilder, root: int, bits: int, page: int) -> int:
    """Physical address of the level 3 entry of a page."""
    geometry, address = builder.geometry, root
    for level in range(geometry.start_level(bits), LEAF_LEVEL):
        address = builder.tables[address][geometry.index(page, level)].output
    return address + geometry.index(page, LEAF_LEVEL)


def _free_pages(at: Layout, pages: int, wanted: int) -> int:
    """The first of so many pages of the kernel's half at which nothing is mapped."""
    page = at.kernel.lm_first
    for first, mapped in sorted((*at.mapped, (page + pages, 0))):
        if first - page >= wanted:
            return page
        page = max(page, first + mapped)
    raise UsageError(f"there are no {wanted} free pages for KPTI's temporary map")


@routine
async def kpti_map_pgtbl(cpu: Cpu, k: KptiKernel, table: int, window: int) -> int:
    """proc.S:kpti_map_pgtbl: map a table in its level's window; returns where it is then."""
    page, pte = k.temp_page + window, k.temp_ptes[window]
    await cpu.str(pte, INVALID_DESCRIPTOR)
    await cpu.dsb("nshst")
    await cpu.tlbi("vaae1", page)
    await cpu.dsb("nsh")
    await cpu.isb()
    await cpu.str(pte, leaf(table // k.page_words))
    await cpu.dsb("nshst")
    return page * k.page_words + table % k.page_words


@routine
async def kpti_mk_entry_ng(cpu: Cpu, k: KptiKernel, entry: int, window: int) -> None:
    """proc.S:kpti_mk_tbl_ng, one turn: what is valid and global gets nG, tables are entered."""
    old = await cpu.ldr(entry)
    if not old.valid or old.not_global:
        return
    await cpu.str(entry, old._replace(not_global=True))
    if old.kind == TABLE:
        await kpti_mk_tbl_ng(cpu, k, old.output, window + 1)


@routine
async def kpti_mk_tbl_ng(cpu: Cpu, k: KptiKernel, table: int, window: int) -> None:
    """proc.S:kpti_mk_tbl_ng."""
    first = await kpti_map_pgtbl(cpu, k, table, window)
    for i in range(k.entries):
        await kpti_mk_entry_ng(cpu, k, first + i, window)


@routine
async def counted(cpu: Cpu, address: int, cpus: int) -> bool:
    """proc.S:idmap_kpti_install_ng_mappings, one turn of the boot CPU's wait."""
    await cpu.wfe()
    value = await cpu.ldaxr(address)
    return equals(value, cpus)


@routine
async def idmap_kpti_install_ng_mappings(cpu: Cpu, k: KptiKernel) -> None:
    """proc.S:idmap_kpti_install_ng_mappings, on the boot CPU, since it runs with the MMU on (v6.0).

    No broadcast TLBI: the others forgot the swapper when they parked, this CPU does it itself.
    """
    await cpu.br(k.idmap_text)
    swapper_ttb = await cpu.mrs("ttbr1_el1")

    # Wait for the others to catch up.
    await cpu.sevl()
    await repeat_until(counted, cpu, k.flag_idmap, k.num_online_cpus)

    # To the temporary map; then all tables, from swapper_pg_dir on.
    await idmap_cpu_set_reserved_ttbr1(cpu, k)
    await cpu.msr("ttbr1_el1", Ttbr(k.temp_pgd))
    await cpu.isb()
    await kpti_mk_tbl_ng(cpu, k, k.swapper, 0)
    await cpu.dsb("ishst")

    # Back to the swapper, and release the others.
    await idmap_cpu_set_reserved_ttbr1(cpu, k)
    await cpu.msr("ttbr1_el1", swapper_ttb)
    await cpu.isb()
    await cpu.str(k.flag_idmap, 0)
    await cpu.br(k.text)


@routine
async def idmap_kpti_secondary(cpu: Cpu, k: Kernel) -> None:
    """proc.S:__idmap_kpti_secondary, on all others: it shares the split's tail."""
    await cpu.br(k.idmap_text)
    swapper_ttb = await cpu.mrs("ttbr1_el1")
    await idmap_cpu_set_reserved_ttbr1(cpu, k)
    await scondary_cpu_wait(cpu, k, swapper_ttb)
    await cpu.br(k.text)


@routine
async def __kpti_install_ng_mappings(cpu: Cpu, k: KptiKernel) -> None:
    """mmu.c:__kpti_install_ng_mappings, run by every CPU inside stop_machine()."""
    await cpu_install_idmap(cpu, k)
    if await smp_processor_id_is(cpu, 0):
        await idmap_kpti_install_ng_mappings(cpu, k)
    else:
        await idmap_kpti_secondary(cpu, k)
    await cpu.ldr(k.stack)
    await cpu_uninstall_idmap(cpu, k)


@routine
async def kpti_install_ng_mappings(cpu: Cpu, k: KptiKernel) -> None:
    """mmu.c:kpti_install_ng_mappings, on a system that needs it."""
    await init_idmap_kpti_bbml2_flag(cpu, k)
    await stop_machine(cpu, k, __kpti_install_ng_mappings)
