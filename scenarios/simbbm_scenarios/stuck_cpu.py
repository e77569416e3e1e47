"""A CPU that is up and not online: parked in cpu_park_loop(), with the swapper's tables live.

A CPU that lacks what it must have from boot on (another page size, an ASID size, what the boot CPU
decided for all) calls cpu_die_early(). Where it cannot be powered off (no PSCI, a spin table) it
reports CPU_STUCK_IN_KERNEL, and loops over WFE and WFI for ever. It is not online: stop_machine()
does not stop it, num_online_cpus() does not count it, and it never parks. Its MMU is on, and its
TTBR1 has the swapper's tables.

An open question about today's code: is it safe to repaint then? Assumed: the stuck CPU has no
BBML2_NOABORT, as the other secondaries; it executes nothing, but walks are speculative. Found: it
is not (`stuck_cpu`): the repaint waits for all that are online, and nothing in it asks for those
that are stuck (cpus_are_stuck_in_kernel() would tell). If it parked where it walks nothing, in the
idmap with the reserved table in TTBR1, all would be well (`parked_in_idmap`).

Simplified: WFE and WFI of the loop are left out, so that its program ends; it reports once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from simbbm_scenarios import linear_map_split as merged

from simbbm import (
    Cpu,
    Range,
    Setup,
    routine,
    scenario,
)
from simbbm.linux.kernel import Kernel
from simbbm.linux.layout import LayoutName
from simbbm.linux.mmu_context import cpu_install_idmap
from simbbm.linux.proc import idmap_cpu_set_reserved_ttbr1
from simbbm.linux.stop_machine import is_set

CPU_STUCK_IN_KERNEL = 3


@routine
async def update_cpu_boot_status(cpu: Cpu, status: int) -> None:
    """smp.h:update_cpu_boot_status, by the address at which this CPU maps the word."""
    await cpu.str(status, CPU_STUCK_IN_KERNEL)
    await cpu.dsb("ishst")


@routine
async def cpu_die_early(cpu: Cpu, k: Kernel) -> None:
    """smp.c:cpu_die_early, where CPU_OFF is not to be had; then cpu_park_loop()."""
    await update_cpu_boot_status(cpu, k.scratch)


async def secondary(cpu: Cpu, k: Kernel) -> None:
    """The CPU that does not come online."""
    await cpu_die_early(cpu, k)


async def boot(cpu: Cpu, k: Kernel) -> None:
    """CPU 0: smp.c:__cpu_up waits for the status of each; then setup_system_features()."""
    await cpu.wait(k.scratch, is_set, acquire=True)
    await merged.boot(cpu, k)


@scenario(expect="VIOLATED:no_size_change_seen")
def stuck_cpu(
    *,
    cpus: Annotated[int, Range(2, 16)] = 3,
    layout: LayoutName = "pmd",
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """Open question: the repaint while one more CPU is stuck in the kernel, up and not online."""
    setup = merged.good.setup({"cpus": cpus, "layout": layout, "hardware": hardware})
    k: Kernel = setup.cpus[0].args[0]._replace(num_online_cpus=cpus - 1)
    first, *others, last = setup.cpus
    programs = (first._replace(program=boot), *others, last._replace(program=secondary))
    return replace(
        setup,
        cpus=tuple(cpu._replace(args=(k,)) for cpu in programs),
        # It never goes back to where it came from.
        properties=tuple(p for p in setup.properties if p.name != "context_restored"),
    )


@routine
async def cpu_die_early_in_idmap(cpu: Cpu, k: Kernel) -> None:
    """Leave the swapper's tables first."""
    await cpu_install_idmap(cpu, k)
    await cpu.br(k.idmap_text)
    await idmap_cpu_set_reserved_ttbr1(cpu, k)
    await update_cpu_boot_status(cpu, k.scratch - k.flag + k.flag_idmap)


parked_in_idmap = stuck_cpu.twin(
    "A CPU that is stuck in the idmap, with the reserved table in TTBR1, sees nothing of it.",
    expect="HOLDS",
    replace={cpu_die_early: cpu_die_early_in_idmap},
)
