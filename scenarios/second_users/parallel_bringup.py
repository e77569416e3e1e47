"""CPUs are brought up in parallel: they are alive for a while, and not online, with no lock held.

Where CPUs are brought up in parallel (kernel/cpu.c, cpuhp_bringup_cpus_parallel) all of them are
kicked first, one after the other, and wait in cpuhp_ap_sync_alive() until it is their turn to come
online. Each of the two steps takes cpu_hotplug_lock for writing, and between them nobody has it.

Asked: does a lock around splits at run time, which keeps a CPU that will be refused from seeing one
(`late_cpu::refused_splits_locked`), still do so then? Assumed: such a CPU waits with its MMU on,
before it looks at its capabilities, as other architectures do. Found: it does not. What the CPU
holds of the swapper's tables it holds between the two steps as well (`refused`). It has to look at
what it lacks before it says that it is alive, in the first step (`checked_before_alive`), or better
still before the swapper's tables are in TTBR1 (`checked_in_idmap`); then several may come at once
(`good`).

Simplified: the new CPU takes the lock itself, twice, as in `late_cpu`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from simbbm_scenarios import linear_map_split as merged
from simbbm_scenarios.late_cpu import (
    running,
    set_memory,
    split_landmark,
    split_under_read_lock,
    switched_off,
)

from simbbm import (
    GEOMETRIES,
    Cpu,
    Range,
    Setup,
    Ttbr,
    edits,
    routine,
    scenario,
)
from simbbm.linux.hotplug import (
    check_local_cpu_capabilities,
    cpu_die_early,
    cpus_write_lock,
    cpus_write_unlock,
    enable_mmu,
    set_cpu_online,
)
from simbbm.linux.layout import layout as lay_out
from simbbm.linux.mmu_context import cpu_uninstall_idmap
from simbbm.linux.set_memory import Caps, RunningKernel, split_kernel_leaf_mapping


@routine
async def cpuhp_ap_sync_alive(cpu: Cpu, k: RunningKernel) -> None:
    """cpu.c:cpuhp_ap_sync_alive: the first step is over; until it is this CPU's turn."""
    await cpus_write_unlock(cpu, k)
    await cpus_write_lock(cpu, k)


@routine
async def secondary_start_kernel(cpu: Cpu, k: RunningKernel, able: int) -> bool:
    """smp.c:secondary_start_kernel, with the wait first: returns whether the CPU is online."""
    await cpu_uninstall_idmap(cpu, k)
    await cpuhp_ap_sync_alive(cpu, k)
    if not await check_local_cpu_capabilities(cpu, k, able):
        await cpu_die_early(cpu, k)
        return False
    await set_cpu_online(cpu, k)
    return True


@routine
async def bring_up(cpu: Cpu, k: RunningKernel, swapper: Ttbr, able: int) -> bool:
    """cpu.c:_cpu_up, as far as the new CPU is concerned, under the lock when it begins and ends."""
    await enable_mmu(cpu, k, swapper)
    return await secondary_start_kernel(cpu, k, able)


async def late(cpu: Cpu, k: RunningKernel, swapper: Ttbr, able: int) -> None:
    """A CPU that is brought up; refused, it is off, and unlocks by the idmap."""
    await cpus_write_lock(cpu, k.by_idmap())
    online = await bring_up(cpu, k, swapper, able)
    await cpus_write_unlock(cpu, k if online else k.by_idmap())


@scenario(evidence="proved")
def in_parallel(
    *,
    cpus: Annotated[int, Range(2, 8)] = 2,
    layout: Literal["pmd", "contpmd", "pud"] = "pmd",
    late_noabort: Literal["yes", "no"] = "yes",
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """A block is split at run time while all other CPUs come online in parallel."""
    able = late_noabort == "yes"
    given = {"cpus": cpus, "layout": layout, "hardware": hardware}
    setup = merged.good.setup({**given, "noabort": "all" if able else "boot"})
    at = lay_out(layout, GEOMETRIES["scaled"], cpus)
    setup, k = running(setup, at, Caps.NOABORT, 1)
    first, *others = setup.cpus
    return replace(
        setup,
        cpus=(
            first._replace(program=set_memory, args=(k,)),
            *(switched_off(cpu, at, late, k, able=able) for cpu in others),
        ),
        landmarks={"block split at run time": split_landmark(at)},
    )


good = replace(in_parallel, edits=edits({split_kernel_leaf_mapping: split_under_read_lock}))
del in_parallel

refused = good.twin(
    "Open question: one that will be refused waits between the two steps, on the swapper's tables, "
    "and no lock is held: a split is seen all the same.",
    expect="VIOLATED:no_size_change_seen",
    late_noabort="no",
)


@routine
async def check_before_alive(cpu: Cpu, k: RunningKernel, able: int) -> bool:
    """The check is part of the first step."""
    await cpu_uninstall_idmap(cpu, k)
    if not await check_local_cpu_capabilities(cpu, k, able):
        await cpu_die_early(cpu, k)
        return False
    await cpuhp_ap_sync_alive(cpu, k)
    await set_cpu_online(cpu, k)
    return True


checked_before_alive = refused.twin(
    "Checked in the first step it is off before the lock is dropped, and sees nothing.",
    expect="HOLDS",
    replace={secondary_start_kernel: check_before_alive},
)


@routine
async def check_and_bring_up(cpu: Cpu, k: RunningKernel, swapper: Ttbr, able: int) -> bool:
    """The check comes before the swapper's tables."""
    if not await check_local_cpu_capabilities(cpu, k.by_idmap(), able):
        return False
    await enable_mmu(cpu, k, swapper)
    return await secondary_start_kernel(cpu, k, able)


checked_in_idmap = refused.twin(
    "Checked in the idmap it holds nothing of the swapper's tables, whoever has the lock.",
    expect="HOLDS",
    replace={bring_up: check_and_bring_up},
)


@routine
async def alive_on_the_way_out(cpu: Cpu, k: RunningKernel, able: int) -> bool:
    """It says that it is alive before it is switched off, so that nobody waits for it in vain."""
    await cpu_uninstall_idmap(cpu, k)
    if not await check_local_cpu_capabilities(cpu, k, able):
        await cpuhp_ap_sync_alive(cpu, k)
        await cpu_die_early(cpu, k)
        return False
    await cpuhp_ap_sync_alive(cpu, k)
    await set_cpu_online(cpu, k)
    return True


refused_and_alive = checked_before_alive.twin(
    "Checked in the first step, it says that it is alive before it goes off: the lock is dropped "
    "while it still walks the swapper's tables (inferred).",
    expect="VIOLATED:no_size_change_seen",
    replace={secondary_start_kernel: alive_on_the_way_out},
)
