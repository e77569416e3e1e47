"""A page's permissions change at run time, in the middle of a block that others use.

Asked: set_memory_ro() splits the block that the page lies in, and makes it groups of contiguous
pages first (`to_cont`), so that as little as possible is lost. Then it clears CONT on the live
table, in the group of the page alone. Is that safe on a system whose CPUs all have BBML3, with
nobody parked and no flush before the one that the new permission needs? And where the group was
made invalid before (`made_valid`), and its pages keep CONT?

Found: yes. A CPU may hold the block, the group and the page at once, which it tolerates; they say
the same until the page is written, and then the flush takes what is held for it. What it takes is
that CONT is gone from the whole group, valid or not, before one of its pages says something else:
with CONT left a CPU may take one page's entry for the other's (`cont_left`, `cont_left_on_sibling`,
`invalid_group_forgotten`).

A task may be moved to another CPU in the middle of it, with the barriers owed that lazy MMU mode
has put off, or amid the flush (`carried`). Asked: do they work there? Found: yes, by the DSB that
__switch_to() has for this (`no_dsb_in_switch_to`); of stores alone the release by which the task is
handed on takes care. What nothing in the flush sees to is the CPU that the task has left: where the
next task comes to no context synchronisation it may use an old translation once more, which was
made before (`no_isb_behind_switch`), but not with FEAT_ETS2.

Simplified: CPUs that write to the page skip the fault that they take.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from simbbm_scenarios import linear_map_split as merged
from simbbm_scenarios.late_cpu import running

from simbbm import (
    GEOMETRIES,
    INVALID_DESCRIPTOR,
    LEAF,
    RO,
    Aborted,
    Cpu,
    CpuSet,
    Descriptor,
    Program,
    Range,
    Setup,
    routine,
    scenario,
)
from simbbm.linux.kernel import Kernel
from simbbm.linux.layout import layout as lay_out
from simbbm.linux.mmu import SplitState, split_contpte, split_pmd
from simbbm.linux.pgtable import PMD, PTE_PRESENT_INVALID, __set_pte, arch_leave_lazy_mmu_mode
from simbbm.linux.set_memory import (
    Caps,
    RunningKernel,
    leaf_of,
    split_at,
    split_cont,
    split_kernel_leaf_mapping,
)
from simbbm.linux.stop_machine import is_set
from simbbm.linux.tlbflush import flush_tlb_kernel_range

PAGE = 3
"""The page that changes: the last of a block's second half; its sibling is the one before."""
KEPT = (
    "no_tlb_conflict",
    "no_size_change_seen",
    "terminates",
    "tables_linked_once",
    "no_sleep_in_atomic",
)


def word_of(k: RunningKernel, page: int) -> int:
    """A word of a page of the linear map that has no table in it."""
    return (k.lm_first + page) * k.page_words


@routine
async def change_page(cpu: Cpu, k: RunningKernel, new: Descriptor) -> None:
    """pageattr.c:__change_memory_common, of one page: split, write, flush."""
    page = k.lm_first + PAGE
    await split_kernel_leaf_mapping(cpu, k, page)
    address, _, entry = await leaf_of(cpu, k, page)
    await __set_pte(
        cpu, address, entry._replace(kind=new.kind, attributes=new.attributes, software=0)
    )
    await arch_leave_lazy_mmu_mode(cpu)
    await flush_tlb_kernel_range(cpu, k, page, page + 1)


async def set_memory_ro(cpu: Cpu, k: RunningKernel) -> None:
    """pageattr.c:set_memory_ro; then all know that nobody changes what is in the page any more."""
    await change_page(cpu, k, Descriptor(LEAF, attributes=RO))
    await cpu.stlr(k.scratch, 1)


async def writer(cpu: Cpu, k: RunningKernel) -> None:
    """Any other CPU: it writes to the page, before and after, and to its sibling, which it may."""
    await cpu.str(word_of(k, PAGE), 1)
    await cpu.str(word_of(k, PAGE - 1), 1)
    await cpu.wait(k.scratch, is_set, acquire=True)
    if await cpu.ldaddal(word_of(k, PAGE), 1) is not None:
        await cpu.panic("a page is written to that is read-only")


async def set_memory_valid(cpu: Cpu, k: RunningKernel) -> None:
    """pageattr.c:set_memory_valid, of one page of a group that was made invalid."""
    await change_page(cpu, k, Descriptor(LEAF))
    await cpu.str(word_of(k, PAGE), 1)


async def prober(cpu: Cpu, k: RunningKernel) -> None:
    """Any other CPU: it tries the page's sibling, which stays invalid."""
    if await cpu.ldr(word_of(k, PAGE - 1)) is not None:
        await cpu.panic("a page is read that is not mapped")


async def vectors(cpu: Cpu, aborted: Aborted, skipped: int) -> None:
    """extable.c:fixup_exception: of one page a fault is skipped, others are fatal."""
    if aborted.page != skipped:
        await cpu.panic(f"{aborted.kind} fault on a {aborted.access}")
    await cpu.eret(retry=False)


def with_programs(given: Mapping[str, Any], first: Program, others: Program, skipped: int) -> Setup:
    """A system whose CPUs all have BBML3, which is known; a fault on one page is skipped."""
    setup = merged.good.setup(given)
    at = lay_out(given["layout"], GEOMETRIES["scaled"], len(setup.cpus), flush_by_page=True)
    setup, k = running(setup, at, Caps.NOABORT, len(setup.cpus))
    return replace(
        setup,
        cpus=tuple(
            cpu._replace(program=others if n else first, args=(k,))
            for n, cpu in enumerate(setup.cpus)
        ),
        properties=tuple(p for p in setup.properties if p.name in KEPT),
        handler=vectors,
        handler_args=(k.lm_first + skipped,),
        landmarks={},
    )


@scenario(evidence="proved")
def good(
    *,
    cpus: Annotated[int, Range(2, 16)] = 2,
    layout: Literal["contpmd", "pud"] = "contpmd",
    noabort: Annotated[str, CpuSet()] = "all",
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """A page in the middle of a block becomes read-only; others write to it, and next to it."""
    given = {"cpus": cpus, "layout": layout, "noabort": noabort, "hardware": hardware}
    return with_programs(given, set_memory_ro, writer, PAGE)


one_without_bbml3 = good.twin(
    "The same on a system of which one CPU lacks BBML3 (comment in split_kernel_leaf_mapping).",
    expect="VIOLATED:no_size_change_seen",
    noabort="0",
)


@routine
async def split_contpmd_alone(
    cpu: Cpu, k: Kernel, address: int, level: int, state: SplitState
) -> SplitState:
    """Blocks alone, since what a block was split into is fresh."""
    return await split_cont(cpu, k, address, level, state) if level == PMD else state


cont_left = good.twin(
    "CONT stays in the group of pages that the block was just split into: one of them says "
    "read-only for both (inferred).",
    expect="VIOLATED:no_panic",
    replace={split_cont: split_contpmd_alone},
)


@routine
async def clear_one(cpu: Cpu, k: Kernel, ptep: int) -> None:  # noqa: ARG001 - as what it replaces
    """The entry of the page, and not those of its group."""
    pte = await cpu.ldr(ptep)
    await __set_pte(cpu, ptep, pte._replace(contiguous=False))


cont_left_on_sibling = good.twin(
    "CONT goes from the page's own entry alone: its sibling's is for both, and says that they are "
    "writable (inferred).",
    expect="VIOLATED:no_panic",
    replace={split_contpte: clear_one},
)


@routine
async def split_pmd_to_pages(
    cpu: Cpu,
    k: Kernel,
    pmdp: int,
    pmd: Descriptor,
    state: SplitState,
    to_cont: bool,  # noqa: ARG001, FBT001 - as what it replaces
) -> SplitState:
    """As the repaint does."""
    return await split_pmd(cpu, k, pmdp, pmd, state)


split_to_pages = good.twin(
    "The block is split into single pages at once: harmless, it costs TLB entries (inferred).",
    expect="HOLDS",
    replace={"split_at/split_pmd": split_pmd_to_pages},
)

not_flushed = good.twin(
    "No flush once the page is read-only, as if the split had flushed: CPUs go on writing "
    "(inferred).",
    expect="VIOLATED:no_panic",
    drop=["flush_tlb_kernel_range.tlbi.vaale1is"],
)


@scenario(evidence="proved")
def made_valid(
    *,
    cpus: Annotated[int, Range(2, 16)] = 2,
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """A contiguous group was made invalid; one of its pages becomes valid, and no other."""
    given = {"cpus": cpus, "layout": "pmd+contpte", "noabort": "all", "hardware": hardware}
    setup = with_programs(given, set_memory_valid, prober, PAGE - 1)
    return replace(
        setup,
        tables={
            address: tuple(
                e._replace(kind=INVALID_DESCRIPTOR.kind, software=PTE_PRESENT_INVALID)
                if e.contiguous
                else e
                for e in entries
            )
            for address, entries in setup.tables.items()
        },
    )


@routine
async def split_valid_at(
    cpu: Cpu, k: Kernel, address: int, level: int, state: SplitState, inside: int
) -> tuple[Descriptor, SplitState]:
    """What is not valid is no leaf, so there is nothing to split."""
    entry: Descriptor = await cpu.ldr(address)
    if not entry.valid:
        return entry, state
    return await split_at(cpu, k, address, level, state, inside)


invalid_group_forgotten = made_valid.twin(
    "CONT stays in a group that was made invalid: the page that becomes valid is for both "
    "(15bfba1ad77f makes invalid leaves known).",
    expect="VIOLATED:no_panic",
    replace={split_at: split_valid_at},
)

# A task that is in the middle of it when it is moved to another CPU. The barriers that lazy MMU
# mode owes are the task's (TIF_LAZY_MMU_PENDING), and so is the flush: it goes on elsewhere.


@routine
async def __switch_to(cpu: Cpu) -> None:
    """process.c:__switch_to: what this CPU has begun is complete before the task is elsewhere."""
    await cpu.dsb("ish")


@routine
async def finish_task(cpu: Cpu, k: RunningKernel) -> None:
    """core.c:finish_task: the task may be taken by another CPU (on_cpu, a release)."""
    await cpu.stlr(k.scratch, 1)


@routine
async def back_to_task(cpu: Cpu) -> None:
    """entry.S: the next task was pre-empted by an interrupt, from which it returns (R14)."""
    await cpu.isb()


@routine
async def flush_begun(cpu: Cpu, page: int) -> None:
    """The flush of a page, without the DSB that it ends with."""
    await cpu.dsb("ishst")
    await cpu.tlbi("vaale1is", page)


@routine
async def flush_ended(cpu: Cpu) -> None:
    """The rest of it."""
    await cpu.dsb("ish")
    await cpu.isb()


async def task_leaves(cpu: Cpu, k: RunningKernel, moved: str) -> None:
    """The task writes the page's entry, perhaps begins its flush, and leaves; another one comes."""
    page = k.lm_first + PAGE
    address, _, entry = await leaf_of(cpu, k, page)
    await __set_pte(cpu, address, entry._replace(attributes=RO))
    if moved == "amid_flush":
        await flush_begun(cpu, page)
    await __switch_to(cpu)
    await finish_task(cpu, k)
    await back_to_task(cpu)
    await cpu.str(word_of(k, PAGE), 1)


async def task_goes_on(cpu: Cpu, k: RunningKernel, moved: str) -> None:
    """Where the task goes on: it leaves lazy MMU mode and flushes, or waits for the flush."""
    page, word = k.lm_first + PAGE, word_of(k, PAGE)
    await cpu.wait(k.scratch, is_set, acquire=True)
    if moved == "lazy":
        await arch_leave_lazy_mmu_mode(cpu)
        await flush_begun(cpu, page)
    await flush_ended(cpu)
    if await cpu.ldr(word) != await cpu.ldr(word):
        await cpu.panic("a page is written to that is read-only")


@scenario(evidence="proved")
def carried(
    *,
    moved: Literal["lazy", "amid_flush"] = "lazy",
    ets2: Literal["no", "yes"] = "no",
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """A task is moved to another CPU with barriers owed, or amid a flush, which ends there."""
    given = {"cpus": 2, "layout": "pmd+pages", "noabort": "all", "hardware": hardware}
    setup = with_programs({**given, "ets2": ets2}, task_leaves, task_goes_on, PAGE)
    return replace(setup, cpus=tuple(c._replace(args=(*c.args, moved)) for c in setup.cpus))


carried_amid_flush = carried.twin(
    "The TLBI is on one CPU, the DSB on another: the one in __switch_to() has completed it.",
    expect="HOLDS",
    moved="amid_flush",
)

no_dsb_in_switch_to = carried_amid_flush.twin(
    "__switch_to() has no DSB: that of the CPU where the task goes on waits for its own TLBIs "
    "alone (comment in __switch_to).",
    expect="VIOLATED:no_panic",
    drop=["__switch_to.dsb.ish"],
)

no_isb_behind_switch = carried_amid_flush.twin(
    "Open question: the next task on the first CPU had called schedule() in the kernel: with no "
    "context synchronisation, and without FEAT_ETS2, it may use the old entry once more.",
    expect="VIOLATED:no_panic",
    drop=["back_to_task.isb"],
)

no_isb_with_ets2 = no_isb_behind_switch.twin(
    "With FEAT_ETS2 it may not.",
    expect="HOLDS",
    ets2="yes",
)

lazy_without_switch_to = carried.twin(
    "The same where only stores are on their way: harmless, the release by which the task is "
    "handed on comes behind them (inferred).",
    expect="HOLDS",
    drop=["__switch_to.dsb.ish"],
)


@routine
async def hand_on_plainly(cpu: Cpu, k: RunningKernel) -> None:
    """WRITE_ONCE() in place of smp_store_release()."""
    await cpu.str(k.scratch, 1)


lazy_without_release = lazy_without_switch_to.twin(
    "Neither is there: the barriers that the task carries are another CPU's, and order none of the "
    "stores that they were owed for (inferred).",
    expect="VIOLATED:no_panic",
    replace={finish_task: hand_on_plainly},
)
