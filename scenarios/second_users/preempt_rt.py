"""PREEMPT_RT: the stopper may pre-empt a task that holds a lock of the page allocator.

The boot CPU allocates tables inside stop_machine() (GFP_ATOMIC), and the allocator takes
zone->lock. Who holds a spinlock has interrupts off and cannot be pre-empted: when all CPUs are in
fn nobody holds it. Under PREEMPT_RT the same lock sleeps, and the stopper, being of the highest
class, may pre-empt its holder, which cannot go on before the boot CPU is done, which waits for it.
Priority inheritance does not help: the holder's CPU is parked, and schedules no task of whatever
priority. The number is that of the catalogue of mutants.

Here a task on every other CPU allocates a page before its stopper runs. Where it can be pre-empted
it looks for the stopper's work, as the scheduler would, and does it: under PREEMPT_RT while it
waits for the lock, and once while it holds it; else not before it has dropped it.

Simplified: a CPU is pre-empted when the first work is queued, be it not its own yet (cries wolf);
one lock stands for zone->lock and the per-CPU lists', no task on the boot CPU is
pre-empted with it held, and might_sleep() does not complain of a sleeping lock in fn (misses).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from simbbm_scenarios import linear_map_split as merged
from simbbm_scenarios.catalogue_tables import count_tables_and_split, tables_for_leaf

from simbbm import (
    Cpu,
    CpuSet,
    Range,
    Setup,
    edits,
    repeat_until,
    routine,
    scenario,
)
from simbbm.linux.hotplug import try_lock
from simbbm.linux.kernel import Kernel, extended
from simbbm.linux.mmu import (
    SplitState,
    linear_map_maybe_split_to_ptes,
    linear_map_split_to_ptes,
    pgd_pgtable_alloc_init_mm_gfp,
)
from simbbm.linux.stop_machine import cpu_stopper_thread

LOCKED, STOPPED = 1, 2


@dataclass(frozen=True, kw_only=True)
class ZoneKernel(Kernel):
    """A kernel, and words of its page allocator."""

    zone_lock: int
    allocated_pages: int


@routine
async def preempt_schedule(cpu: Cpu, k: ZoneKernel) -> bool:
    """core.c:preempt_schedule: the stopper runs if it has work; returns whether it did."""
    if await cpu.ldar(k.stop_work) == 0:
        return False
    await cpu_stopper_thread(cpu, k, linear_map_split_to_ptes)
    return True


@routine
async def preempt_schedule_at_lock(cpu: Cpu, k: ZoneKernel) -> bool:  # noqa: ARG001 - as the other
    """spin_lock_irqsave() masks interrupts: who spins or holds the lock is not pre-empted."""
    return False


@routine
async def spin_trylock(cpu: Cpu, lock: int) -> bool:
    """spinlock.h:spin_trylock."""
    return await cpu.ldaxr(lock) == 0 and await cpu.stxr(lock, 1) == 0


@routine
async def lock_or_stop(cpu: Cpu, k: ZoneKernel) -> int:
    """One turn of a task's wait for the lock; 0 if there is nothing but to wait."""
    if await preempt_schedule_at_lock(cpu, k):
        return STOPPED
    return LOCKED if await spin_trylock(cpu, k.zone_lock) else 0


@routine
async def take_page(cpu: Cpu, k: ZoneKernel) -> None:
    """page_alloc.c:rmqueue_buddy, from where it holds the lock on; it drops it."""
    await cpu.str(k.allocated_pages, await cpu.ldr(k.allocated_pages) + 1)
    await cpu.stlr(k.zone_lock, 0)


@routine
async def rmqueue_buddy(cpu: Cpu, k: ZoneKernel) -> bool:
    """page_alloc.c:rmqueue_buddy in a task; returns whether its CPU was stopped amid it."""
    stopped = await repeat_until(lock_or_stop, cpu, k) == STOPPED
    if stopped:
        await repeat_until(try_lock, cpu, k.zone_lock)
    else:
        stopped = await preempt_schedule_at_lock(cpu, k)
    await take_page(cpu, k)
    return stopped


async def boot(cpu: Cpu, k: ZoneKernel) -> None:
    """CPU 0: it does not look whether the others are idle."""
    await linear_map_maybe_split_to_ptes(cpu, k)


async def task_and_stopper(cpu: Cpu, k: ZoneKernel) -> None:
    """Any CPU but the boot CPU: a task, and the stopper, if it has not run by then."""
    if not await rmqueue_buddy(cpu, k):
        await cpu_stopper_thread(cpu, k, linear_map_split_to_ptes)


@routine
async def rmqueue_buddy_in_fn(cpu: Cpu, k: ZoneKernel) -> None:
    """page_alloc.c:rmqueue_buddy, with GFP_ATOMIC: wait for the lock, take a page."""
    await repeat_until(try_lock, cpu, k.zone_lock)
    await take_page(cpu, k)


@routine
async def pgd_pgtable_alloc_locked(
    cpu: Cpu, k: ZoneKernel, state: SplitState
) -> tuple[int, SplitState]:
    """mmu.c:pgd_pgtable_alloc_init_mm_gfp, and what the page allocator does."""
    await rmqueue_buddy_in_fn(cpu, k)
    return await pgd_pgtable_alloc_init_mm_gfp(cpu, k, state)


@scenario(evidence="proved")
def locked(
    *,
    cpus: Annotated[int, Range(2, 16)] = 3,
    layout: Literal["pmd", "contpmd", "pud"] = "pmd",
    noabort: Annotated[str, CpuSet()] = "boot",
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """The split while all other CPUs allocate pages: inside fn the allocator's lock is free."""
    given = {"cpus": cpus, "layout": layout, "noabort": noabort, "hardware": hardware}
    setup = merged.good.setup(given)
    kernel: Kernel = setup.cpus[0].args[0]
    k = extended(
        kernel,
        ZoneKernel,
        zone_lock=kernel.scratch + 1,
        allocated_pages=kernel.scratch + 2,
    )
    names = {k.zone_lock: "zone_lock", k.allocated_pages: "allocated_pages"}
    names |= {kernel.flag_idmap + a - kernel.flag: n for a, n in names.items()}
    return replace(
        setup,
        cpus=tuple(
            cpu._replace(program=task_and_stopper if n else boot, args=(k,))
            for n, cpu in enumerate(setup.cpus)
        ),
        symbols={**setup.symbols, **names},
    )


good = replace(locked, edits=edits({pgd_pgtable_alloc_init_mm_gfp: pgd_pgtable_alloc_locked}))
del locked

m39_lock_holder_preempted = good.twin(
    "PREEMPT_RT: the stopper pre-empts a task that holds the allocator's lock, and the boot CPU "
    "waits for it inside fn (PREEMPT_RT threads, December 2025).",
    expect="STUCK:terminates",
    replace={preempt_schedule_at_lock: preempt_schedule},
    cpus=2,
)


@routine
async def alloc_pages_nolock(cpu: Cpu, k: ZoneKernel) -> None:
    """page_alloc.c:alloc_pages_nolock: the lock is free, or there is no page."""
    if not await spin_trylock(cpu, k.zone_lock):
        await cpu.panic("Failed to split linear map")
    await take_page(cpu, k)


m39_trylock_panics = m39_lock_holder_preempted.twin(
    "PREEMPT_RT, and fn only tries the lock: the deadlock becomes a panic (review in the "
    "PREEMPT_RT threads, December 2025).",
    expect="VIOLATED:no_panic",
    replace={rmqueue_buddy_in_fn: alloc_pages_nolock},
)


@routine
async def allocate_for_leaf(cpu: Cpu, k: ZoneKernel, level: int) -> int:
    """Put aside what a leaf's split takes, while whoever holds the lock can still run."""
    needed = await tables_for_leaf(cpu, k, level)
    for _ in range(needed):
        await repeat_until(try_lock, cpu, k.zone_lock)
        await take_page(cpu, k)
    return needed


@routine
async def take_preallocated(cpu: Cpu, k: ZoneKernel) -> None:
    """One of the tables that were put aside."""
    if (left := await cpu.ldr(k.scratch)) == 0:
        await cpu.panic("Failed to split linear map")
    await cpu.str(k.scratch, left - 1)


m39_tables_preallocated = m39_lock_holder_preempted.twin(
    "PREEMPT_RT, with tables put aside before stop_machine(): fn takes no lock, so it matters no "
    "more who holds one (PREEMPT_RT threads, January 2026).",
    expect="HOLDS",
    replace={
        linear_map_maybe_split_to_ptes: count_tables_and_split,
        tables_for_leaf: allocate_for_leaf,
        rmqueue_buddy_in_fn: take_preallocated,
    },
)
