"""Memory is added to the linear map when the repaint is over.

By then all that was mapped with blocks consists of pages, since some CPU cannot tolerate a size
change. What is added must consist of pages too: force_pte_mapping() asks what the system can do. If
it asked for the CPU that happens to run it, the boot CPU, which has BBML2_NOABORT, would say:
blocks. The number is that of the catalogue of mutants.

The new memory is a hole of the linear map. When it is mapped, the others are told so by a flag
(release, acquire) and read what its first user wrote. Asked on the way: can such a read still
fault? An entry that becomes valid needs no TLBI, because what is invalid is not cached; but a
translation may have been made early, back to the last context synchronisation on the reading CPU,
and no acquire undoes it. Found: without FEAT_ETS2 it can (`fault_is_fatal`); with FEAT_ETS2, or an
ISB behind the acquire, it cannot. The kernel has no such ISB. It takes the fault, sees that the
address is mapped by now (is_spurious_el1_translation_fault(), by AT S1E1R), and tries again; not
quietly, it warns, and it does so for loads and stores only.

Simplified: here such a read may fault also where its address has been loaded, as the allocator's
are, which the architecture forbids (cries wolf). The handler tries again without a look at the
tables (a fault that stays is STUCK, not a panic). Capabilities are final from the start.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from simbbm_scenarios import linear_map_split as merged
from simbbm_scenarios.catalogue import Tables
from simbbm_scenarios.late_cpu import running

from simbbm import (
    FETCH,
    GEOMETRIES,
    KERNEL_PAGE,
    RW,
    TRANSLATION,
    Aborted,
    Cpu,
    CpuSet,
    Geometry,
    Program,
    Range,
    Setup,
    TableBuilder,
    all_ptes_at_end,
    context_restored,
    cpu_set,
    routine,
    scenario,
    translations_preserved,
)
from simbbm.linux.kernel import extended
from simbbm.linux.layout import Layout
from simbbm.linux.layout import layout as lay_out
from simbbm.linux.memory.memory_hotplug import HotplugKernel, arch_add_memory, force_pte_mapping
from simbbm.linux.mmu import linear_map_maybe_split_to_ptes, linear_map_split_to_ptes
from simbbm.linux.pgtable import PMD
from simbbm.linux.set_memory import Caps, may_split_live, split_kernel_leaf_mapping
from simbbm.linux.stop_machine import cpu_stopper_thread, is_set


@routine
async def add_memory(cpu: Cpu, k: HotplugKernel) -> None:
    """memory_hotplug.c:add_memory_resource, online_pages: map it, use it, let others use it."""
    await arch_add_memory(cpu, k)
    await cpu.str(k.new_word, 1)
    await cpu.stlr(k.onlined, 1)


@routine
async def add_and_set_memory(cpu: Cpu, k: HotplugKernel) -> None:
    """The same, and later permissions of its last page are about to change."""
    await add_memory(cpu, k)
    await split_kernel_leaf_mapping(cpu, k, k.new_first + k.new_pages - 1)


@routine
async def use_memory(cpu: Cpu, k: HotplugKernel) -> None:
    """On any other CPU: wait until it is there, and use it."""
    await cpu.wait(k.onlined, is_set, acquire=True)
    if await cpu.ldr(k.new_word) != 1:
        await cpu.panic("the new memory does not have what was written to it")


async def boot(cpu: Cpu, k: HotplugKernel, task: Program) -> None:
    """CPU 0: the repaint, and then a task."""
    await linear_map_maybe_split_to_ptes(cpu, k)
    await task(cpu, k)


async def stopper(cpu: Cpu, k: HotplugKernel, task: Program) -> None:
    """Any other CPU."""
    await cpu_stopper_thread(cpu, k, linear_map_split_to_ptes)
    await task(cpu, k)


async def vectors(cpu: Cpu, aborted: Aborted) -> None:
    """entry.S:vectors; fault.c:__do_kernel_fault: a translation fault may be a spurious one."""
    if aborted.kind != TRANSLATION or aborted.access == FETCH:
        await cpu.panic(f"{aborted.kind} fault on a {aborted.access}")
    await cpu.eret()


def with_new_memory(at: Layout, geometry: Geometry, first: int) -> Tables:
    """Tables that translate as those at the start, and the new memory as well."""
    builder = TableBuilder(geometry)
    builder.tables = {address: list(entries) for address, entries in at.tables.items()}
    bits, page = at.kernel.tcr.t1_bits, first - KERNEL_PAGE
    builder.map(at.swapper, bits, first, page, RW, allocate=iter(()), level=PMD)
    return builder.contents()


@scenario(evidence="proved")
def good(
    *,
    cpus: Annotated[int, Range(2, 16)] = 3,
    noabort: Annotated[str, CpuSet()] = "boot",
    adds: Literal["boot", "other"] = "boot",
    later: Literal["nothing", "set_memory"] = "nothing",
    fault: Literal["retried", "fatal"] = "retried",
    ets2: Literal["no", "yes"] = "no",
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """Memory is added after the repaint: as pages, whichever CPU does it, and all can use it."""
    given = {"cpus": cpus, "layout": "regions", "noabort": noabort, "ets2": ets2}
    geometry = GEOMETRIES["scaled"]
    at = lay_out("regions", geometry, cpus)
    setup = merged.good.setup({**given, "hardware": hardware})
    setup, kernel = running(setup, at, Caps.WITHOUT_NOABORT, cpus)
    first, pages = next((r.first, r.pages) for r in at.regions if r.name == "lm.hole")
    by_idmap = at.kernel.scratch - at.kernel.flag + at.kernel.flag_idmap
    able = sum(1 << n for n in cpu_set(noabort, cpus))
    flag, words = at.kernel.scratch, geometry.page_words
    k = extended(
        kernel,
        HotplugKernel,
        new_first=first,
        new_pages=pages,
        new_word=first * words,
        onlined=flag,
        able=able,
    )
    adder = 0 if adds == "boot" else cpus - 1
    adding = add_memory if later == "nothing" else add_and_set_memory
    return replace(
        setup,
        cpus=tuple(
            cpu._replace(
                program=stopper if n else boot, args=(k, adding if n == adder else use_memory)
            )
            for n, cpu in enumerate(setup.cpus)
        ),
        properties=(
            *(p for p in setup.properties if p.name != "translations_preserved"),
            translations_preserved(at.regime, with_new_memory(at, geometry, first)),
            all_ptes_at_end(at.regime, at.repainted),
            context_restored(at.regime),
        ),
        handler=vectors if fault == "retried" else None,
        symbols={
            **setup.symbols,
            **dict.fromkeys((flag, by_idmap), "onlined"),
            **dict.fromkeys((k.new_word, (first - KERNEL_PAGE) * words), "new_memory"),
        },
    )


fault_is_fatal = good.twin(
    "Without FEAT_ETS2 who is told of new memory by a flag may fault on it: a translation may be "
    "older than the flag (is_spurious_el1_translation_fault() in fault.c).",
    expect="VIOLATED:no_fault_on_live_map",
    cpus=2,
    fault="fatal",
)


@routine
async def cpu_supports_bbml2_noabort(cpu: Cpu, k: HotplugKernel) -> bool:
    """cpufeature.c:cpu_supports_bbml2_noabort: by the MIDR of the CPU that asks."""
    return bool(k.able >> await cpu.mrs_mpidr() & 1)


@routine
async def force_pte_mapping_here(cpu: Cpu, k: HotplugKernel) -> bool:
    """As before capabilities are final."""
    return not await cpu_supports_bbml2_noabort(cpu, k)


m37_asks_this_cpu = good.twin(
    "force_pte_mapping() asks for the CPU that runs it: added by the boot CPU, memory is mapped "
    "with blocks that nobody may split (comment in split_kernel_leaf_mapping, f12b435de2f2).",
    expect="VIOLATED:all_ptes_at_end",
    replace={force_pte_mapping: force_pte_mapping_here},
    cpus=2,
)


@routine
async def may_split_here(cpu: Cpu, k: HotplugKernel) -> bool:
    """The same wrong test."""
    return await cpu_supports_bbml2_noabort(cpu, k)


m37_then_split = m37_asks_this_cpu.twin(
    "The test for set_memory_*() asks for the CPU too, and splits such a block under the eyes of "
    "the others (comment in split_kernel_leaf_mapping, f12b435de2f2).",
    expect="VIOLATED:no_size_change_seen",
    replace={may_split_live: may_split_here},
    later="set_memory",
)
