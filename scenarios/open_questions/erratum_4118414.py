"""Erratum 4118414: a TLBI that does not wait for stores.

On many of Arm's cores (A76 to A78, A710, X1 to X4, X925, N1, N2, V1 to V3, ...) completion of a
broadcast TLBI and DSB does not mean that stores which other CPUs translated by the invalidated
entries have been performed (CVE-2025-10263, June 2026). The invalidation itself is complete, and to
do both twice is enough.

An open question about today's code: must the TLBI at the end of the split be done twice? Asked
because X925, which has to be kept from watching where an A725 boots, is one of those cores.
Assumed: every CPU has the erratum, the first TLBI never waits for a store, the next one does, be it
for the same page or for any other, as the workaround says. Found: it need not be, for the split
changes no output address and no permission: a store that went by an old entry is where it belongs,
whenever it gets there. The proof is the same with the erratum and without (`good`), and so is every
answer of `simbbm ablate`: no other step carries the load. (Kernels that know the erratum repeat
TLBI and DSB in flush_tlb_kernel_range() anyway. That parked CPUs have executed DSBs is not the
reason: that a DSB NSH completes stores for others is a simplification of ours.) It does matter
where a page gets a new owner after it was unmapped, which is the erratum's own story
(`reused_page`, mended by a second TLBI in `reused_page_flushed_twice`, and by any in
`reused_page_mended`, as Linux does it): what is done at run time is not excused by the answer
above.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from simbbm_scenarios import linear_map_split as merged

from simbbm import (
    INVALID_DESCRIPTOR,
    KERNEL_PAGE,
    SCALED,
    Aborted,
    Cpu,
    CpuSetup,
    Features,
    Range,
    Regime,
    Setup,
    Tcr,
    Ttbr,
    hardware_for,
    leaf,
    routine,
    scenario,
    table,
    terminates,
)
from simbbm.linux.layout import LayoutName

ERRATA = ("4118414",)


@scenario(evidence="proved")
def good(
    *,
    cpus: Annotated[int, Range(2, 16)] = 3,
    layout: LayoutName = "mixed",
    flush: Literal["all", "pages"] = "all",
    erratum: Literal["yes", "no"] = "yes",
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """Open question: the merged protocol with its one TLBI, on CPUs with the erratum, holds."""
    given = {"cpus": cpus, "layout": layout, "flush": flush, "hardware": hardware}
    setup = merged.good.setup(given)
    affected = (
        cpu._replace(features=cpu.features._replace(errata=ERRATA if erratum == "yes" else ()))
        for cpu in setup.cpus
    )
    return replace(setup, cpus=tuple(affected))


# The erratum itself. Physical memory: page 0 gets a new owner, page 2 holds the tables.

WORDS = SCALED.page_words
ROOT, PMD, PTE, FIXED = (2 * WORDS + 2 * n for n in range(4))
PTE_VA = (KERNEL_PAGE + 2) * WORDS + PTE - 2 * WORDS
OLD_OWNERS, NEW_OWNERS = KERNEL_PAGE * WORDS, (KERNEL_PAGE + 3) * WORDS
"""One word of page 0, as it is mapped for its old owner and for its new one."""
OLD_VALUE, NEW_VALUE = 1, 2


@routine
async def flush_tlb_page(cpu: Cpu) -> None:
    """The page is not mapped any more."""
    await cpu.tlbi("vaae1is", KERNEL_PAGE)
    await cpu.dsb("ish")


async def new_owner(cpu: Cpu) -> None:
    """Take the page away, and use it."""
    await cpu.str(PTE_VA, INVALID_DESCRIPTOR)
    await cpu.dsb("ishst")
    await flush_tlb_page(cpu)
    await cpu.str(NEW_OWNERS, NEW_VALUE)
    await cpu.dsb("ish")
    if await cpu.ldr(NEW_OWNERS) != NEW_VALUE:
        await cpu.panic("somebody else has written to the page")


async def old_owner(cpu: Cpu) -> None:
    """Store to the page for as long as it is mapped."""
    await cpu.str(OLD_OWNERS, OLD_VALUE)


async def give_up(cpu: Cpu, aborted: Aborted) -> None:  # noqa: ARG001 - every handler gets it
    """The page is gone."""
    await cpu.eret(retry=False)


@scenario(expect="VIOLATED:no_panic")
def reused_page(
    *,
    erratum: Literal["yes", "no"] = "yes",
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """What the erratum is about: a store comes after the TLBI that its page was taken away with."""
    regime = Regime((Ttbr(0),), (Ttbr(ROOT),), (Tcr(0, 3, epd0=True),))
    features = Features(errata=ERRATA if erratum == "yes" else ())
    return Setup(
        geometry=SCALED,
        cpus=tuple(CpuSetup(p, regime, features=features) for p in (new_owner, old_owner)),
        tables={
            ROOT: (table(PMD), INVALID_DESCRIPTOR),
            PMD: (table(PTE), table(FIXED)),
            PTE: (leaf(0), INVALID_DESCRIPTOR),
            FIXED: (leaf(2), leaf(0)),
        },
        properties=(terminates,),
        hardware=hardware_for(hardware),
        handler=give_up,
        symbols={PTE_VA: "pte", PTE: "pte", 0: "page", OLD_OWNERS: "old", NEW_OWNERS: "new"},
    )


@routine
async def flush_tlb_page_twice(cpu: Cpu) -> None:
    """ARM64_WORKAROUND_REPEAT_TLBI."""
    await flush_tlb_page(cpu)
    await flush_tlb_page(cpu)


reused_page_flushed_twice = reused_page.twin(
    "With TLBI and DSB done twice the store has come before the page gets its new owner.",
    expect="HOLDS",
    replace={flush_tlb_page: flush_tlb_page_twice},
)


@routine
async def flush_tlb_page_and_another(cpu: Cpu) -> None:
    """tlbflush.h:__repeat_tlbi_sync(): one more TLBI, of page 0 in ASID 0, and a DSB."""
    await flush_tlb_page(cpu)
    await repeat_tlbi_sync(cpu)


@routine
async def repeat_tlbi_sync(cpu: Cpu) -> None:
    """`tlbi vale1is, xzr; dsb ish`."""
    await cpu.tlbi("vale1is", 0, 0)
    await cpu.dsb("ish")


reused_page_mended = reused_page.twin(
    "What Linux does: one more TLBI, whatever it invalidates, and a DSB.",
    expect="HOLDS",
    replace={flush_tlb_page: flush_tlb_page_and_another},
)

mended_by_a_local_tlbi = reused_page_mended.twin(
    "A local TLBI mends nothing: others do not hear of it.",
    expect="VIOLATED:no_panic",
    weaken={"repeat_tlbi_sync.tlbi.vale1is": "tlbi.vale1"},
)

mended_without_a_dsb = reused_page_mended.twin(
    "Without a DSB the other TLBI is not complete.",
    expect="VIOLATED:no_panic",
    drop=["repeat_tlbi_sync.dsb.ish"],
)

one_dsb_for_both = reused_page_mended.twin(
    "Without a DSB between the two, the other one may be there first.",
    expect="VIOLATED:no_panic",
    drop=["flush_tlb_page_and_another/flush_tlb_page.dsb.ish"],
)

reused_page_without_erratum = reused_page.twin(
    "As the architecture has it, one TLBI and DSB is enough.",
    expect="HOLDS",
    erratum="no",
)
