"""A user's pages become a contiguous group, or stop to be one, while another CPU uses them.

Asked: may the TLBI between break and make be left out on systems with BBML3 (BBML2_NOABORT), as
contpte_convert() has done since v6.17? One page is write-protected, as fork() does: if the page was
in a group the group is unfolded first (`-p start=folded`); if all pages are alike afterwards they
are folded (`-p start=pages`). Another CPU reads and writes the pages meanwhile, at EL0. When the
flush of the changed page is done the page is copied, and must not change any more.

Found: yes, if all CPUs have it (`good`, `folded`). A CPU may hold the group and the pages that it
consists of at once, which it tolerates; what it gets by either is right, but for the permission of
the changed page, which is right from the end of the flush on: the TLBI takes whatever is held for
that page, be it as part of a group. Where one CPU lacks it, that CPU sees a size change
(`elided_without_bbml3`), and with the flush of the whole group all is well (`flushed_between`).

What the flush between does is nothing that the one at the end can do without: `not_flushed` takes
the one for the other, as if the group had just been flushed. And the other way round, to flush the
changed page alone between break and make leaves its sibling (`changed_page_flushed_between`).

Simplified: a write to a page that is write-protected is given up, and not copied.
"""

from __future__ import annotations

from typing import Annotated, Literal

from simbbm import (
    Aborted,
    Cpu,
    CpuSet,
    CpuSetup,
    Descriptor,
    Features,
    Range,
    Setup,
    cpu_set,
    hardware_for,
    no_size_change_seen,
    no_tlb_conflict,
    routine,
    scenario,
    terminates,
    translations_preserved,
)
from simbbm.linux.user.contpte import (
    __ptep_get_and_clear,
    contpte_align_down,
    contpte_convert,
    contpte_try_unfold,
    flush_between,
    wrprotect_ptes,
)
from simbbm.linux.user.mm import (
    DIRTY,
    GEOMETRY,
    READ_ONLY,
    Mm,
    __set_ptes,
    flush_tlb_page,
    local_flush_tlb_range,
    pte_offset_map_lock,
    pte_unmap_unlock,
    user_leaves,
    user_space,
)

CHANGED = 1
"""The page that is write-protected: the second of two."""


async def fork(cpu: Cpu, mm: Mm) -> None:
    """memory.c:copy_present_ptes; and then a copy of the page, which nobody writes any more."""
    await pte_offset_map_lock(cpu, mm)
    await wrprotect_ptes(cpu, mm, CHANGED)
    await pte_unmap_unlock(cpu, mm)
    await flush_tlb_page(cpu, mm, CHANGED)
    word = mm.linear + CHANGED * mm.page_words
    if await cpu.ldr(word) != await cpu.ldr(word):
        await cpu.panic("a page is written to behind the flush that write-protects it")


async def thread(cpu: Cpu, mm: Mm) -> None:
    """Another thread of the same process, at EL0."""
    await cpu.str(mm.word(CHANGED), 1)
    await cpu.ldr(mm.word(0))


async def do_page_fault(cpu: Cpu, aborted: Aborted, mm: Mm) -> None:
    """fault.c:do_page_fault: an entry is looked at under its lock; by then it is whole."""
    await pte_offset_map_lock(cpu, mm)
    pte = await cpu.ldr(mm.ptep + aborted.page)
    await pte_unmap_unlock(cpu, mm)
    await cpu.eret(retry=aborted.access != "write" or pte.attributes.write)


@scenario(evidence="proved")
def good(
    *,
    cpus: Annotated[int, Range(2, 8)] = 2,
    start: Literal["folded", "pages"] = "folded",
    noabort: Annotated[str, CpuSet()] = "all",
    system: Literal["bbml3", "without"] = "bbml3",
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """A group is unfolded, or folded, with no TLBI in between, on CPUs with BBML3."""
    group = start == "folded"
    before = user_leaves(DIRTY if group else READ_ONLY, DIRTY, contiguous=group)
    after = user_leaves(before[0].attributes, READ_ONLY)
    space = user_space(before, bbml3=system == "bbml3")
    able = cpu_set(noabort, cpus)
    features = [Features(bbm=2, noabort=n in able) for n in range(cpus)]
    wanted = space.tables | user_space(after).tables
    return Setup(
        geometry=GEOMETRY,
        cpus=tuple(
            CpuSetup(thread if n else fork, space.regime, (space.mm,), own, el=0 if n else 1)
            for n, own in enumerate(features)
        ),
        tables=space.tables,
        properties=(
            no_tlb_conflict,
            no_size_change_seen,
            terminates,
            translations_preserved(space.regime, wanted),
        ),
        hardware=hardware_for(hardware),
        handler=do_page_fault,
        handler_args=(space.mm,),
        symbols=space.symbols,
        table_names=space.table_names,
        regions=space.regions,
    )


elided_without_bbml3 = good.twin(
    "The TLBI is left out though one CPU lacks what the system is said to have (a comment in "
    "contpte_convert says what it takes).",
    expect="VIOLATED:no_size_change_seen",
    noabort="0",
)

flushed_between = good.twin(
    "On a system without BBML3 the group is flushed between break and make: no CPU needs it.",
    expect="HOLDS",
    noabort="none",
    system="without",
)

folded_flushed_between = flushed_between.twin(
    "The same where pages are folded into a group.",
    expect="HOLDS",
    start="pages",
)

folded = good.twin(
    "Pages are folded with no TLBI in between: the stale page goes with the flush of the page.",
    expect="HOLDS",
    start="pages",
)


@routine
async def no_break(cpu: Cpu, ptep: int) -> Descriptor:
    """The entry is read, and not cleared."""
    pte: Descriptor = await cpu.ldr(ptep)
    return pte


not_broken = flushed_between.twin(
    "A system without BBML3 flushes, and does not break: what is walked between the two is old "
    "(inferred).",
    expect="VIOLATED:no_size_change_seen",
    replace={__ptep_get_and_clear: no_break},
)


@routine
async def flush_changed_page(cpu: Cpu, mm: Mm, start: int, end: int) -> None:  # noqa: ARG001
    """The page that is to change, and not the group that it is in."""
    await flush_tlb_page(cpu, mm, start + CHANGED)


changed_page_flushed_between = folded_flushed_between.twin(
    "Between break and make the changed page alone is flushed: its sibling is next to the group "
    "(inferred).",
    expect="VIOLATED:no_size_change_seen",
    replace={flush_between: flush_changed_page},
)

changed_page_flushed_unfolding = flushed_between.twin(
    "The same where a group is unfolded: a CPU may hold the group page by page, and the TLBI of "
    "one leaves the others (inferred).",
    expect="VIOLATED:no_size_change_seen",
    replace={flush_between: flush_changed_page},
)


@routine
async def nothing_left_to_flush(cpu: Cpu, mm: Mm, page: int) -> None:
    """As if contpte_convert() had flushed, or a fault would put things right."""


not_flushed = good.twin(
    "The flush at the end is left out, as if the group had been flushed when it was unfolded "
    "(inferred).",
    expect="VIOLATED:no_panic",
    replace={"fork/flush_tlb_page": nothing_left_to_flush},
)


@routine
async def flush_here(cpu: Cpu, mm: Mm, page: int) -> None:
    """On this CPU alone."""
    await local_flush_tlb_range(cpu, mm, page, page + 1)


flushed_locally = good.twin(
    "Permission is taken away, and flushed on this CPU alone, as if it had been given (inferred).",
    expect="VIOLATED:no_panic",
    replace={"fork/flush_tlb_page": flush_here},
)

copied_before_flush_completes = good.twin(
    "No DSB behind the TLBI at the end: the copy is begun when the other CPU may still write "
    "(inferred).",
    expect="VIOLATED:no_panic",
    drop=["__flush_tlb_range.dsb.ish"],
)


@routine
async def leave_folded(cpu: Cpu, mm: Mm, page: int) -> None:
    """CONT stays in both entries."""


one_of_a_group = good.twin(
    "The page is write-protected in its group: which of the two permissions a CPU goes by is its "
    "own choice, behind the flush as well (comment in contpte_wrprotect_ptes).",
    expect="VIOLATED:no_panic",
    replace={contpte_try_unfold: leave_folded},
)


@routine
async def convert_from_the_page(cpu: Cpu, mm: Mm, page: int, pte: Descriptor) -> None:
    """The group is written from the page on that was asked for, as if it were the first."""
    start = contpte_align_down(mm, page)
    for i in range(mm.cont_ptes):
        await __ptep_get_and_clear(cpu, mm.ptep + start + i)
    await flush_between(cpu, mm, start, start + mm.cont_ptes)
    await __set_ptes(cpu, mm.ptep + start, pte, mm.cont_ptes)


not_aligned_down = good.twin(
    "The group's first entry gets the output of the page that was asked for (inferred).",
    expect="VIOLATED:no_tlb_conflict",
    replace={contpte_convert: convert_from_the_page},
)
