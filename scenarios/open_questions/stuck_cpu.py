"""A CPU that is up and not online: parked in cpu_park_loop(), with the swapper's tables live.

A CPU that lacks what it must have from boot on (another page size, an ASID size, what the boot CPU
decided for all) calls cpu_die_early(). Where it cannot be powered off (no PSCI, a spin table) it
reports CPU_STUCK_IN_KERNEL, and loops over WFE and WFI for ever. It is not online: stop_machine()
does not stop it, num_online_cpus() does not count it, and it never parks. Its MMU is on, and its
TTBR1 has the swapper's tables.

An open question about today's code: is it safe to repaint then? Assumed: a stuck CPU has no
BBML2_NOABORT, as the other secondaries; it executes nothing, but walks are speculative. Found: it
is not (`stuck_cpu`): the repaint waits for all that are online, and nothing in it asks for those
that are stuck. Two mends. If it parked where it walks nothing, in the idmap with the reserved table
in TTBR1, all would be well (`parked_in_idmap`). Or the repaint asks cpus_are_stuck_in_kernel(), as
kexec does, and lets it be: then nobody sees a size change, but the blocks stay, on a system that
may not split them later (`repaint_refused`). What is no mend is to wait for those that are stuck:
they come to no stopper (`waited_for`). There may be several (`-p stuck=2`).

Simplified: they report by counting, where the kernel brings up one after the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from simbbm_scenarios import linear_map_split as merged

from simbbm import (
    Cpu,
    Range,
    Setup,
    routine,
    scenario,
)
from simbbm.linux.barrier import equals
from simbbm.linux.hotplug import cpu_park_loop, update_cpu_boot_status
from simbbm.linux.kernel import Kernel, extended
from simbbm.linux.layout import LayoutName
from simbbm.linux.mmu_context import cpu_install_idmap
from simbbm.linux.proc import idmap_cpu_set_reserved_ttbr1


@routine
async def cpu_die_early(cpu: Cpu, k: Kernel) -> None:
    """smp.c:cpu_die_early, where CPU_OFF is not to be had."""
    await update_cpu_boot_status(cpu, k.scratch)
    await cpu_park_loop(cpu, k)


async def secondary(cpu: Cpu, k: Kernel) -> None:
    """The CPU that does not come online."""
    await cpu_die_early(cpu, k)


@dataclass(frozen=True, kw_only=True)
class StuckKernel(Kernel):
    """A kernel, and how many CPUs will be stuck."""

    stuck: int


@routine
async def repaint(cpu: Cpu, k: StuckKernel) -> None:
    """cpufeature.c:setup_system_features."""
    await merged.boot(cpu, k)


async def boot(cpu: Cpu, k: StuckKernel) -> None:
    """CPU 0: smp.c:__cpu_up waits for the status of each; then setup_system_features()."""
    await cpu.wait(k.scratch, equals, k.stuck, acquire=True)
    await repaint(cpu, k)


@scenario(expect="VIOLATED:no_size_change_seen")
def stuck_cpu(
    *,
    cpus: Annotated[int, Range(2, 16)] = 3,
    stuck: Annotated[int, Range(1, 4)] = 1,
    layout: LayoutName = "pmd",
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """Open question: the repaint while more CPUs are stuck in the kernel, up and not online."""
    setup = merged.good.setup({"cpus": cpus, "layout": layout, "hardware": hardware})
    stuck = min(stuck, cpus - 1)
    online = cpus - stuck
    k: Kernel = setup.cpus[0].args[0]._replace(num_online_cpus=online)
    first, *others = setup.cpus
    programs = (
        first._replace(program=boot),
        *others[: online - 1],
        *(cpu._replace(program=secondary) for cpu in others[online - 1 :]),
    )
    return replace(
        setup,
        cpus=tuple(c._replace(args=(extended(k, StuckKernel, stuck=stuck),)) for c in programs),
        # Those never go back to where they came from.
        properties=tuple(p for p in setup.properties if p.name != "context_restored"),
    )


two_stuck = stuck_cpu.twin(
    "Open question: two CPUs are stuck, and none is online but the boot CPU.",
    expect="VIOLATED:no_size_change_seen",
    stuck=2,
)


@routine
async def repaint_unless_stuck(cpu: Cpu, k: StuckKernel) -> None:
    """cpus_are_stuck_in_kernel(): then the map is left as it is."""
    if await cpu.ldr(k.scratch) == 0:
        await merged.boot(cpu, k)


repaint_refused = stuck_cpu.twin(
    "Open question: no repaint where CPUs are stuck. Nobody sees a size change; the blocks stay.",
    expect="VIOLATED:all_ptes_at_end",
    replace={repaint: repaint_unless_stuck},
    cpus=2,
)


@routine
async def repaint_with_stuck(cpu: Cpu, k: StuckKernel) -> None:
    """All that are up are counted."""
    await merged.boot(cpu, k._replace(num_online_cpus=k.num_online_cpus + k.stuck))


waited_for = stuck_cpu.twin(
    "Those that are stuck are waited for as well: they have no stopper, and never come (inferred).",
    expect="STUCK:terminates",
    replace={repaint: repaint_with_stuck},
    cpus=2,
)


@routine
async def cpu_die_early_in_idmap(cpu: Cpu, k: Kernel) -> None:
    """Leave the swapper's tables first."""
    await cpu_install_idmap(cpu, k)
    await cpu.br(k.idmap_text)
    await idmap_cpu_set_reserved_ttbr1(cpu, k)
    await update_cpu_boot_status(cpu, k.scratch - k.flag + k.flag_idmap)
    await cpu_park_loop(cpu, k)


parked_in_idmap = stuck_cpu.twin(
    "A CPU that is stuck in the idmap, with the reserved table in TTBR1, sees nothing of it.",
    expect="HOLDS",
    replace={cpu_die_early: cpu_die_early_in_idmap},
)
