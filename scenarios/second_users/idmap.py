"""The idmap takes the place of a user address space, and gives it back.

cpu_install_idmap() and cpu_uninstall_idmap() are written for any caller: a user mm may be active.
Its addresses are those of the idmap, whose entries are global; and the idmap may need a T0SZ of its
own, while walks are speculative. Here every CPU has a user mm active during the split, and the
others read from it when they are back. Numbers are those of the catalogue of mutants.

Simplified: the user's access is the kernel's (as in copy_from_user), not made at EL0 (the same
translations). Where a walk with another T0SZ comes upon descriptors at another level than theirs, a
page at level 2 counts as a block and a table at level 3 as invalid; hardware takes them for a table
and a page, and maps whatever it finds there (misses: T0SZ that goes back too early looks harmless).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count
from typing import Annotated, Literal

from simbbm_scenarios import linear_map_split as merged

from simbbm import (
    GEOMETRIES,
    LEAF,
    Attributes,
    Cpu,
    Range,
    Setup,
    TableBuilder,
    Ttbr,
    context_restored,
    edits,
    routine,
    scenario,
)
from simbbm.linux.kernel import Kernel, extended
from simbbm.linux.layout import layout as lay_out
from simbbm.linux.mmu_context import (
    cpu_install_idmap,
    cpu_set_idmap_tcr_t0sz,
    cpu_set_reserved_ttbr0,
    cpu_switch_mm,
    cpu_uninstall_idmap,
    local_flush_tlb_all,
)

USER_ASID = 5
USER = Attributes(user=True, user_write=True)


@dataclass(frozen=True, kw_only=True)
class UserKernel(Kernel):
    """A kernel, and the active mm."""

    pgd: Ttbr
    address: int
    """A word that the user mm maps, at an address that the idmap maps too."""


@routine
async def switch_to_user(cpu: Cpu, k: UserKernel) -> None:
    """The end of cpu_uninstall_idmap() where the active mm is not init_mm; then an access."""
    await cpu_switch_mm(cpu, k, k.pgd, USER_ASID)
    await cpu.ldr(k.address)


@routine
async def back_to_user(cpu: Cpu, k: UserKernel) -> None:
    """mmu_context.h:cpu_uninstall_idmap with an active user mm."""
    await cpu_uninstall_idmap(cpu, k)
    await switch_to_user(cpu, k)


@scenario(evidence="proved")
def with_user_mm(
    *,
    cpus: Annotated[int, Range(2, 16)] = 3,
    layout: Literal["pages", "pmd"] = "pmd",
    image: Literal["low", "high"] = "high",
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """The split while a user mm is active: nobody gets the idmap's pages for those of the user."""
    given = {"cpus": cpus, "layout": layout, "image": image, "hardware": hardware}
    setup = merged.good.setup(given)
    geometry = GEOMETRIES["scaled"]
    at = lay_out(layout, geometry, cpus, high=image == "high")
    k = at.kernel
    words = geometry.page_words
    builder = TableBuilder(geometry)
    beyond = max(at.tables) // words + 1
    allocate = count(beyond * words, geometry.entries)
    root = builder.table(next(allocate), "user pgd")
    page = k.idmap_text
    builder.map(root, k.tcr.t0_bits, 1, beyond + 1, USER, allocate=allocate, count=page)
    tables = {
        address: tuple(entry._replace(not_global=entry.kind == LEAF) for entry in entries)
        for address, entries in builder.contents().items()
    }
    regime = at.regime._replace(
        ttbr0=(Ttbr(root),), ttbr1=tuple(t._replace(asid=USER_ASID) for t in at.regime.ttbr1)
    )
    user = extended(k, UserKernel, pgd=Ttbr(root), address=page * words)
    names = {a: f"user {n}" if " " not in n else n for a, n in builder.names.items()}
    return replace(
        setup,
        cpus=tuple(cpu._replace(regime=regime, args=(user,)) for cpu in setup.cpus),
        tables={**setup.tables, **tables},
        properties=(
            *(p for p in setup.properties if p.name != "context_restored"),
            context_restored(regime),
        ),
        symbols={**setup.symbols, **names, user.address: "user word"},
        table_names=setup.table_names | names.keys(),
    )


good = replace(with_user_mm, edits=edits({cpu_uninstall_idmap: back_to_user}))
del with_user_mm


m27_t0sz_not_widened = good.twin(
    "T0SZ stays as it was although the idmap needs more address bits: its pages cannot be reached "
    "(comment in mmu_context.h).",
    expect="VIOLATED:no_fault_on_live_map",
    drop=["cpu_set_idmap_tcr_t0sz.msr.tcr_el1"],
    cpus=2,
    layout="pages",
)


@routine
async def install_t0sz_first(cpu: Cpu, k: UserKernel) -> None:
    """S4 before S2."""
    await cpu_set_idmap_tcr_t0sz(cpu, k)
    await cpu_set_reserved_ttbr0(cpu, k)
    await local_flush_tlb_all(cpu)
    await cpu_switch_mm(cpu, k, k.idmap_ttbr0)


m27_t0sz_before_reserved = good.twin(
    "T0SZ changes while TTBR0 still has the user's table: walks take it for one of another level, "
    "and next to what they cached before there are entries of another size and output (comment in "
    "mmu_context.h).",
    expect="VIOLATED:no_tlb_conflict",
    replace={cpu_install_idmap: install_t0sz_first},
    cpus=2,
    layout="pages",
)


@routine
async def install_t0sz_before_flush(cpu: Cpu, k: UserKernel) -> None:
    """S4 before S3."""
    await cpu_set_reserved_ttbr0(cpu, k)
    await cpu_set_idmap_tcr_t0sz(cpu, k)
    await local_flush_tlb_all(cpu)
    await cpu_switch_mm(cpu, k, k.idmap_ttbr0)


m27_t0sz_before_flush = good.twin(
    "T0SZ changes between the reserved table and the flush: harmless, no walk starts there "
    "(inferred).",
    expect="HOLDS",
    replace={cpu_install_idmap: install_t0sz_before_flush},
    cpus=2,
)

m28_no_flush_in_uninstall = good.twin(
    "cpu_uninstall_idmap() does not flush: the idmap's global entries answer for user addresses "
    "next to the user's own (comment in mmu_context.h).",
    expect="VIOLATED:no_tlb_conflict",
    drop=["cpu_uninstall_idmap/local_flush_tlb_all.tlbi.vmalle1"],
    cpus=2,
    layout="pages",
)

m28_no_flush_in_install = good.twin(
    "cpu_install_idmap() does not flush: until the ISB behind the new TTBR0 the user's ASID may be "
    "in effect with the idmap, whose entries conflict with the user's (comment in mmu_context.h).",
    expect="VIOLATED:no_tlb_conflict",
    drop=["cpu_install_idmap/local_flush_tlb_all.tlbi.vmalle1"],
    cpus=2,
    layout="pages",
)
