"""A CPU comes online: kernel/cpu.c, and arm64's head.S, smp.c and cpufeature.c.

Simplified: it takes cpu_hotplug_lock itself (the kernel's task that brings it up does), and so do
readers, one at a time. Before it enables its MMU, and after CPU_OFF, it is a CPU with the reserved
table in TTBR1, in the idmap. WFE and WFI of cpu_park_loop() are left out, so that programs end.
"""

from __future__ import annotations

from simbbm.arm64.ops import Cpu
from simbbm.arm64.registers import Ttbr
from simbbm.core.program import repeat_until, routine
from simbbm.linux.kernel import Kernel
from simbbm.linux.mmu_context import cpu_install_idmap, cpu_uninstall_idmap
from simbbm.linux.proc import idmap_cpu_set_reserved_ttbr1
from simbbm.linux.set_memory import Caps, RunningKernel


def is_free(value: int) -> bool:
    """Whether a lock is not taken."""
    return value == 0


@routine
async def try_lock(cpu: Cpu, lock: int) -> bool:
    """Take a lock once it is free, if nobody else does."""
    await cpu.wait(lock, is_free)
    if await cpu.ldaxr(lock) != 0:
        return False
    return await cpu.stxr(lock, 1) == 0


@routine
async def cpus_read_lock(cpu: Cpu, k: RunningKernel) -> None:
    """cpu.c:cpus_read_lock: no CPU comes or goes."""
    await repeat_until(try_lock, cpu, k.hotplug_lock)


@routine
async def cpus_read_unlock(cpu: Cpu, k: RunningKernel) -> None:
    """cpu.c:cpus_read_unlock."""
    await cpu.stlr(k.hotplug_lock, 0)


@routine
async def cpus_write_lock(cpu: Cpu, k: RunningKernel) -> None:
    """cpu.c:cpus_write_lock."""
    await repeat_until(try_lock, cpu, k.hotplug_lock)


@routine
async def cpus_write_unlock(cpu: Cpu, k: RunningKernel) -> None:
    """cpu.c:cpus_write_unlock."""
    await cpu.stlr(k.hotplug_lock, 0)


@routine
async def enable_mmu(cpu: Cpu, k: RunningKernel, swapper: Ttbr) -> None:
    """head.S:__enable_mmu, __secondary_switched: from here on the swapper's tables are walked."""
    await cpu.msr("ttbr1_el1", swapper)
    await cpu.isb()
    await cpu.br(k.text)


@routine
async def check_local_cpu_capabilities(cpu: Cpu, k: RunningKernel, able: int) -> bool:
    """cpufeature.c:check_local_cpu_capabilities: it must have what the system has."""
    caps = await cpu.ldr(k.caps)
    return bool(able) or caps != Caps.NOABORT


@routine
async def cpu_die_early(cpu: Cpu, k: RunningKernel) -> None:
    """smp.c:cpu_die_early: CPU_OFF."""
    await cpu_install_idmap(cpu, k)
    await cpu.br(k.idmap_text)
    await idmap_cpu_set_reserved_ttbr1(cpu, k)


@routine
async def cpu_park_loop(cpu: Cpu, k: Kernel) -> None:  # noqa: ARG001 - as cpu_die_early
    """smp.c:cpu_park_loop, where CPU_OFF is not to be had, or failed: for ever, MMU on."""
    await cpu.nop()


@routine
async def update_cpu_boot_status(cpu: Cpu, status: int) -> None:
    """smp.h:update_cpu_boot_status: CPU_STUCK_IN_KERNEL, of one more CPU."""
    await cpu.ldaddal(status, 1)
    await cpu.dsb("ishst")


@routine
async def set_cpu_online(cpu: Cpu, k: RunningKernel) -> None:
    """cpu.c:set_cpu_online."""
    await cpu.ldaddal(k.online, 1)


@routine
async def secondary_start_kernel(cpu: Cpu, k: RunningKernel, able: int) -> bool:
    """smp.c:secondary_start_kernel: returns whether the CPU is online.

    It looks at its capabilities when it has been running on the swapper's tables for a while.
    """
    await cpu_uninstall_idmap(cpu, k)
    if not await check_local_cpu_capabilities(cpu, k, able):
        await cpu_die_early(cpu, k)
        return False
    await set_cpu_online(cpu, k)
    return True


@routine
async def bring_up(cpu: Cpu, k: RunningKernel, swapper: Ttbr, able: int) -> bool:
    """cpu.c:_cpu_up, as far as the new CPU is concerned."""
    await enable_mmu(cpu, k, swapper)
    return await secondary_start_kernel(cpu, k, able)
