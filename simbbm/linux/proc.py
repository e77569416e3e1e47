"""The secondaries' wait routine in the idmap: mm/proc.S (S6 to S10).

Runs at its physical address with TTBR1 on the reserved table: no stack, no kernel addresses.
"""

from __future__ import annotations

from simbbm.arm64.ops import Cpu
from simbbm.arm64.registers import Ttbr
from simbbm.core.program import repeat_until, routine
from simbbm.linux.kernel import Kernel


@routine
async def idmap_cpu_set_reserved_ttbr1(cpu: Cpu, k: Kernel) -> None:
    """proc.S:__idmap_cpu_set_reserved_ttbr1 (S7): stop using the swapper, forget it."""
    await cpu.msr("ttbr1_el1", Ttbr(k.reserved_pg_dir))
    await cpu.isb()
    await cpu.tlbi("vmalle1")
    await cpu.dsb("nsh")
    await cpu.isb()


@routine
async def increment_flag(cpu: Cpu, address: int) -> bool:
    """One turn of the exclusive loop."""
    value = await cpu.ldxr(address)
    failed = await cpu.stxr(address, value + 1)
    return not failed


@routine
async def count_parked(cpu: Cpu, k: Kernel) -> None:
    """proc.S: say "I am parked" (S8)."""
    await repeat_until(increment_flag, cpu, k.flag_idmap)


@routine
async def wait_for_zero(cpu: Cpu, address: int) -> bool:
    """One turn of the wait loop."""
    await cpu.wfe()
    value = await cpu.ldxr(address)
    return bool(value == 0)


@routine
async def wait_until_released(cpu: Cpu, k: Kernel) -> None:
    """proc.S: wait for 0 (S9); the exclusive load arms the monitor that wakes the WFE."""
    await cpu.sevl()
    await repeat_until(wait_for_zero, cpu, k.flag_idmap)


@routine
async def restore_ttbr1(cpu: Cpu, ttbr1: Ttbr) -> None:
    """proc.S: back to the swapper tables (S10)."""
    await cpu.msr("ttbr1_el1", ttbr1)
    await cpu.isb()


@routine
async def scondary_cpu_wait(cpu: Cpu, k: Kernel, ttbr1: Ttbr) -> None:
    """proc.S:scondary_cpu_wait (so spelt): what the flag's users share, the split and KPTI."""
    await count_parked(cpu, k)
    await wait_until_released(cpu, k)
    await restore_ttbr1(cpu, ttbr1)


@routine
async def wait_linear_map_split_to_ptes(cpu: Cpu, k: Kernel) -> None:
    """proc.S:wait_linear_map_split_to_ptes."""
    await cpu.br(k.idmap_text)
    ttbr1 = await cpu.mrs("ttbr1_el1")
    await idmap_cpu_set_reserved_ttbr1(cpu, k)
    await scondary_cpu_wait(cpu, k, ttbr1)
    await cpu.br(k.text)
