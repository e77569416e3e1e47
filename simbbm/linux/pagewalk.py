"""Walking kernel page tables without locks: mm/pagewalk.c.

The walk calls what its user has put into `MmWalkOps`, and goes below an entry unless a callback
says ACTION_CONTINUE. The kernel's callbacks change `struct mm_walk` and what `private` points to;
what crosses a call is a value here, so a callback returns the walk as it leaves it.

Simplified: whole ranges of kernel memory only, ACTION_AGAIN is not modelled (nothing asks for it),
errors are exceptions.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, NamedTuple

from simbbm.arm64.descriptor import TABLE
from simbbm.arm64.ops import Cpu
from simbbm.core.program import Request, routine
from simbbm.linux.kernel import Kernel
from simbbm.linux.pgtable import PMD, PTE, PUD, addr_end, offset_in


class Action(IntEnum):
    """pagewalk.h:enum page_walk_action."""

    SUBTREE = 0
    CONTINUE = 1


Callback = Callable[[Cpu, Kernel, int, "MmWalk"], Request["MmWalk"]]
"""A routine that gets the address of an entry."""


class MmWalkOps(NamedTuple):
    """pagewalk.h:struct mm_walk_ops: what is called for an entry, before anything below it."""

    pud_entry: Callback
    pmd_entry: Callback
    pte_entry: Callback | None = None


class MmWalk(NamedTuple):
    """pagewalk.h:struct mm_walk."""

    ops: MmWalkOps
    private: Any
    """What the callbacks hand on from one to the next; frozen data."""
    action: Action = Action.SUBTREE


@routine
async def walk_pte_range(
    cpu: Cpu, k: Kernel, ptep: int, addr: int, end: int, walk: MmWalk
) -> MmWalk:
    """pagewalk.c:walk_pte_range, walk_pte_range_inner."""
    while walk.ops.pte_entry and addr != end:
        walk = await walk.ops.pte_entry(cpu, k, ptep, walk)
        ptep, addr = ptep + 1, addr_end(k, PTE, addr, end)
    return walk


@routine
async def walk_pmd_range(
    cpu: Cpu, k: Kernel, pmdp: int, addr: int, end: int, walk: MmWalk
) -> MmWalk:
    """pagewalk.c:walk_pmd_range."""
    while addr != end:
        next_ = addr_end(k, PMD, addr, end)
        walk = await walk.ops.pmd_entry(cpu, k, pmdp, walk._replace(action=Action.SUBTREE))
        if walk.action == Action.SUBTREE and walk.ops.pte_entry is not None:
            pmd = await cpu.ldr(pmdp)
            if pmd.kind == TABLE:
                ptep = offset_in(k, k.linear(pmd.output), PTE, addr)
                walk = await walk_pte_range(cpu, k, ptep, addr, next_, walk)
        pmdp, addr = pmdp + 1, next_
    return walk


@routine
async def walk_pud_range(
    cpu: Cpu, k: Kernel, pudp: int, addr: int, end: int, walk: MmWalk
) -> MmWalk:
    """pagewalk.c:walk_pud_range."""
    while addr != end:
        next_ = addr_end(k, PUD, addr, end)
        walk = await walk.ops.pud_entry(cpu, k, pudp, walk._replace(action=Action.SUBTREE))
        if walk.action == Action.SUBTREE:
            pud = await cpu.ldr(pudp)
            if pud.kind == TABLE:
                pmdp = offset_in(k, k.linear(pud.output), PMD, addr)
                walk = await walk_pmd_range(cpu, k, pmdp, addr, next_, walk)
        pudp, addr = pudp + 1, next_
    return walk


@routine
async def walk_pgd_range(
    cpu: Cpu, k: Kernel, level: int, table: int, addr: int, end: int, walk: MmWalk
) -> MmWalk:
    """pagewalk.c:walk_pgd_range, walk_p4d_range: levels that have tables only, if there are any."""
    entryp = offset_in(k, table, level, addr)
    if level == PUD:
        return await walk_pud_range(cpu, k, entryp, addr, end, walk)
    while addr != end:
        next_ = addr_end(k, level, addr, end)
        entry = await cpu.ldr(entryp)
        if entry.kind == TABLE:
            below = k.linear(entry.output)
            walk = await walk_pgd_range(cpu, k, level + 1, below, addr, next_, walk)
        entryp, addr = entryp + 1, next_
    return walk


@routine
async def walk_kernel_page_table_range_lockless(
    cpu: Cpu, k: Kernel, start: int, end: int, ops: MmWalkOps, private: Any
) -> Any:
    """pagewalk.c:walk_kernel_page_table_range_lockless: returns what the callbacks have left."""
    walk = MmWalk(ops, private)
    walk = await walk_pgd_range(cpu, k, k.root_level, k.swapper_pg_dir, start, end, walk)
    return walk.private
