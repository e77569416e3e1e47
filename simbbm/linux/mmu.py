"""The decision to repaint, and what each CPU does inside stop_machine(): mm/mmu.c."""

from __future__ import annotations

from simbbm.arm64.ops import Cpu
from simbbm.core.program import routine
from simbbm.linux.barrier import equals, smp_cond_load_acquire
from simbbm.linux.kernel import Kernel
from simbbm.linux.mmu_context import cpu_install_idmap, cpu_uninstall_idmap
from simbbm.linux.proc import wait_linear_map_split_to_ptes
from simbbm.linux.split import Progress, range_split_to_ptes
from simbbm.linux.stop_machine import stop_machine
from simbbm.linux.tlbflush import flush_tlb_kernel_range


@routine
async def on_boot_cpu(cpu: Cpu) -> bool:
    """smp_processor_id() == 0 (B1); a frame of its own, so that secondaries stay alike."""
    return await cpu.mrs_mpidr() == 0


@routine
async def init_idmap_kpti_bbml2_flag(cpu: Cpu, k: Kernel) -> None:
    """mmu.c:init_idmap_kpti_bbml2_flag (F1, F2): the 1 stands for the boot CPU itself."""
    await cpu.str(k.flag, 1)
    await cpu.dmb("ish")


@routine
async def wait_for_secondaries(cpu: Cpu, k: Kernel) -> None:
    """smp_cond_load_acquire(&idmap_kpti_bbml2_flag, VAL == num_online_cpus()) (B2)."""
    await smp_cond_load_acquire(cpu, k.flag, equals, k.num_online_cpus)


@routine
async def repaint(cpu: Cpu, k: Kernel) -> None:
    """The linear map except the kernel's alias, in two ranges (B3)."""
    end = k.lm_first + k.lm_count
    kernel_end = k.kernel_first + k.kernel_count
    done = await range_split_to_ptes(cpu, k, k.lm_first, k.kernel_first - k.lm_first, Progress())
    await range_split_to_ptes(cpu, k, kernel_end, end - kernel_end, done)


@routine
async def flush_linear_map(cpu: Cpu, k: Kernel) -> None:
    """flush_tlb_kernel_range(lstart, lend) (B4)."""
    await flush_tlb_kernel_range(cpu, k, k.lm_first, k.lm_count)


@routine
async def release_secondaries(cpu: Cpu, k: Kernel) -> None:
    """WRITE_ONCE(idmap_kpti_bbml2_flag, 0) (B5): ordered by the dsb of the flush."""
    await cpu.str(k.flag, 0)


@routine
async def boot_cpu_part(cpu: Cpu, k: Kernel) -> None:
    """What the one CPU does that may change block sizes of a live map."""
    await wait_for_secondaries(cpu, k)
    await repaint(cpu, k)
    await flush_linear_map(cpu, k)
    await release_secondaries(cpu, k)


@routine
async def secondary_part(cpu: Cpu, k: Kernel) -> None:
    """What every other CPU does: wait in the idmap, without the swapper tables."""
    await cpu_install_idmap(cpu, k)
    await wait_linear_map_split_to_ptes(cpu, k)
    await cpu.ldr(k.stack)
    await cpu_uninstall_idmap(cpu, k)


@routine
async def linear_map_split_to_ptes(cpu: Cpu, k: Kernel) -> None:
    """mmu.c:linear_map_split_to_ptes, run by every CPU inside stop_machine()."""
    if await on_boot_cpu(cpu):
        await boot_cpu_part(cpu, k)
    else:
        await secondary_part(cpu, k)


@routine
async def linear_map_maybe_split_to_ptes(cpu: Cpu, k: Kernel) -> None:
    """mmu.c:linear_map_maybe_split_to_ptes, on a system that needs the repaint."""
    await init_idmap_kpti_bbml2_flag(cpu, k)
    await stop_machine(cpu, k, linear_map_split_to_ptes)
