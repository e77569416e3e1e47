"""Erratum 4193714: accesses that outlive TLBI and DSB, until an exception.

A C1-Pro acknowledges the synchronisation of broadcast TLBIs (DVMSync) before SME's accesses that
were translated by what they invalidate are complete. Once the CPU has taken an exception to EL1
they are. So who takes a page from a process that uses SME interrupts the CPUs that run it, and
waits (Linux: sme_dvmsync(), 2026). TLBI and DSB once more, which mend erratum 4118414, do nothing.

Simplified: accesses of all instructions are as SME's (cries wolf).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from simbbm_scenarios import erratum_4118414 as reuse

from simbbm import (
    SGI,
    Aborted,
    Cpu,
    Setup,
    Sgi,
    routine,
    scenario,
)

ACKNOWLEDGED = reuse.NEW_OWNERS - reuse.WORDS + 8
"""A word of the page of tables that no table is in."""


def is_one(value: int) -> bool:
    """Whether the other CPU has been interrupted."""
    return value == 1


@routine
async def sme_dvmsync(cpu: Cpu) -> None:
    """fpsimd.c:sme_do_dvmsync(): interrupt whoever runs the process, and wait."""
    await cpu.msr("icc_sgi1r_el1", Sgi(1))
    await cpu.wait(ACKNOWLEDGED, is_one, acquire=True)


@routine
async def flush_tlb_page_and_interrupt(cpu: Cpu) -> None:
    """tlbflush.h:__tlbi_sync_s1ish(): after TLBI and DSB the interrupt."""
    await reuse.flush_tlb_page(cpu)
    await sme_dvmsync(cpu)


async def handler(cpu: Cpu, aborted: Aborted) -> None:
    """The interrupt is all that is wanted of it; a fault says that the page is gone."""
    if aborted.kind == SGI:
        await cpu.ldaddal(ACKNOWLEDGED, 1)
    await cpu.eret(retry=aborted.kind == SGI)


@scenario(expect="VIOLATED:no_panic")
def reused_page(
    *,
    erratum: Literal["yes", "no"] = "yes",
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """A page gets a new owner after TLBI and DSB: the old one's access comes later still."""
    setup = reuse.reused_page.setup({"hardware": hardware})
    errata = ("4193714",) if erratum == "yes" else ()
    cpus = (cpu._replace(features=cpu.features._replace(errata=errata)) for cpu in setup.cpus)
    symbols = dict(setup.symbols) | {ACKNOWLEDGED: "acknowledged"}
    return replace(setup, cpus=tuple(cpus), handler=handler, symbols=symbols)


good = reused_page.twin(
    "Whoever may have accesses under way is interrupted, and that is waited for.",
    expect="HOLDS",
    replace={reuse.flush_tlb_page: flush_tlb_page_and_interrupt},
)

interrupt_not_awaited = good.twin(
    "The interrupt is sent, and not waited for.",
    expect="VIOLATED:no_panic",
    drop=["sme_dvmsync.wait.acquire"],
)

flushed_twice = reused_page.twin(
    "TLBI and DSB once more, which would mend erratum 4118414: it does not mend this one.",
    expect="VIOLATED:no_panic",
    replace={reuse.flush_tlb_page: reuse.flush_tlb_page_twice},
)

without_erratum = reused_page.twin(
    "As the architecture has it, TLBI and DSB are enough.",
    expect="HOLDS",
    erratum="no",
)
