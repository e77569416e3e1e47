"""A write fault in a contiguous group of which a sibling is dirty.

Asked: is there nothing to do? May contpte_ptep_set_access_flags() look at the gathered flags of a
group to see whether an entry has what it should have? It did until v7.0-rc3, when it was found that
a device without hardware dirty state faults for ever. Here a CPU stands for the device. CPU 0
manages the dirty state in hardware (FEAT_HAFDBS) and writes to the second page of a group, whose
entry its walker makes dirty. CPU 1 does not, and writes to the first page, whose entry is clean. It
takes a permission fault. Gathered, the entry is dirty, since its sibling is: nothing to do, and the
fault comes again. A contiguous group lets a CPU go by any of its entries, so it may, but need not,
go by the dirty one.

Found: no (`gathered`). With each entry looked at by itself (`good`), which makes all of them dirty,
every write is done. All of them it has to be: to look at the entry of the page that was asked for
alone is no better (`target_looked_at`), nor to change it alone (`target_alone`), since the CPU may
go by the clean one of a sibling for ever.
"""

from __future__ import annotations

from typing import Annotated, Literal

from simbbm_scenarios.spurious_fault import do_page_fault

from simbbm import (
    Cpu,
    CpuSetup,
    Descriptor,
    Features,
    Range,
    Setup,
    hardware_for,
    no_size_change_seen,
    no_tlb_conflict,
    routine,
    scenario,
    terminates,
)
from simbbm.linux.user.fault import (
    __ptep_set_access_flags,
    all_subptes_match,
    contpte_ptep_set_access_flags,
    flush_contpte_here,
    flush_tlb_fix_spurious_fault,
    ptep_get,
    with_flags_of,
)
from simbbm.linux.user.mm import (
    CLEAN,
    DIRTY,
    GEOMETRY,
    READ_ONLY,
    Mm,
    user_leaves,
    user_space,
)


async def thread(cpu: Cpu, mm: Mm, page: int) -> None:
    """A thread of the process, at EL0."""
    await cpu.str(mm.word(page), 1)


@scenario(evidence="proved")
def good(
    *,
    cpus: Annotated[int, Range(2, 8)] = 2,
    dirty: Literal["by_hardware", "sibling", "target", "read_only"] = "by_hardware",
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """One CPU makes its page of a group dirty by hardware, the others write to another page."""
    start = [DIRTY if dirty == name else CLEAN for name in ("target", "sibling")]
    if dirty == "read_only":
        start = [READ_ONLY] * len(start)
    space = user_space(user_leaves(*start, contiguous=True))
    features = Features(hardware_af=True, hardware_dirty=True), Features()
    return Setup(
        geometry=GEOMETRY,
        cpus=tuple(
            CpuSetup(thread, space.regime, (space.mm, int(not n)), features[n > 0], el=0)
            for n in range(cpus)
        ),
        tables=space.tables,
        properties=(
            no_tlb_conflict,
            no_size_change_seen,
            terminates,
        ),
        hardware=hardware_for(hardware),
        handler=do_page_fault,
        handler_args=(space.mm,),
        symbols=space.symbols,
        table_names=space.table_names,
        regions=space.regions,
    )


@routine
async def gathered_matches(cpu: Cpu, mm: Mm, page: int, entry: Descriptor) -> bool:
    """The flags of the whole group are those that are wanted."""
    pte = await ptep_get(cpu, mm, page)
    return with_flags_of(pte, entry) == pte


gathered = good.twin(
    "The group's gathered flags are looked at: a dirty sibling makes a clean entry look dirty, and "
    "its fault comes again for ever (mended in March 2026, before v7.0).",
    expect="STUCK:terminates",
    replace={all_subptes_match: gathered_matches},
)


@routine
async def target_matches(cpu: Cpu, mm: Mm, page: int, entry: Descriptor) -> bool:
    """The entry of the page that was asked for has what is wanted."""
    pte: Descriptor = await cpu.ldr(mm.ptep + page)
    return with_flags_of(pte, entry) == pte


@routine
async def set_target_alone(
    cpu: Cpu,
    mm: Mm,
    page: int,
    entry: Descriptor,
    dirty: bool,  # noqa: FBT001 - as what it replaces
) -> bool:
    """The target's entry is made dirty, its siblings are left as they are."""
    if await target_matches(cpu, mm, page, entry):
        return False
    await __ptep_set_access_flags(cpu, mm, page, entry, dirty)
    return True


target_alone = good.twin(
    "The target's own entry is looked at and made dirty, and no other: its CPU may go by a clean "
    "sibling for ever (inferred).",
    expect="STUCK:terminates",
    replace={contpte_ptep_set_access_flags: set_target_alone},
)

target_looked_at = good.twin(
    "The target's own entry is looked at: it is dirty, and a clean sibling that its CPU may go by "
    "stays as it is (inferred).",
    expect="STUCK:terminates",
    replace={all_subptes_match: target_matches},
    dirty="target",
)


@routine
async def nothing_to_flush(cpu: Cpu, mm: Mm, page: int) -> None:
    """The entry was changed: the next walk will see it."""


not_flushed = good.twin(
    "Neither who makes the group dirty nor who finds nothing to do flushes: the clean entry may "
    "answer for ever (inferred).",
    expect="STUCK:terminates",
    replace={flush_contpte_here: nothing_to_flush, flush_tlb_fix_spurious_fault: nothing_to_flush},
)
