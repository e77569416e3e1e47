"""More ways to get it wrong: how the others are counted, where they wait, what is flushed.

Numbers are those of the catalogue of mutants, like those in `linear_map_split`; the story of each
single mistake ends with where it comes from. Defaults are the smallest machine on which it shows.
Several are harmless by themselves, which the model proves; then it also shows what they hide
behind.

Not here: 16 under CnP (no TLB is shared between CPUs, which errs towards misses).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Literal

from simbbm_scenarios import linear_map_split as merged

from simbbm import (
    INVALID_DESCRIPTOR,
    LEAF_LEVEL,
    ROX,
    Cpu,
    CpuSet,
    Descriptor,
    Geometry,
    Range,
    Setup,
    Ttbr,
    edits,
    leaf,
    routine,
    scenario,
)
from simbbm.linux.barrier import Predicate
from simbbm.linux.kernel import Kernel
from simbbm.linux.layout import LayoutName
from simbbm.linux.mmu import SplitState, range_split_to_ptes
from simbbm.linux.mmu_context import cpu_install_idmap
from simbbm.linux.proc import scondary_cpu_wait
from simbbm.linux.tlbflush import flush_tlb_kernel_range

Tables = Mapping[int, tuple[Descriptor, ...]]


def flag_page_mapped(tables: Tables, geometry: Geometry, k: Kernel, entry: Descriptor) -> Tables:
    """Map the page of the idmap that has the flag by another descriptor."""
    page = k.flag_idmap // k.page_words
    address = k.idmap_ttbr0.baddr
    for level in range(geometry.start_level(k.idmap_tcr.t0_bits), LEAF_LEVEL):
        address = tables[address][geometry.index(page, level)].output
    entries = list(tables[address])
    entries[geometry.index(page, LEAF_LEVEL)] = entry
    return {**tables, address: tuple(entries)}


def with_spare_table(setup: Setup) -> Setup:
    """Add one to the tables that the allocator may hand out: more than the protocol needs."""
    k: Kernel = setup.cpus[0].args[0]
    address, name = k.free_tables, "spare"
    while address in setup.tables:
        name += "'" if setup.symbols[address] == name else ""
        address += setup.geometry.entries
    empty = (INVALID_DESCRIPTOR,) * setup.geometry.entries
    names = {address: name, k.linear(address): name}
    more = k._replace(free_table_count=k.free_table_count + 1)
    return replace(
        setup,
        cpus=tuple(cpu._replace(args=(more,)) for cpu in setup.cpus),
        tables={**setup.tables, address: empty},
        symbols={**setup.symbols, **names},
        table_names=setup.table_names | names.keys(),
    )


@scenario(evidence="proved")
def good(
    *,
    cpus: Annotated[int, Range(2, 16)] = 3,
    layout: LayoutName = "mixed",
    noabort: Annotated[str, CpuSet()] = "boot",
    flush: Literal["all", "pages"] = "all",
    flag_page: Literal["rw", "rox", "none"] = "rw",
    hardware: Literal["delayed", "eager"] = "delayed",
    walk_cache: Literal["yes", "no"] = "yes",
    window: Annotated[int, Range(1, 16)] = 1,
) -> Setup:
    """The merged protocol; how the idmap maps the flag, and walk caches, are parameters too."""
    setup = with_spare_table(
        merged.good.setup(
            {
                "cpus": cpus,
                "layout": layout,
                "noabort": noabort,
                "flush": flush,
                "hardware": hardware,
                "window": window,
            }
        )
    )
    if walk_cache == "no":
        setup = replace(setup, hardware=setup.hardware.without("walk cache"))
    if flag_page == "rw":
        return setup
    k: Kernel = setup.cpus[0].args[0]
    page = leaf(k.flag_idmap // k.page_words, ROX)
    entry = page if flag_page == "rox" else INVALID_DESCRIPTOR
    return replace(setup, tables=flag_page_mapped(setup.tables, setup.geometry, k, entry))


# How the others are counted: mutants 15, 24, 25 and 26.


@routine
async def wait_with_read_once(cpu: Cpu, flag: int, predicate: Predicate, wanted: int) -> None:
    """Spin on READ_ONCE() until all have been counted: relaxed."""
    await cpu.wait(flag, predicate, wanted)


m15_read_once_spin = good.twin(
    "The boot CPU's wait is relaxed: "
    "harmless, stores depend on it, its loads are its own (v4 review).",
    expect="HOLDS",
    replace={"linear_map_split_to_ptes/smp_cond_load_acquire": wait_with_read_once},
    cpus=2,
    layout="pmd",
    window=4,
)


@routine
async def report_and_install_idmap(cpu: Cpu, k: Kernel) -> None:
    """Leave a word for the boot CPU; barriers on the way publish it before the count."""
    await cpu.str(k.scratch, 1)
    await cpu_install_idmap(cpu, k)


@routine
async def split_after_report(
    cpu: Cpu, k: Kernel, start: int, end: int, state: SplitState
) -> SplitState:
    """Rely on what parked CPUs have written."""
    if await cpu.ldr(k.scratch) == 0:
        await cpu.panic("a CPU is parked, but its report is not here")
    return await range_split_to_ptes(cpu, k, start, end, state)


reported = replace(
    good,
    story="The merged protocol; the boot CPU also reads what parked CPUs wrote before.",
    edits=edits(
        {
            cpu_install_idmap: report_and_install_idmap,
            "linear_map_split_to_ptes/range_split_to_ptes#1": split_after_report,
        }
    ),
)

m15_read_once_reads_early = reported.twin(
    "The boot CPU's wait is relaxed, its next load overtakes it: "
    "what the acquire is for (v4 review).",
    expect="VIOLATED:no_panic",
    replace={"linear_map_split_to_ptes/smp_cond_load_acquire": wait_with_read_once},
    cpus=2,
    layout="pmd",
    window=2,
    smallest={"cpus": 2, "layout": "pages"},
)

m24_flag_page_rox = good.twin(
    "The idmap maps the flag's page read-only like its text: STXR faults (create_idmap's comment).",
    expect="VIOLATED:no_fault_on_live_map",
    cpus=2,
    layout="pages",
    flag_page="rox",
)

m24_flag_page_unmapped = good.twin(
    "The idmap does not map the flag's page, a wrong gate: LDXR faults (create_idmap's comment).",
    expect="VIOLATED:no_fault_on_live_map",
    cpus=2,
    layout="pages",
    flag_page="none",
)

m25_wait_at_kernel_address = good.twin(
    "The wait routine is called at its kernel address: it unmaps its own code (inferred).",
    expect="VIOLATED:no_fault_on_live_map",
    drop=["wait_linear_map_split_to_ptes.br#1"],
    cpus=2,
    layout="pages",
)


@routine
async def scondary_cpu_wait_in_c(cpu: Cpu, k: Kernel, swapper_ttb: Ttbr) -> None:
    """A call of a C function: it saves the link register on the stack."""
    await cpu.str(k.stack, k.text)
    await scondary_cpu_wait(cpu, k, swapper_ttb)


m26_wait_uses_stack = good.twin(
    "The wait routine calls a C function: its stack is unmapped by then (inferred).",
    expect="VIOLATED:no_fault_on_live_map",
    replace={scondary_cpu_wait: scondary_cpu_wait_in_c},
    cpus=2,
    layout="pages",
)

# What is flushed: mutants 9, 17, 19. A secondary that has forgotten the swapper (S7), and has no
# walk to go on with, needs nobody else's flush; and a boot CPU that tolerates large entries needs
# none either.

m09_no_tlbi_without_walk_caches = good.twin(
    "No TLBI after the switch, no walk caches: "
    "harmless, the final flush removes the rest (inferred).",
    expect="HOLDS",
    drop=["idmap_cpu_set_reserved_ttbr1.tlbi.vmalle1"],
    cpus=2,
    layout="pmd",
    walk_cache="no",
)

m17_no_final_tlbi = good.twin(
    "The final flush has no TLBI: "
    "harmless, only the boot CPU still holds large entries (inferred).",
    expect="HOLDS",
    drop=["flush_tlb_all.tlbi.vmalle1is"],
    cpus=2,
    layout="pmd",
)

m09_m17_no_tlbi_at_all = m09_no_tlbi_without_walk_caches.twin(
    "No TLBI after the switch, none at the end: "
    "old blocks meet new pages, without walk caches too.",
    expect="VIOLATED:no_size_change_seen",
    drop=["flush_tlb_all.tlbi.vmalle1is"],
)


@routine
async def flush_behind_kernel(cpu: Cpu, k: Kernel, start: int, end: int) -> None:  # noqa: ARG001
    """[kend, lend) alone."""
    await flush_tlb_kernel_range(cpu, k, k.kernel_first + k.kernel_count, end)


@routine
async def flush_with_wrong_stride(cpu: Cpu, k: Kernel, start: int, end: int) -> None:
    """Page by page, but the step is what an entry of the top table maps."""
    await cpu.dsb("ishst")
    for page in range(start, end, k.level_pages[0]):
        await cpu.tlbi("vaale1is", page)
    await cpu.dsb("ish")
    await cpu.isb()


m19_flush_behind_kernel = good.twin(
    "Only the second of the two ranges is flushed: harmless, like mutant 17 (inferred).",
    expect="HOLDS",
    replace={"linear_map_split_to_ptes/flush_tlb_kernel_range": flush_behind_kernel},
    cpus=2,
    layout="sides",
    flush="pages",
)

m19_wrong_stride = good.twin(
    "The flush by page takes too large steps: harmless, like mutant 17 (inferred).",
    expect="HOLDS",
    replace={flush_tlb_kernel_range: flush_with_wrong_stride},
    cpus=2,
    layout="sides",
    flush="pages",
)

m09_m19_flush_behind_kernel = m09_no_tlbi_without_walk_caches.twin(
    "No TLBI after the switch, and only the second range is flushed: "
    "old blocks of the first remain.",
    expect="VIOLATED:no_size_change_seen",
    replace={"linear_map_split_to_ptes/flush_tlb_kernel_range": flush_behind_kernel},
    layout="sides",
    flush="pages",
    smallest={"cpus": 2, "layout": "pmd"},
)

m09_m19_wrong_stride = m09_no_tlbi_without_walk_caches.twin(
    "No TLBI after the switch, and the flush takes too large steps: an old block remains.",
    expect="VIOLATED:no_size_change_seen",
    replace={flush_tlb_kernel_range: flush_with_wrong_stride},
    layout="sides",
    flush="pages",
    smallest={"cpus": 2, "layout": "contpte"},
)
