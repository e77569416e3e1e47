"""Who has which ASID, and what happens when they run out: mm/context.c.

An address space keeps its ASID for a *generation*. When none is left the next generation begins:
on every CPU what runs there keeps its ASID (it is reserved), all others have to ask again, and each
CPU flushes its TLB before it switches the next time (`tlb_flush_pending`), with no broadcast.

A context id is a generation and an ASID. What a CPU runs is in `active_asids`, which rollover
exchanges for 0 while that CPU may be about to change it without the lock.

Simplified: no pinned ASIDs, CnP or KPTI's pairs; the map is one word, which rollover writes once,
and the search for a free ASID begins at the first; the lock's interrupts are not modelled; an ISB
lies between the registers that a switch writes, where today's kernel has one at the end alone (as
this machine combines registers freely, which errs the other way, nothing is said of that).
"""

from __future__ import annotations

from dataclasses import dataclass

from simbbm.arm64.ops import Cpu
from simbbm.arm64.registers import Ttbr
from simbbm.core.program import repeat_until, routine
from simbbm.linux.hotplug import try_lock
from simbbm.linux.mmu_context import local_flush_tlb_all

NUM_ASIDS = 8
"""In a context id; `NUM_USER_ASIDS` of them may be used, and 0 is nobody's."""


@dataclass(frozen=True, kw_only=True)
class AsidKernel:
    """The kernel's words about ASIDs, at their kernel addresses; of CPUs and of mms one each."""

    cpu_asid_lock: int
    asid_generation: int
    asid_map: int
    """Word: a bit for each ASID that is taken."""
    active_asids: tuple[int, ...]
    reserved_asids: tuple[int, ...]
    tlb_flush_pending: int
    """Word: a bit for each CPU."""
    context_ids: tuple[int, ...]
    """mm->context.id."""
    pgds: tuple[Ttbr, ...]
    num_user_asids: int
    reserved_pg_dir: int
    """Physical address, as it goes into a TTBR."""


def ctxid2asid(context_id: int) -> int:
    """context.c:ctxid2asid."""
    return context_id % NUM_ASIDS


def asid2ctxid(asid: int, generation: int) -> int:
    """context.c:asid2ctxid."""
    return generation * NUM_ASIDS + asid


def asid_gen_match(context_id: int, generation: int) -> bool:
    """context.c:asid_gen_match."""
    return context_id // NUM_ASIDS == generation


@routine
async def try_xchg(cpu: Cpu, address: int, value: int) -> int:
    """atomic64_xchg_relaxed(), one turn: 0 if it failed, else what was there, and 1."""
    old = await cpu.ldxr(address)
    return 0 if await cpu.stxr(address, value) else int(old) + 1


@routine
async def xchg_relaxed(cpu: Cpu, address: int, value: int) -> int:
    """atomic64_xchg_relaxed(): what was there."""
    return int(await repeat_until(try_xchg, cpu, address, value)) - 1


@routine
async def cmpxchg_relaxed(cpu: Cpu, address: int, old: int, new: int) -> int:
    """atomic64_cmpxchg_relaxed(): what was there."""
    now = await cpu.ldxr(address)
    while now == old and await cpu.stxr(address, new) != 0:
        now = await cpu.ldxr(address)
    return int(now)


@routine
async def reserve_active(cpu: Cpu, k: AsidKernel, number: int) -> int:
    """context.c:flush_context, of one CPU: the context id that runs there keeps its ASID.

    0: the last rollover has found it running, and it has not switched since.
    """
    context_id = await xchg_relaxed(cpu, k.active_asids[number], 0)
    if context_id == 0:
        return int(await cpu.ldr(k.reserved_asids[number]))
    await cpu.str(k.reserved_asids[number], context_id)
    return context_id


@routine
async def flush_context(cpu: Cpu, k: AsidKernel) -> int:
    """context.c:flush_context: a generation begins; every CPU has a flush to do."""
    taken = 1
    for number in range(len(k.active_asids)):
        taken |= 1 << ctxid2asid(await reserve_active(cpu, k, number))
    await cpu.str(k.tlb_flush_pending, (1 << len(k.active_asids)) - 1)
    return taken


@routine
async def check_update_reserved_asid(cpu: Cpu, k: AsidKernel, context_id: int, new: int) -> bool:
    """context.c:check_update_reserved_asid: on all CPUs, whether it was running."""
    hit = False
    for word in k.reserved_asids:
        if await cpu.ldr(word) == context_id:
            hit = True
            await cpu.str(word, new)
    return hit


def first_free(taken: int, limit: int) -> int:
    """find_next_zero_bit(); `limit` if there is none."""
    return next((asid for asid in range(limit) if not taken >> asid & 1), limit)


@routine
async def new_context(cpu: Cpu, k: AsidKernel, mm: int) -> int:
    """context.c:new_context: this mm's context id in the current generation."""
    context_id = await cpu.ldr(k.context_ids[mm])
    generation = await cpu.ldr(k.asid_generation)
    taken = await cpu.ldr(k.asid_map)
    if context_id != 0:
        asid = ctxid2asid(context_id)
        again = asid2ctxid(asid, generation)
        if await check_update_reserved_asid(cpu, k, context_id, again):
            return again
        if not taken >> asid & 1:
            await cpu.str(k.asid_map, taken | 1 << asid)
            return again
    asid = first_free(taken, k.num_user_asids)
    if asid == k.num_user_asids:
        generation += 1
        await cpu.str(k.asid_generation, generation)
        taken = await flush_context(cpu, k)
        asid = first_free(taken, k.num_user_asids)
    await cpu.str(k.asid_map, taken | 1 << asid)
    return asid2ctxid(asid, generation)


@routine
async def switch_without_lock(cpu: Cpu, k: AsidKernel, mm: int, number: int) -> bool:
    """context.c:check_and_switch_context, its fast path: whether the mm's ASID can be kept."""
    context_id = await cpu.ldr(k.context_ids[mm])
    active = k.active_asids[number]
    old = await cpu.ldr(active)
    if old == 0 or not asid_gen_match(context_id, await cpu.ldr(k.asid_generation)):
        return False
    return await cmpxchg_relaxed(cpu, active, old, context_id) != 0


@routine
async def flush_if_pending(cpu: Cpu, k: AsidKernel, number: int) -> None:
    """context.c:check_and_switch_context: this CPU's part of what rollover left to do."""
    pending = await cpu.ldr(k.tlb_flush_pending)
    if pending >> number & 1:
        await cpu.str(k.tlb_flush_pending, pending & ~(1 << number))
        await local_flush_tlb_all(cpu)


@routine
async def switch_under_lock(cpu: Cpu, k: AsidKernel, mm: int, number: int) -> None:
    """context.c:check_and_switch_context, under cpu_asid_lock."""
    await repeat_until(try_lock, cpu, k.cpu_asid_lock)
    context_id = await cpu.ldr(k.context_ids[mm])
    if not asid_gen_match(context_id, await cpu.ldr(k.asid_generation)):
        context_id = await new_context(cpu, k, mm)
        await cpu.str(k.context_ids[mm], context_id)
    await flush_if_pending(cpu, k, number)
    await cpu.str(k.active_asids[number], context_id)
    await cpu.stlr(k.cpu_asid_lock, 0)


@routine
async def cpu_do_switch_mm(cpu: Cpu, k: AsidKernel, pgd: Ttbr, asid: int) -> None:
    """context.c:cpu_do_switch_mm, with an ISB behind each register."""
    ttbr1 = await cpu.mrs("ttbr1_el1")
    await cpu.msr("ttbr0_el1", Ttbr(k.reserved_pg_dir))
    await cpu.isb()
    await cpu.msr("ttbr1_el1", ttbr1._replace(asid=asid))
    await cpu.isb()
    await cpu.msr("ttbr0_el1", pgd)
    await cpu.isb()


@routine
async def check_and_switch_context(cpu: Cpu, k: AsidKernel, mm: int, number: int) -> None:
    """context.c:check_and_switch_context, on the CPU of this number."""
    if not await switch_without_lock(cpu, k, mm, number):
        await switch_under_lock(cpu, k, mm, number)
    asid = ctxid2asid(await cpu.ldr(k.context_ids[mm]))
    await cpu_do_switch_mm(cpu, k, k.pgds[mm], asid)
