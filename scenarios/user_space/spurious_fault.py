"""A page becomes writable, and only the CPU that asked for it is told.

Asked: is it enough to flush the faulting CPU when a page gets more permissions, as the kernel has
done since v6.19 (cb1fa2e99955), where it had sent a broadcast to all? Two threads write to a page
that is read-only. The first to take its fault makes the page writable, and flushes its own TLB. The
other may hold the read-only entry, and takes a fault for which there is nothing to do: a spurious
one. Found: it is enough, as long as the fault that finds nothing to do flushes what it was taken by
(`good`). If it only returns, hardware may use the old entry for ever (`not_flushed`), which was no
problem while the first sent a broadcast (`broadcast`).

The flush of the first is one that can be left out, at the price of one more fault
(`nothing_flushed_at_first`), and so is the DSB in it: the fault that is taken again finds nothing
to do, and flushes.
"""

from __future__ import annotations

from typing import Annotated, Literal

from simbbm import (
    Aborted,
    Cpu,
    CpuSetup,
    Range,
    Setup,
    hardware_for,
    no_size_change_seen,
    no_tlb_conflict,
    routine,
    scenario,
    terminates,
    translations_preserved,
)
from simbbm.linux.user.fault import (
    flush_page_here,
    flush_tlb_fix_spurious_fault,
    handle_pte_fault,
)
from simbbm.linux.user.mm import (
    DIRTY,
    GEOMETRY,
    READ_ONLY,
    Mm,
    flush_tlb_page,
    local_flush_tlb_range,
    user_leaves,
    user_space,
)


async def thread(cpu: Cpu, mm: Mm) -> None:
    """A thread of the process, at EL0."""
    await cpu.str(mm.word(0), 1)


async def do_page_fault(cpu: Cpu, aborted: Aborted, mm: Mm) -> None:
    """fault.c:do_page_fault."""
    await handle_pte_fault(cpu, mm, aborted.page, aborted.access == "write")
    await cpu.eret()


@scenario(evidence="proved")
def good(
    *,
    cpus: Annotated[int, Range(2, 8)] = 2,
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """Two threads write to a read-only page: local flushes, and every write is done in the end."""
    space = user_space(user_leaves(READ_ONLY))
    return Setup(
        geometry=GEOMETRY,
        cpus=tuple(CpuSetup(thread, space.regime, (space.mm,), el=0) for _ in range(cpus)),
        tables=space.tables,
        properties=(
            no_tlb_conflict,
            no_size_change_seen,
            terminates,
            translations_preserved(space.regime, user_space(user_leaves(DIRTY)).tables),
        ),
        hardware=hardware_for(hardware),
        handler=do_page_fault,
        handler_args=(space.mm,),
        symbols=space.symbols,
        table_names=space.table_names,
        regions=space.regions,
    )


@routine
async def nothing_to_flush(cpu: Cpu, mm: Mm, page: int) -> None:
    """The page is writable by now: just return, and try again."""


not_flushed = good.twin(
    "Who finds nothing to do returns and does not flush: the old entry may answer for ever "
    "(cb1fa2e99955 makes it flush).",
    expect="STUCK:terminates",
    replace={flush_tlb_fix_spurious_fault: nothing_to_flush},
)

broadcast = not_flushed.twin(
    "Before v6.19: the CPU that makes the page writable flushes all TLBs, and nobody else need do "
    "it.",
    expect="HOLDS",
    replace={flush_page_here: flush_tlb_page},
)

broadcast_without_dsb = broadcast.twin(
    "The broadcast's DSB is gone: who finds nothing to do tries again until the TLBI has come "
    "(harmless; inferred).",
    expect="HOLDS",
    drop=["__flush_tlb_range.dsb.ish"],
)

nothing_flushed_at_first = good.twin(
    "Who makes the page writable does not flush either: it takes its fault once more, and then "
    "does (harmless; inferred).",
    expect="HOLDS",
    replace={flush_page_here: nothing_to_flush},
)


@routine
async def flush_under_kernel_asid(cpu: Cpu, mm: Mm, page: int) -> None:  # noqa: ARG001
    """The ASID is that of init_mm."""
    await cpu.dsb("nshst")
    await cpu.tlbi("vale1", page, 0)
    await cpu.dsb("nsh")


wrong_asid = good.twin(
    "The spurious fault is flushed under another ASID than the user's (inferred).",
    expect="STUCK:terminates",
    replace={flush_tlb_fix_spurious_fault: flush_under_kernel_asid},
)


@routine
async def flush_next_page(cpu: Cpu, mm: Mm, page: int) -> None:
    """The address is off by one page."""
    await local_flush_tlb_range(cpu, mm, page + 1, page + 2)


wrong_page = good.twin(
    "The spurious fault is flushed at the address behind the page (inferred).",
    expect="STUCK:terminates",
    replace={flush_tlb_fix_spurious_fault: flush_next_page},
)
