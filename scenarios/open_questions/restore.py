"""The way back: a parked CPU gets its TTBR1, executes an ISB, and no TLBI (S10).

An open question about today's code: is the ISB after the final TTBR1 restore enough without a TLBI?
Asked because every other change of TTBR1 on this path is followed by one, and because the tables
have changed since. Assumed: nothing but the machine's rules; walks may start from the restored
table as soon as it is written. Found: it is enough (`good`, proved), since there is nothing left to
invalidate: the TLB was emptied when nothing could fill it any more (S7), the reserved table has
nothing to cache, and the flush (B4) has emptied it again. The ISB itself is needed, and before the
branch to kernel text (`no_isb`, `isb_after_branch`).

Nor could a TLBI there repair anything. Where an old entry is left, by a mistake elsewhere, it meets
the new ones as soon as TTBR1 is written, before any TLBI behind that (`tlbi_comes_too_late`). One
in front of it would do (`tlbi_before_restore`), unless the old entry comes from a TLB that is
shared (`tlbi_before_restore_smt`).
"""

from __future__ import annotations

from dataclasses import replace

from simbbm_scenarios import catalogue, smt
from simbbm_scenarios import linear_map_split as merged

from simbbm import (
    Cpu,
    Ttbr,
    routine,
)
from simbbm.linux.kernel import Kernel
from simbbm.linux.mmu_context import local_flush_tlb_all
from simbbm.linux.proc import scondary_cpu_wait, wait_for_zero, wait_linear_map_split_to_ptes

good = replace(
    merged.good,
    story="Open question: the merged protocol, whose last step back is an ISB and no TLBI, holds.",
)

no_isb = good.twin(
    "Without that ISB the branch to kernel text may be translated by the reserved table.",
    expect="VIOLATED:no_fault_on_live_map",
    drop=["scondary_cpu_wait.isb"],
    cpus=2,
    layout="pages",
)


@routine
async def wait_and_synchronise(cpu: Cpu, k: Kernel) -> None:
    """An ISB when the wait routine is over."""
    await wait_linear_map_split_to_ptes(cpu, k)
    await cpu.isb()


isb_after_branch = no_isb.twin(
    "Executed behind the branch it comes too late.",
    expect="VIOLATED:no_fault_on_live_map",
    replace={wait_linear_map_split_to_ptes: wait_and_synchronise},
)


@routine
async def wait_and_invalidate(cpu: Cpu, k: Kernel, swapper_ttb: Ttbr) -> None:
    """A TLBI behind S10."""
    await scondary_cpu_wait(cpu, k, swapper_ttb)
    await local_flush_tlb_all(cpu)


@routine
async def wait_for_zero_and_invalidate(cpu: Cpu, flag_ptr: int) -> bool:
    """A TLBI in front of S10, when the wait is over."""
    if not await wait_for_zero(cpu, flag_ptr):
        return False
    await local_flush_tlb_all(cpu)
    return True


tlbi_added = good.twin(
    "A TLBI behind the restore changes nothing.",
    expect="HOLDS",
    replace={scondary_cpu_wait: wait_and_invalidate},
)

tlbi_comes_too_late = catalogue.m09_m17_no_tlbi_at_all.twin(
    "Where no other TLBI has removed the old blocks, one behind the restore is too late.",
    expect="VIOLATED:no_size_change_seen",
    replace={scondary_cpu_wait: wait_and_invalidate},
)

tlbi_before_restore = catalogue.m09_m17_no_tlbi_at_all.twin(
    "One in front of the restore removes them in time.",
    expect="HOLDS",
    replace={wait_for_zero: wait_for_zero_and_invalidate},
)

tlbi_before_restore_smt = smt.m17_no_final_tlbi.twin(
    "But not what the boot CPU still holds in a TLB that both have in common.",
    expect="VIOLATED:no_size_change_seen",
    replace={wait_for_zero: wait_for_zero_and_invalidate},
)
