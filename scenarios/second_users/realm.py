"""A realm shares a page with its host before it is known what all CPUs can do.

Can a page of a block be "decrypted" for DMA while the kernel boots? It takes a live split and then
another output (PROT_NS_SHARED), hence break-before-make. The GIC's ITS driver does so on the boot
CPU, before the others are started, and the split was refused until capabilities were final
(f12b435de2f2 lets it through). Two black-out windows remain, in which it is refused with -EBUSY:
(a) before the page allocator is up (here), (b) while more than one CPU is online and capabilities
are not final (`live_split::good`, and `live_split::m34_no_ebusy` where it is not refused).

Nobody uses the shared pages, so the property of the live map leaves them out; at the end they must
be shared, and all others be as they were.

Simplified: a table that is asked for before the allocator is up is a panic (cries wolf: what the
allocator would do was not looked up). What the host does is not modelled (misses).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from simbbm_scenarios import linear_map_split as merged
from simbbm_scenarios.late_cpu import running, switched_off
from simbbm_scenarios.live_split import finish_boot, late_stopper

from simbbm import (
    SCALED,
    Cpu,
    CpuSet,
    Descriptor,
    Fault,
    Machine,
    Problem,
    Property,
    Range,
    Setup,
    Shared,
    Ttbr,
    all_ptes_at_end,
    edits,
    no_fault_on_live_map,
    routine,
    scenario,
    translations_preserved,
    walk_root,
)
from simbbm.linux.kernel import extended
from simbbm.linux.layout import Layout
from simbbm.linux.layout import layout as lay_out
from simbbm.linux.memory import mem_encrypt as enc
from simbbm.linux.memory.mem_encrypt import __change_memory_common, __set_memory_enc_dec
from simbbm.linux.mmu import SplitState, pgd_pgtable_alloc_init_mm_gfp
from simbbm.linux.pgtable import PTE
from simbbm.linux.set_memory import Caps

LayoutName = Literal["contpmd", "pud", "sides"]
"""Those that end with a block that has no tables in it."""
Pages = Literal["page", "block"]
"""What is shared: the last page of that block, or two, which is all of a level 2 block."""


def shared_at_end(at: Layout, start: int, end: int) -> Property:
    """`translations_preserved`, but that at the end these pages are shared with the host."""
    wanted = translations_preserved(at.regime, enc.tables_with_shared(at, SCALED, start, end))
    assert wanted.final is not None
    judge_all = wanted.final
    *_, context = at.regime.contexts()

    def judge(shared: Shared, machine: Machine) -> Problem | None:
        problem = judge_all(shared, machine)
        for page in range(start, end) if problem else ():
            found = walk_root(SCALED, machine.memory.tables, context, page)
            if isinstance(found, Fault) or found[0].output < enc.PROT_NS_SHARED:
                what = "not mapped" if isinstance(found, Fault) else "not shared with the host"
                return Problem(wanted.name, f"at the end {shared.page_name(page)} is {what}")
        return problem

    return Property(wanted.name, final=judge, uniform=True)


def realm(
    given: dict[str, Any], pages: Pages, caps: Caps, online: int
) -> tuple[Setup, Layout, enc.RealmKernel]:
    """A kernel that runs in a realm, and has pages to share."""
    at = lay_out(given["layout"], SCALED, given["cpus"])
    # MAX_DVM_OPS is what one table maps: a few pages are flushed page by page.
    at = at._replace(kernel=at.kernel._replace(max_dvm_ops=SCALED.entries))
    setup, kernel = running(merged.good.setup(given), at, caps, online)
    end = at.kernel.lm_first + at.kernel.lm_count
    start = end - (1 if pages == "page" else SCALED.pages(2))
    free = kernel.hotplug_lock + 1
    k = extended(
        kernel,
        enc.RealmKernel,
        page_alloc_available=free,
        cpu_on=free + 1,
        dma_start=start,
        dma_end=end,
    )
    words = {free: "page_alloc_available", free + 1: "cpu_on"}
    names = words | {k.physical(word): name for word, name in words.items()}
    names[start * SCALED.page_words - 1] = "neighbour"
    others = tuple((p, start - p if p <= start < p + n else n) for p, n in at.mapped)
    changed = {
        "no_fault_on_live_map": no_fault_on_live_map(at.swapper, others),
        "translations_preserved": shared_at_end(at, start, end),
    }
    setup = replace(
        setup,
        properties=tuple(changed.get(p.name, p) for p in setup.properties),
        symbols={**setup.symbols, **names},
        landmarks={"pages between break and make": enc.between_break_and_make},
    )
    return setup, at, k


@routine
async def share(cpu: Cpu, k: enc.RealmKernel) -> None:
    """A driver (irq-gic-v3-its.c:its_alloc_pages_node): on an error nobody gets the pages."""
    await enc.set_memory_decrypted(cpu, k, k.dma_start, k.dma_end)


async def start_kernel(cpu: Cpu, k: enc.RealmKernel) -> None:
    """main.c:start_kernel, on CPU 0."""
    await enc.mem_init(cpu, k)
    await share(cpu, k)
    await enc.smp_init(cpu, k)
    await finish_boot(cpu, k)


async def secondary(cpu: Cpu, k: enc.RealmKernel, swapper: Ttbr, able: int) -> None:
    """Any other CPU: off until it is started."""
    await enc.wait_for_smp_init(cpu, k)
    await late_stopper(cpu, k, swapper, able)


@scenario(evidence="proved")
def booting(
    *,
    cpus: Annotated[int, Range(2, 16)] = 3,
    layout: LayoutName = "contpmd",
    pages: Pages = "page",
    noabort: Annotated[str, CpuSet()] = "boot",
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """The boot CPU shares a page of a block; then others are started, and the map is repainted."""
    given = {"cpus": cpus, "layout": layout, "noabort": noabort, "hardware": hardware}
    setup, at, k = realm(given, pages, Caps.NOT_FINAL, 1)
    others = [switched_off(cpu, at, secondary, k, able=False) for cpu in setup.cpus[1:]]
    return replace(
        setup,
        cpus=(setup.cpus[0]._replace(program=start_kernel, args=(k,)), *others),
        properties=(*setup.properties, all_ptes_at_end(at.regime, at.repainted)),
    )


@routine
async def pgd_pgtable_alloc_if_up(
    cpu: Cpu, k: enc.RealmKernel, state: SplitState
) -> tuple[int, SplitState]:
    """The model's allocator only counts. What it hands out first has to be there."""
    if not await cpu.ldr(k.page_alloc_available):
        await cpu.panic("a table is asked for before the page allocator is up")
    return await pgd_pgtable_alloc_init_mm_gfp(cpu, k, state)


good = replace(booting, edits=edits({pgd_pgtable_alloc_init_mm_gfp: pgd_pgtable_alloc_if_up}))
del booting


@routine
async def split_if_final(cpu: Cpu, k: enc.RealmKernel) -> int:
    """The tests of v6.18."""
    noabort = await cpu.ldr(k.caps) == Caps.NOABORT
    return enc.Answer.SPLIT if noabort else enc.Answer.LEAVE_AS_IS


refused_until_final = good.twin(
    "v6.18: nothing is split before capabilities are final; a part of a block cannot be changed, "
    "and the driver's page is not shared (fixed by f12b435de2f2, March 2026).",
    expect="VIOLATED:translations_preserved",
    replace={enc.can_split: split_if_final},
    cpus=2,
)

group_in_part = refused_until_final.twin(
    "v6.18: a whole block of a contiguous group needs no split to be shared, and CONT stays: the "
    "group says two things (by inference; fixed by f12b435de2f2, March 2026).",
    expect="VIOLATED:no_tlb_conflict",
    pages="block",
)


def shared_and_valid(entry: Descriptor) -> Descriptor:
    """All masks at once."""
    return entry._replace(output=entry.output | enc.PROT_NS_SHARED)


@routine
async def set_memory_enc_dec_live(cpu: Cpu, k: enc.RealmKernel, start: int, end: int) -> int:
    """No break."""
    return await __change_memory_common(cpu, k, start, end, shared_and_valid)


no_break = good.twin(
    "The new output is written over a valid leaf: the CPU that does so may hold both (a TODO in "
    "the first version of the realm series).",
    expect="VIOLATED:no_tlb_conflict",
    replace={__set_memory_enc_dec: set_memory_enc_dec_live},
    cpus=2,
)

no_tlbi = good.twin(
    "No TLBI between break and make: the private page, or its block, is still held when the shared "
    "page appears (comment in pageattr.c).",
    expect="VIOLATED:no_tlb_conflict",
    drop=["flush_tlb_kernel_range.tlbi.vaale1is"],
    cpus=2,
)


@routine
async def pageattr_valid_entry(
    cpu: Cpu, address: int, level: int, old: Descriptor, new: enc.Change
) -> bool:
    """pud_sect(), pmd_sect(): a large leaf is one only while it is valid."""
    if level < PTE and not old.valid:
        return False
    return await enc.pageattr_entry(cpu, address, level, old, new)


invalid_block_ignored = good.twin(
    "v6.18: where a whole block is shared, it is not known for a leaf once it is invalid, and "
    "nothing makes it valid again (fixed by 15bfba1ad77f, March 2026).",
    expect="VIOLATED:translations_preserved",
    replace={enc.pageattr_entry: pageattr_valid_entry},
    cpus=2,
    pages="block",
)


@routine
async def share_before_mem_init(cpu: Cpu, k: enc.RealmKernel) -> None:
    """init.c:swiotlb_update_mem_attributes, where it was: in arch_mm_preinit()."""
    await share(cpu, k)
    await enc.mem_init(cpu, k)


too_early = good.twin(
    "Window (a): before the page allocator is up the split is refused, which changes nothing, and "
    "behind mem_init() the page is shared (since f12b435de2f2, March 2026).",
    expect="HOLDS",
    replace={enc.mem_init: share_before_mem_init},
    cpus=2,
)


@routine
async def page_alloc_not_asked(cpu: Cpu, k: enc.RealmKernel) -> bool:  # noqa: ARG001 - as the test
    """No window (a)."""
    return True


too_early_not_refused = too_early.twin(
    "Window (a) is not there: the split goes on before there are pages to make a table of (refused "
    "since f12b435de2f2, March 2026).",
    expect="VIOLATED:no_panic",
    replace={enc.page_alloc_is_available: page_alloc_not_asked},
)

# At run time.


async def reader(cpu: Cpu, k: enc.RealmKernel) -> None:
    """Any other CPU: it uses the word before the pages."""
    await cpu.ldr(k.dma_start * k.page_words - 1)
    await cpu.ldr(k.dma_start * k.page_words - 1)


@scenario(evidence="proved")
def at_run_time(
    *,
    cpus: Annotated[int, Range(2, 16)] = 3,
    layout: LayoutName = "contpmd",
    pages: Pages = "page",
    noabort: Annotated[str, CpuSet()] = "all",
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """All CPUs have noabort, which is known: one shares a page, and others read next to it."""
    given = {"cpus": cpus, "layout": layout, "noabort": noabort, "hardware": hardware}
    setup, _, k = realm(given, pages, Caps.NOABORT, cpus)
    first, *others = (cpu._replace(args=(k,)) for cpu in setup.cpus)
    return replace(
        setup,
        cpus=(
            first._replace(program=share),
            *(cpu._replace(program=reader) for cpu in others),
        ),
    )
