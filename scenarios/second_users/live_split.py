"""Pages are split at run time before it is known what all CPUs can do.

Memory is shared with the host early in a realm, so set_memory_*() may split a leaf before the
capabilities are final. That is allowed while one CPU is online, and refused (-EBUSY) when there are
more (f12b435de2f2). Numbers are those of the catalogue of mutants.

An open question about today's code, asked in the review of that fix: is num_online_cpus() == 1
enough? Assumed: some task calls set_memory_*() while a CPU is being brought up. Found: it is not
enough. A CPU walks the swapper's tables before it counts as online (`booting`); with
cpus_read_trylock(), held until the leaf is split, it is (`booting_trylock`). This is known upstream
and was left so (April 2026): no such caller was known, so that the test would do. What relies on
it, the ITS of a realm, does so before smp_init().

Another one: is mutant 35 possible with today's locks? Assumed: such a caller again. It has passed
those tests, has filled its table, and sleeps (a GFP_KERNEL allocation lies between its look at the
entry and its store) or is pre-empted until stop_machine() has repainted the map. Found: it is.
pgtable_split_lock, which the task holds, keeps nobody out: the repaint takes no locks. Its stale
decision puts contiguous pages where there are pages by now. That mutex around stop_machine() would
mend it.

Simplified: in mutant 35 the task sleeps at one point, between filling its table and linking it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from simbbm_scenarios import linear_map_split as merged
from simbbm_scenarios.late_cpu import running, set_memory, switched_off

from simbbm import (
    GEOMETRIES,
    Cpu,
    CpuSet,
    Range,
    Setup,
    Ttbr,
    all_ptes_at_end,
    routine,
    scenario,
)
from simbbm.linux.barrier import equals
from simbbm.linux.hotplug import bring_up, cpus_read_unlock, cpus_write_lock, cpus_write_unlock
from simbbm.linux.layout import layout as lay_out
from simbbm.linux.mmu import linear_map_maybe_split_to_ptes
from simbbm.linux.pgtable import (
    PMD,
    PTE,
    __pmd_populate,
    __set_pte,
    arch_leave_lazy_mmu_mode,
    fill_table,
)
from simbbm.linux.set_memory import (
    Caps,
    RunningKernel,
    leaf_of,
    may_split_live,
    split_kernel_leaf_mapping,
)


async def setup_system_features(cpu: Cpu, k: RunningKernel) -> None:
    """CPU 0: something sets memory's attributes, then capabilities are final, and the repaint."""
    await set_memory(cpu, k)
    await cpu.str(k.caps, Caps.WITHOUT_NOABORT)
    await linear_map_maybe_split_to_ptes(cpu, k)


@scenario(evidence="proved")
def good(
    *,
    cpus: Annotated[int, Range(2, 16)] = 3,
    layout: Literal["pmd", "contpmd", "pud"] = "pmd",
    noabort: Annotated[str, CpuSet()] = "boot",
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """set_memory_*() with all CPUs online and capabilities not final: refused, then the repaint."""
    given = {"cpus": cpus, "layout": layout, "noabort": noabort, "hardware": hardware}
    at = lay_out(layout, GEOMETRIES["scaled"], cpus)
    setup, k = running(merged.good.setup(given), at, Caps.NOT_FINAL, cpus)
    return replace(
        setup,
        cpus=tuple(
            cpu._replace(args=(k,), program=cpu.program if n else setup_system_features)
            for n, cpu in enumerate(setup.cpus)
        ),
        properties=(*setup.properties, all_ptes_at_end(at.regime, at.repainted)),
    )


@routine
async def split_unless_final(cpu: Cpu, k: RunningKernel) -> bool:
    """Whoever is online."""
    return bool(await cpu.ldr(k.caps) != Caps.WITHOUT_NOABORT)


m34_no_ebusy = good.twin(
    "A leaf is split while more than one CPU is online and capabilities are not final: one of them "
    "may lack BBML2_NOABORT (asked in January 2026, refused since f12b435de2f2).",
    expect="VIOLATED:no_size_change_seen",
    replace={may_split_live: split_unless_final},
    cpus=2,
)


# CPUs are brought up while a task on the boot CPU sets memory's attributes.


async def late_stopper(cpu: Cpu, k: RunningKernel, swapper: Ttbr, able: int) -> None:
    """A CPU is brought up, under cpu_hotplug_lock; then stop_machine() gets it."""
    await cpus_write_lock(cpu, k.by_idmap())
    await bring_up(cpu, k, swapper, able)
    await cpus_write_unlock(cpu, k)
    await merged.stopper(cpu, k)


@routine
async def finish_boot(cpu: Cpu, k: RunningKernel) -> None:
    """main.c:smp_init, smp_cpus_done: all CPUs are online, capabilities final; the repaint."""
    await cpu.wait(k.online, equals, k.num_online_cpus, acquire=True)
    await cpu.str(k.caps, Caps.WITHOUT_NOABORT)
    await linear_map_maybe_split_to_ptes(cpu, k)


@routine
async def task_and_boot(cpu: Cpu, k: RunningKernel) -> None:
    """The task runs first, as far as the boot CPU is concerned."""
    await set_memory(cpu, k)
    await finish_boot(cpu, k)


async def boot(cpu: Cpu, k: RunningKernel) -> None:
    """CPU 0."""
    await task_and_boot(cpu, k)


@scenario(expect="VIOLATED:no_size_change_seen")
def booting(
    *,
    cpus: Annotated[int, Range(2, 16)] = 2,
    layout: Literal["pmd", "contpmd", "pud"] = "pmd",
    noabort: Annotated[str, CpuSet()] = "boot",
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """Open question: set_memory_*() splits while a CPU is brought up, which is not online yet."""
    given = {"cpus": cpus, "layout": layout, "noabort": noabort, "hardware": hardware}
    at = lay_out(layout, GEOMETRIES["scaled"], cpus)
    setup, k = running(merged.good.setup(given), at, Caps.NOT_FINAL, 1)
    others = [switched_off(cpu, at, late_stopper, k, able=False) for cpu in setup.cpus[1:]]
    return replace(
        setup,
        cpus=(setup.cpus[0]._replace(program=boot, args=(k,)), *others),
        properties=(*setup.properties, all_ptes_at_end(at.regime, at.repainted)),
    )


@routine
async def split_under_trylock(cpu: Cpu, k: RunningKernel, page: int) -> None:
    """cpus_read_trylock(): if a CPU is being brought up, -EBUSY."""
    if await cpu.ldaxr(k.hotplug_lock) != 0 or await cpu.stxr(k.hotplug_lock, 1) != 0:
        return
    await split_kernel_leaf_mapping(cpu, k, page)
    await cpus_read_unlock(cpu, k)


booting_trylock = booting.twin(
    "With cpus_read_trylock() around test and split nobody sees a size change (suggested in the "
    "review of f12b435de2f2).",
    expect="HOLDS",
    replace={split_kernel_leaf_mapping: split_under_trylock},
)

# Mutant 35: check, sleep, act.


@routine
async def task_asleep_during_boot(cpu: Cpu, k: RunningKernel) -> None:
    """split_kernel_leaf_mapping(), and in its middle what happens while the task sleeps."""
    if not await may_split_live(cpu, k):
        await finish_boot(cpu, k)
        return
    pmdp, _, pmd = await leaf_of(cpu, k, k.lm_first + k.pages(PMD) - 1)
    pte_phys = k.free_tables + k.spare * k.entries
    to_cont = pmd._replace(contiguous=True)
    await fill_table(cpu, k, k.linear(pte_phys), to_cont, k.pages(PTE), __set_pte)
    await cpu.dsb("ishst")
    await finish_boot(cpu, k)
    await __pmd_populate(cpu, pmdp, pte_phys)
    await arch_leave_lazy_mmu_mode(cpu)


m35_split_after_sleep = booting.twin(
    "A task tests that one CPU is online, sleeps until the map has been repainted, and links its "
    "own table of contiguous pages (by inference: plausible in today's code).",
    expect="VIOLATED:no_size_change_seen",
    replace={task_and_boot: task_asleep_during_boot},
)
