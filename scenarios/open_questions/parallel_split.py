"""Several CPUs with noabort split the linear map together, each a part of it.

Asked in review, and written by nobody: a protocol that shows what it takes, and what it saves
(`simbbm cost`). The CPUs that split stay in the swapper's tables; the others park as they do today.
Every splitter waits until all others are parked, splits its part out of a list of tables of its
own, and counts itself; the boot CPU waits for all of them, flushes, and releases everybody.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from simbbm_scenarios import linear_map_split as merged

from simbbm import Cpu, CpuSet, Range, Setup, routine, scenario
from simbbm.linux import barrier, mmu, mmu_context, proc, stop_machine, tlbflush
from simbbm.linux.kernel import Kernel, extended
from simbbm.linux.mmu import SplitState


@dataclass(frozen=True, kw_only=True)
class SharingKernel(Kernel):
    """A kernel whose first CPUs split the linear map together."""

    splitters: int


@routine
async def own_part(cpu: Cpu, k: SharingKernel) -> int:
    """Which part is this CPU's to split; `splitters` if none is. A routine, as smp_processor_id."""
    return min(int(await cpu.mrs_mpidr()), k.splitters)


@routine
async def split_part(cpu: Cpu, k: SharingKernel, part: int) -> None:
    """B3 of one part, out of tables of its own."""
    pages, tables = k.lm_count // k.splitters, k.free_table_count // k.splitters
    start = k.lm_first + part * pages
    await mmu.range_split_to_ptes(cpu, k, start, start + pages, SplitState(part * tables))


@routine
async def count_part(cpu: Cpu, k: SharingKernel) -> None:
    """A splitter says that it is done, behind its stores, and waits for the release."""
    await cpu.ldaddal(k.scratch, 1)
    await barrier.smp_cond_load_acquire(cpu, k.flag, barrier.equals, 0)


@routine
async def wait_for_parts(cpu: Cpu, k: SharingKernel) -> None:
    """The boot CPU waits for all other parts."""
    await barrier.smp_cond_load_acquire(cpu, k.scratch, barrier.equals, k.splitters - 1)


@routine
async def park(cpu: Cpu, k: SharingKernel) -> None:
    """S1 to S11."""
    await mmu_context.cpu_install_idmap(cpu, k)
    await proc.wait_linear_map_split_to_ptes(cpu, k)
    await cpu.ldr(k.stack)
    await mmu_context.cpu_uninstall_idmap(cpu, k)


@routine
async def linear_map_split_to_ptes(cpu: Cpu, k: SharingKernel) -> None:
    """mmu.c:linear_map_split_to_ptes, if several CPUs split."""
    part = await own_part(cpu, k)
    if part == k.splitters:
        await park(cpu, k)
        return
    parked = 1 + k.num_online_cpus - k.splitters
    await barrier.smp_cond_load_acquire(cpu, k.flag, barrier.equals, parked)
    await split_part(cpu, k, part)
    if part:
        await count_part(cpu, k)
        return
    await wait_for_parts(cpu, k)
    await tlbflush.flush_tlb_kernel_range(cpu, k, k.lm_first, k.lm_first + k.lm_count)
    await cpu.str(k.flag, 0)


@routine
async def linear_map_maybe_split_to_ptes(cpu: Cpu, k: SharingKernel) -> None:
    """mmu.c:linear_map_maybe_split_to_ptes."""
    await mmu.init_idmap_kpti_bbml2_flag(cpu, k)
    await stop_machine.stop_machine(cpu, k, linear_map_split_to_ptes)


async def boot(cpu: Cpu, k: SharingKernel) -> None:
    """CPU 0, from setup_system_features() on."""
    await stop_machine.stoppers_idle(cpu, k)
    await linear_map_maybe_split_to_ptes(cpu, k)


async def stopper(cpu: Cpu, k: SharingKernel) -> None:
    """Any other CPU: idle until stop_machine() queues work."""
    await stop_machine.cpu_stopper_thread(cpu, k, linear_map_split_to_ptes)


@scenario(evidence="proved")
def good(
    *,
    cpus: Annotated[int, Range(2, 16)] = 3,
    splitters: Annotated[int, Range(2, 8)] = 2,
    geometry: Literal["scaled", "4k", "16k", "64k"] = "scaled",
    noabort: Annotated[str, CpuSet()] = "0,1",
    tlb: Literal["closure", "concrete"] = "closure",
) -> Setup:
    """Two CPUs with noabort split a half each, the third is parked: it sees no size change."""
    layout = "+".join(["pmd"] * splitters)
    given = {"cpus": cpus, "layout": layout, "geometry": geometry, "noabort": noabort, "tlb": tlb}
    setup = merged.good.setup(given)
    (k,) = setup.cpus[0].args
    sharing = extended(k, SharingKernel, splitters=splitters)
    return replace(
        setup,
        cpus=tuple(
            cpu._replace(program=stopper if n else boot, args=(sharing,))
            for n, cpu in enumerate(setup.cpus)
        ),
    )


cannot_see_it = good.twin(
    "One of the CPUs that split has no noabort: it meets the sizes that it changes itself (asked).",
    expect="VIOLATED:no_size_change_seen",
    noabort="boot",
    cpus=2,
)


@routine
async def do_not_wait(cpu: Cpu, k: SharingKernel) -> None:
    """The boot CPU does not wait for other parts."""


released_early = good.twin(
    "The boot CPU releases everybody when its own part is split: others still split (inferred).",
    expect="VIOLATED:no_size_change_seen|STUCK:terminates",
    replace={wait_for_parts: do_not_wait},
)
