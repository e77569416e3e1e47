"""CPUs that have a TLB in common: what the final flush is for.

With CnP set in TTBR1 a CPU may use what others have cached from the same tables, old entries
included. Linux sets CnP for the swapper's tables (cpufeature.c:cpu_enable_cnp, just before it
decides to repaint), not for the reserved table, and not for the idmap, whose ASID is 0
(context.c:cpu_do_switch_mm). So a parked CPU shares nothing; but as soon as it has its TTBR1 back
it may get from the boot CPU's TLB what that still holds. Three mistakes that are harmless elsewhere
(`linear_map_split`, `catalogue`) then are none: mutants 16, 17 and 19.

`cnp` says who shares. The architecture allows it to all CPUs of the Inner Shareable domain (`all`).
On real machines it is SMT siblings (`siblings`, CPUs 0 and 1, 2 and 3, and so on), which are one
core and have the same features: the boot CPU's siblings tolerate a size change as it does. Then the
mistakes are harmless again.

CnP is a promise too: whoever sets it under one ASID has one table. That it is kept is a scenario of
its own (`promise`), since it looks at two CPUs at a time, which no reduction of a search does.

`simbbm ablate smt::good` says what that means for the barriers: those that carry the load without
CnP, and besides the TLBI of the final flush with the DSB behind it (a local TLBI would do).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from simbbm_scenarios import linear_map_split as merged
from simbbm_scenarios.catalogue import flush_behind_kernel, flush_with_wrong_stride

from simbbm import (
    GEOMETRIES,
    Cpu,
    CpuSet,
    Range,
    Setup,
    Ttbr,
    context_restored,
    one_table_under_cnp,
    routine,
    scenario,
)
from simbbm.linux.kernel import Kernel
from simbbm.linux.layout import LayoutName
from simbbm.linux.layout import layout as lay_out
from simbbm.linux.proc import idmap_cpu_set_reserved_ttbr1
from simbbm.linux.tlbflush import flush_tlb_kernel_range

ALL = 1


@scenario(evidence="proved")
def good(
    *,
    cpus: Annotated[int, Range(2, 16)] = 3,
    layout: LayoutName = "mixed",
    noabort: Annotated[str, CpuSet()] = "boot",
    flush: Literal["all", "pages"] = "all",
    cnp: Literal["no", "siblings", "all"] = "all",
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """The merged protocol on CPUs that share their TLBs' entries of the swapper's tables."""
    given = {"cpus": cpus, "layout": layout, "noabort": noabort, "flush": flush}
    setup = merged.good.setup({**given, "hardware": hardware})
    before = lay_out(layout, GEOMETRIES["scaled"], cpus).regime
    regime = before._replace(ttbr1=tuple(t._replace(cnp=cnp != "no") for t in before.ttbr1))
    tlb = [{"no": 0, "siblings": n // 2 + 1, "all": ALL}[cnp] for n in range(cpus)]
    return replace(
        setup,
        cpus=tuple(
            cpu._replace(regime=regime, features=cpu.features._replace(tlb=tlb[n]))
            for n, cpu in enumerate(setup.cpus)
        ),
        properties=(
            *(p for p in setup.properties if p.name != "context_restored"),
            context_restored(regime),
        ),
    )


m16_release_before_flush = good.twin(
    "The secondaries are released before the TLB flush: what the boot CPU still holds, blocks and "
    "pages, they may use (review of v4).",
    expect="VIOLATED:no_size_change_seen",
    replace={"linear_map_split_to_ptes/flush_tlb_kernel_range": merged.release_and_flush},
    drop=["linear_map_split_to_ptes.str"],
    cpus=2,
    layout="pmd",
)

m17_no_final_tlbi = good.twin(
    "The final flush has no TLBI: the boot CPU's blocks and pages are everybody's (inferred).",
    expect="VIOLATED:no_size_change_seen",
    drop=["flush_tlb_all.tlbi.vmalle1is"],
    cpus=2,
    layout="pmd",
)

m19_flush_behind_kernel = good.twin(
    "Only the second of the two ranges is flushed: what the boot CPU still holds of the first is "
    "everybody's (inferred).",
    expect="VIOLATED:no_size_change_seen",
    replace={"linear_map_split_to_ptes/flush_tlb_kernel_range": flush_behind_kernel},
    cpus=2,
    layout="sides",
    flush="pages",
    smallest={"cpus": 2, "layout": "pmd"},
)

m19_wrong_stride = good.twin(
    "The flush by page takes too large steps: a block that it leaves is everybody's (inferred).",
    expect="VIOLATED:no_size_change_seen",
    replace={flush_tlb_kernel_range: flush_with_wrong_stride},
    cpus=2,
    layout="sides",
    flush="pages",
    smallest={"cpus": 2, "layout": "contpte"},
)

m16_among_siblings = m16_release_before_flush.twin(
    "Only SMT siblings share a TLB, and the boot CPU's tolerate what it holds: harmless "
    "(inferred).",
    expect="HOLDS",
    cpus=3,
    noabort="0,1",
    cnp="siblings",
)

m17_among_siblings = m17_no_final_tlbi.twin(
    "The same with no TLBI in the final flush: harmless (inferred).",
    expect="HOLDS",
    cpus=3,
    noabort="0,1",
    cnp="siblings",
)


@scenario(evidence="proved")
def promise(
    *,
    cpus: Annotated[int, Range(2, 16)] = 2,
    layout: LayoutName = "pmd",
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """Nobody sets CnP for one table while somebody else does for another."""
    setup = good.setup({"cpus": cpus, "layout": layout, "hardware": hardware})
    return replace(setup, properties=(*setup.properties, one_table_under_cnp))


@routine
async def set_reserved_ttbr1_with_cnp(cpu: Cpu, k: Kernel) -> None:
    """CnP stays as it was when the swapper's table goes; the rest as it should be."""
    await cpu.msr("ttbr1_el1", Ttbr(k.reserved_pg_dir, cnp=True))
    await idmap_cpu_set_reserved_ttbr1(cpu, k)


cnp_for_reserved_table = promise.twin(
    "CnP is set for the reserved table, while others have it set for the swapper's: neither gets "
    "what it should (inferred).",
    expect="VIOLATED:one_table_under_cnp",
    replace={idmap_cpu_set_reserved_ttbr1: set_reserved_ttbr1_with_cnp},
)
