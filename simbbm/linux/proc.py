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
async def increment_flag(cpu: Cpu, flag_ptr: int) -> bool:
    """proc.S:scondary_cpu_wait, one turn of its first loop."""
    value = await cpu.ldxr(flag_ptr)
    failed = await cpu.stxr(flag_ptr, value + 1)
    return not failed


@routine
async def wait_for_zero(cpu: Cpu, flag_ptr: int) -> bool:
    """proc.S:scondary_cpu_wait, one turn of its second loop."""
    await cpu.wfe()
    value = await cpu.ldxr(flag_ptr)
    return bool(value == 0)


@routine
async def scondary_cpu_wait(cpu: Cpu, k: Kernel, swapper_ttb: Ttbr) -> None:
    """proc.S:scondary_cpu_wait (so spelt): the tail that the split and KPTI share."""
    # Increment the flag: this CPU is parked (S8). The DSB of S7 orders it, nothing else does.
    await repeat_until(increment_flag, cpu, k.flag_idmap)

    # Wait for 0 (S9): SEVL lets the first WFE through, LDXR arms the monitor that ends the others.
    await cpu.sevl()
    await repeat_until(wait_for_zero, cpu, k.flag_idmap)

    # Back to the swapper's tables (S10). No TLBI: there is nothing of them in the TLB.
    await cpu.msr("ttbr1_el1", swapper_ttb)
    await cpu.isb()


@routine
async def wait_linear_map_split_to_ptes(cpu: Cpu, k: Kernel) -> None:
    """proc.S:wait_linear_map_split_to_ptes, called at its physical address (S1) and returning."""
    await cpu.br(k.idmap_text)
    swapper_ttb = await cpu.mrs("ttbr1_el1")
    await idmap_cpu_set_reserved_ttbr1(cpu, k)
    await scondary_cpu_wait(cpu, k, swapper_ttb)
    await cpu.br(k.text)
