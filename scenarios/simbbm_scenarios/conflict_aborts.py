"""The boot CPU may take TLB conflict aborts: what BBML2_NOABORT is asked for.

FEAT_BBM level 2 allows the size of a live mapping to change, and a CPU that holds both sizes to
take a TLB conflict abort; Linux splits only where the boot CPU promises not to (an allow-list, or
level 3).

An open question about today's code: can the boot CPU itself be hurt if it has level 2 without that
promise? Asked because it works through the map that it is splitting: tables and new tables lie in
it. Assumed: the others have level 0 and park as always; an access that meets two sizes may abort;
vectors, stack and what the handler runs on are mapped by the kernel image, which is not split.
Found: it can. Today an abort is fatal (`level_2`): the next load of the walk may be it, and
fault.c's entry for it is do_bad(). Linux gives such a boot CPU no blocks to split, so nobody is
hurt: this is what the promise is asked for. A handler that invalidates its own TLB before all else
and tries again would do (`handler_flushes`), proved where blocks are split. But no handler in
fault.c comes before all else: today's entry code has read `current`, which lies in the linear map
(arm64_enter_from_kernel_mode()), and may abort in turn, within itself, as deep as one likes
(`handler_behind_entry`, and `handler_looks_first`: the same for whatever else it touches).

Where the tables that are worked on lie in a contiguous group themselves it would not do
(`handler_flushes` with `-p layout=contpmd` or `contpte`: STUCK). While CONT is cleared entry by
entry the tables have both sizes, so after each flush hardware may cache both again; the load that
would clear the next entry may abort every time, and the handler come back for ever. Nothing in the
architecture makes an abort, which level 2 allows, come a bounded number of times only.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from simbbm_scenarios import linear_map_split as merged

from simbbm import (
    CONFLICT,
    KERNEL_PAGE,
    SCALED,
    Aborted,
    Cpu,
    Program,
    Range,
    Setup,
    no_size_change_seen_below,
    routine,
    scenario,
)
from simbbm.linux.layout import LayoutName
from simbbm.linux.mmu_context import local_flush_tlb_all

LINEAR_MAP = KERNEL_PAGE * SCALED.page_words
"""Its first word: in the first leaf, with the tables."""


@routine
async def do_conflict(cpu: Cpu) -> None:
    """What a handler could do that nothing comes before; today the abort is fatal (do_bad)."""
    await local_flush_tlb_all(cpu)


async def vectors(cpu: Cpu, aborted: Aborted) -> None:
    """entry.S:vectors: a conflict abort is handled, every other fault is fatal."""
    if aborted.kind != CONFLICT:
        await cpu.panic(f"{aborted.kind} fault")
    await do_conflict(cpu)
    await cpu.eret()


@routine
async def arm64_enter_from_kernel_mode(cpu: Cpu) -> None:
    """entry-common.c:arm64_enter_from_kernel_mode: `current`, a task_struct in the linear map."""
    await cpu.ldr(LINEAR_MAP)


async def el1h_64_sync_handler(cpu: Cpu, aborted: Aborted) -> None:
    """entry-common.c:el1h_64_sync_handler, el1_abort: what comes before any handler in fault.c."""
    await arm64_enter_from_kernel_mode(cpu)
    await vectors(cpu, aborted)


HANDLERS: dict[str, Program | None] = {
    "none": None,
    "vectors": vectors,
    "entry": el1h_64_sync_handler,
}


@scenario(expect="VIOLATED:no_tlb_conflict")
def level_2(
    *,
    cpus: Annotated[int, Range(2, 16)] = 2,
    layout: LayoutName = "pud",
    handler: Literal["none", "vectors", "entry"] = "none",
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """Open question: level 2 without the promise on the boot CPU; its own walk may abort."""
    given = {"cpus": cpus, "layout": layout, "noabort": "none", "hardware": hardware}
    setup = merged.good.setup(given)
    return replace(
        setup,
        cpus=tuple(
            cpu._replace(features=cpu.features._replace(bbm=0 if n else 2))
            for n, cpu in enumerate(setup.cpus)
        ),
        properties=(
            *(p for p in setup.properties if p.name != "no_size_change_seen"),
            no_size_change_seen_below(2),
        ),
        handler=HANDLERS[handler],
    )


handler_flushes = level_2.twin(
    "With a handler that invalidates its own TLB and tries again the boot CPU gets through.",
    expect="HOLDS",
    handler="vectors",
)


@routine
async def do_conflict_looking_first(cpu: Cpu) -> None:
    """Something on the way is in the linear map: a stack, per-CPU data, the tables themselves."""
    await cpu.ldr(LINEAR_MAP)
    await local_flush_tlb_all(cpu)


handler_looks_first = handler_flushes.twin(
    "A handler that touches the linear map before it has invalidated may abort within itself.",
    expect="VIOLATED:no_tlb_conflict",
    replace={do_conflict: do_conflict_looking_first},
)

handler_behind_entry = handler_flushes.twin(
    "The same handler where fault.c has its handlers: entry code reads `current` before it, in the "
    "linear map, and may abort within itself (arm64_enter_from_kernel_mode, as merged).",
    expect="VIOLATED:no_tlb_conflict",
    handler="entry",
)
