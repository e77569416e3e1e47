"""The park and the split, coarsely: the rival of `bench_spin.py` models this machine in Promela.

CPU 0 waits until all others are parked, fills a table, puts it in the place of a block, flushes,
and lets them go. Each of the others leaves the swapper's tables, forgets them, counts itself,
waits, and comes back. Words and tables are accessed through TTBR0, whose map never changes.
"""

from __future__ import annotations

from typing import Annotated

from simbbm import (
    INVALID_DESCRIPTOR,
    RW,
    SCALED,
    Cpu,
    CpuSetup,
    Features,
    Range,
    Regime,
    Setup,
    Tcr,
    Ttbr,
    leaf,
    no_size_change_seen,
    routine,
    scenario,
    table,
    terminates,
)

WORDS, ENTRIES = SCALED.page_words, SCALED.entries
FLAG = WORDS
TABLES = 2 * WORDS
SWAPPER, PMD, PTE, RESERVED, IDMAP = range(TABLES, TABLES + 5 * ENTRIES, ENTRIES)
INVALID = INVALID_DESCRIPTOR


def is_as(value: int, wanted: int) -> bool:
    """Whether the flag has a value."""
    return value == wanted


async def boot(cpu: Cpu, cpus: int) -> None:
    """Split the block once all others are parked: mmu.c:linear_map_split_to_ptes."""
    await cpu.wait(FLAG, is_as, cpus)
    await cpu.str(PTE, leaf(0, RW))
    await cpu.str(PTE + 1, leaf(1, RW))
    await cpu.dsb("ishst")
    await cpu.str(PMD, table(PTE))
    await cpu.dsb("ishst")
    await cpu.tlbi("vmalle1is")
    await cpu.dsb("ish")
    await cpu.str(FLAG, 0)


@routine
async def count_itself(cpu: Cpu) -> None:
    """A routine, so that nobody remembers which CPU came first."""
    await cpu.ldaddal(FLAG, 1)


async def secondary(cpu: Cpu) -> None:
    """Park outside of the swapper's tables: proc.S:wait_linear_map_split_to_ptes."""
    await cpu.msr("ttbr1_el1", Ttbr(RESERVED))
    await cpu.isb()
    await cpu.tlbi("vmalle1")
    await cpu.dsb("nsh")
    await cpu.isb()
    await count_itself(cpu)
    await cpu.wait(FLAG, is_as, 0)
    await cpu.msr("ttbr1_el1", Ttbr(SWAPPER))
    await cpu.isb()


@scenario(evidence="proved")
def good(*, cpus: Annotated[int, Range(2, 6)] = 2) -> Setup:
    """Nobody but CPU 0 can see the block and its pages at once."""
    regime = Regime((Ttbr(IDMAP),), (Ttbr(SWAPPER),), (Tcr(3, 3),))
    return Setup(
        geometry=SCALED,
        cpus=(
            CpuSetup(boot, regime, (cpus,), Features(bbm=2, noabort=True)),
            *(CpuSetup(secondary, regime, (), Features(bbm=2)) for _ in range(1, cpus)),
        ),
        tables={
            SWAPPER: (table(PMD), INVALID),
            PMD: (leaf(0, RW), INVALID),
            PTE: (INVALID, INVALID),
            RESERVED: (INVALID, INVALID),
            IDMAP: (leaf(0, RW), INVALID),
        },
        data={FLAG: 1},
        properties=(no_size_change_seen, terminates),
        symbols={FLAG: "flag", SWAPPER: "swapper", PMD: "pmd", PTE: "pte"},
    )


no_dsb_after_tlbi = good.twin(
    "No DSB after the TLBI: it may complete after the secondary has been counted (m10).",
    expect="VIOLATED:no_size_change_seen",
    drop=["secondary.dsb.nsh"],
)
