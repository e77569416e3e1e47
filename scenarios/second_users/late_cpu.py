"""A CPU comes online late: it must not see how pages are split at run time, or at boot.

Numbers are those of the catalogue of mutants. Here all early CPUs have BBML2_NOABORT, so that the
kernel splits leaves at run time with nobody parked, whenever set_memory_*() asks; one more CPU
comes online meanwhile. The kernel refuses it if it lacks what the system has.

An open question about today's code: is a refusal early enough?
Asked because secondary_start_kernel() checks capabilities when the new CPU has been running on the
swapper's tables for some time, since __enable_mmu. Assumed: another CPU splits a leaf meanwhile (a
module or a BPF program is loaded): _cpu_up() holds cpu_hotplug_lock for writing, but
split_kernel_leaf_mapping() takes its mutex alone. Found: it is not. A CPU that will be refused may
hold a block next to the pages that it was split into, before it gets to the check (`refused`).

Two mends. Checked before the swapper's tables are in TTBR1, it holds nothing of them
(`refused_in_idmap`). With cpus_read_lock() around splits (`refused_splits_locked`; lock order in
today's callers not looked at) none comes before it is off. But the second takes a CPU that can be
switched off: if CPU_OFF fails, cpu_die_early() loops on the swapper's tables for ever, and the next
split is seen (`refused_not_off`, `refused_not_off_splits_locked`). The guide has a page of it,
`late_cpu`: how to see it, as a report to whom it may concern.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from simbbm_scenarios import linear_map_split as merged
from simbbm_scenarios.catalogue import with_spare_table

from simbbm import (
    GEOMETRIES,
    Cpu,
    CpuSet,
    CpuSetup,
    Landmark,
    Machine,
    Program,
    Range,
    Regime,
    Setup,
    Ttbr,
    all_ptes_at_end,
    context_restored,
    edits,
    routine,
    scenario,
)
from simbbm.linux.hotplug import (
    bring_up,
    check_local_cpu_capabilities,
    cpu_die_early,
    cpu_park_loop,
    cpus_read_lock,
    cpus_read_unlock,
    cpus_write_lock,
    cpus_write_unlock,
)
from simbbm.linux.kernel import extended
from simbbm.linux.layout import Layout
from simbbm.linux.layout import layout as lay_out
from simbbm.linux.mmu import linear_map_maybe_split_to_ptes, linear_map_split_to_ptes
from simbbm.linux.set_memory import Caps, RunningKernel, split_kernel_leaf_mapping
from simbbm.linux.stop_machine import StopFn, cpu_stopper_thread, is_set, stop_machine

KEPT = (
    "no_tlb_conflict",
    "no_size_change_seen",
    "no_fault_on_live_map",
    "no_stale_translation",
    "terminates",
    "translations_preserved",
    "tables_linked_once",
    "no_sleep_in_atomic",
)


def running(setup: Setup, at: Layout, caps: Caps, online: int) -> tuple[Setup, RunningKernel]:
    """Add what changes while a kernel runs, and tables for it to split a leaf with."""
    k = at.kernel
    names = ("caps", "online", "hotplug_lock")
    first = k.scratch + 1
    words = {first + i: name for i, name in enumerate(names)}
    by_idmap = {word - k.flag + k.flag_idmap: name for word, name in words.items()}
    caps_word, online_word, *_ = by_idmap
    spare = 0
    while k.free_tables + spare * k.entries in setup.tables:
        spare += 1
    changed = with_spare_table(with_spare_table(setup))
    k = k._replace(free_table_count=spare + 2)
    return (
        replace(
            changed,
            data={**changed.data, caps_word: int(caps), online_word: online},
            properties=tuple(p for p in changed.properties if p.name in KEPT),
            symbols={**changed.symbols, **words, **by_idmap},
        ),
        extended(
            k,
            RunningKernel,
            caps=first,
            online=first + 1,
            hotplug_lock=first + 2,
            spare=spare,
        ),
    )


async def set_memory(cpu: Cpu, k: RunningKernel) -> None:
    """A task on any CPU: permissions of the last page of the first leaf are about to change."""
    await split_kernel_leaf_mapping(cpu, k, k.lm_first + k.pages(2) - 1)


async def idle(cpu: Cpu, k: RunningKernel) -> None:
    """A CPU that is online and has nothing to do with it."""


async def late(cpu: Cpu, k: RunningKernel, swapper: Ttbr, able: int) -> None:
    """A CPU that comes online while the others run."""
    await bring_up(cpu, k, swapper, able)


async def boot(cpu: Cpu, k: RunningKernel) -> None:
    """CPU 0, which waits for nobody."""
    await linear_map_maybe_split_to_ptes(cpu, k)


async def late_stopper(cpu: Cpu, k: RunningKernel, swapper: Ttbr, able: int) -> None:
    """The same, under the lock; then it gets work from stop_machine() if it was counted."""
    await cpus_write_lock(cpu, k.by_idmap())
    await bring_up(cpu, k, swapper, able)
    await cpus_write_unlock(cpu, k)
    threads = await cpu.wait(k.msdata_num_threads, is_set)
    if threads == k.num_online_cpus:
        await cpu_stopper_thread(cpu, k, linear_map_split_to_ptes)


@routine
async def stop_machine_locked(cpu: Cpu, k: RunningKernel, fn: StopFn) -> None:
    """stop_machine.c:stop_machine, stop_machine_cpuslocked: count under cpus_read_lock()."""
    await cpus_read_lock(cpu, k)
    threads = await cpu.ldr(k.online)
    counted_now = k._replace(num_online_cpus=threads)
    await stop_machine(cpu, counted_now, fn)
    await cpus_read_unlock(cpu, k)


@routine
async def no_lock(cpu: Cpu, k: RunningKernel) -> None:
    """Nobody is kept out."""


@routine
async def admit(cpu: Cpu, k: RunningKernel, able: int) -> bool:  # noqa: ARG001 - as the check
    """Whatever the CPU has."""
    return True


@routine
async def check_and_bring_up(cpu: Cpu, k: RunningKernel, swapper: Ttbr, able: int) -> bool:
    """The check comes first."""
    if not await check_local_cpu_capabilities(cpu, k.by_idmap(), able):
        return False
    return await bring_up(cpu, k, swapper, able)


def split_landmark(at: Layout) -> Landmark:
    """Some table is not what it was at the start."""

    def holds(machine: Machine) -> bool:
        now = machine.memory.tables.by_address
        return any(now[a].entries != old for a, old in at.tables.items())

    return holds


def switched_off(
    cpu: CpuSetup, at: Layout, program: Program, k: RunningKernel, *, able: bool
) -> CpuSetup:
    """A CPU that has not enabled its MMU yet."""
    regime = Regime((k.idmap_ttbr0,), at.regime.ttbr0, (k.idmap_tcr,))
    [swapper] = at.regime.ttbr1
    return cpu._replace(
        program=program, regime=regime, args=(k, swapper, int(able)), pc=k.idmap_text
    )


@scenario(evidence="proved")
def good(
    *,
    cpus: Annotated[int, Range(2, 16)] = 3,
    layout: Literal["pmd", "contpmd", "pud"] = "pmd",
    late_noabort: Literal["yes", "no"] = "yes",
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """A block is split at run time while a CPU comes online that tolerates it, as all others do."""
    able = cpus if late_noabort == "yes" else cpus - 1
    noabort = ",".join(map(str, range(able)))
    setup = merged.good.setup(
        {"cpus": cpus, "layout": layout, "noabort": noabort, "hardware": hardware}
    )
    at = lay_out(layout, GEOMETRIES["scaled"], cpus)
    setup, k = running(setup, at, Caps.NOABORT, cpus - 1)
    block_split = {"block split at run time": split_landmark(at)}
    early = [
        cpu._replace(program=idle if n else set_memory, args=(k,))
        for n, cpu in enumerate(setup.cpus[:-1])
    ]
    cpus_then = (*early, switched_off(setup.cpus[-1], at, late, k, able=able == cpus))
    return replace(setup, cpus=cpus_then, landmarks=block_split)


refused = good.twin(
    "Open question: a late CPU without BBML2_NOABORT is refused as today, but has walked the "
    "swapper's tables by then.",
    expect="VIOLATED:no_size_change_seen",
    cpus=2,
    late_noabort="no",
)

refused_in_idmap = refused.twin(
    "A late CPU that is refused before it enters the swapper's tables holds nothing of them.",
    expect="HOLDS",
    replace={bring_up: check_and_bring_up},
)


@routine
async def split_under_read_lock(cpu: Cpu, k: RunningKernel, page: int) -> None:
    """cpus_read_lock() around the split: no CPU is on its way meanwhile."""
    await cpus_read_lock(cpu, k)
    await split_kernel_leaf_mapping(cpu, k, page)
    await cpus_read_unlock(cpu, k)


@routine
async def cpu_up(cpu: Cpu, k: RunningKernel, swapper: Ttbr, able: int) -> bool:
    """cpu.c:_cpu_up, which waits for the new CPU under cpus_write_lock(); refused, it is off."""
    await cpus_write_lock(cpu, k.by_idmap())
    online = await bring_up(cpu, k, swapper, able)
    await cpus_write_unlock(cpu, k if online else k.by_idmap())
    return online


refused_splits_locked = refused.twin(
    "With cpus_read_lock() around splits nothing is split before a CPU that is refused is off.",
    expect="HOLDS",
    replace={split_kernel_leaf_mapping: split_under_read_lock, bring_up: cpu_up},
)


@routine
async def cpu_up_to_loop(cpu: Cpu, k: RunningKernel, swapper: Ttbr, able: int) -> bool:
    """_cpu_up() gives up on it and drops the lock."""
    await cpus_write_lock(cpu, k.by_idmap())
    online = await bring_up(cpu, k, swapper, able)
    await cpus_write_unlock(cpu, k)
    return online


refused_not_off = refused.twin(
    "Open question: one that cannot be powered off loops on the swapper's tables for ever, as "
    "today (cpu_die_early).",
    expect="VIOLATED:no_size_change_seen",
    replace={cpu_die_early: cpu_park_loop},
)

refused_not_off_splits_locked = refused_not_off.twin(
    "Then a lock around splits is of no use: the next one is seen, whenever it comes.",
    expect="VIOLATED:no_size_change_seen",
    replace={split_kernel_leaf_mapping: split_under_read_lock, bring_up: cpu_up_to_loop},
)

m36_late_cpu_admitted = refused_in_idmap.twin(
    "A late CPU without BBML2_NOABORT is admitted although the system has it (comment in "
    "cpufeature.c: a late CPU must have it).",
    expect="VIOLATED:no_size_change_seen",
    replace={check_local_cpu_capabilities: admit},
)


# Mutant 33: a CPU comes online while the map is repainted. stop_machine() counts CPUs, and keeps
# them from coming and going, under cpu_hotplug_lock.


@scenario(evidence="proved")
def repaint(
    *,
    cpus: Annotated[int, Range(2, 16)] = 3,
    layout: Literal["pmd", "contpmd", "pud"] = "pmd",
    noabort: Annotated[str, CpuSet()] = "boot",
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """The repaint, while one more CPU comes online: it is counted, or it comes when all is done."""
    setup = merged.good.setup(
        {"cpus": cpus, "layout": layout, "noabort": noabort, "hardware": hardware}
    )
    at = lay_out(layout, GEOMETRIES["scaled"], cpus)
    setup, k = running(setup, at, Caps.WITHOUT_NOABORT, cpus - 1)
    early = [
        cpu._replace(program=cpu.program if n else boot, args=(k,))
        for n, cpu in enumerate(setup.cpus[:-1])
    ]
    return replace(
        setup,
        cpus=(*early, switched_off(setup.cpus[-1], at, late_stopper, k, able=False)),
        properties=(
            *setup.properties,
            all_ptes_at_end(at.regime, at.repainted),
            context_restored(at.regime),
        ),
    )


counted = replace(
    repaint,
    edits=edits({stop_machine: stop_machine_locked}),
)
del repaint


m33_counted_too_early = counted.twin(
    "stop_machine() counts CPUs without cpu_hotplug_lock: one that comes online behind the count "
    "is not parked (by inference).",
    expect="VIOLATED:no_size_change_seen",
    replace={cpus_read_lock: no_lock, cpus_read_unlock: no_lock},
    cpus=2,
)
