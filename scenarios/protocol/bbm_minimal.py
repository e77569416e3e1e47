"""Break-before-make without Linux: two CPUs, one descriptor.

CPU 0 changes one level 2 block into a table of pages with the same output; CPU 1 reads through it
all the while. Everything else is mapped elsewhere and never changes.
"""

from __future__ import annotations

from typing import Annotated, Literal

from simbbm import (
    INVALID_DESCRIPTOR,
    KERNEL_PAGE,
    RW,
    SCALED,
    Aborted,
    Cpu,
    CpuSet,
    CpuSetup,
    Descriptor,
    Features,
    Regime,
    Setup,
    Tcr,
    Ttbr,
    cpu_set,
    hardware_for,
    leaf,
    no_size_change_seen,
    no_tlb_conflict,
    routine,
    scenario,
    table,
    terminates,
)

G = SCALED
WORDS = G.page_words

# Physical memory: pages 0 and 1 are the block, page 2 holds the tables.
TABLES = 2 * WORDS
ROOT, PMD, PTE, FIXED = TABLES, TABLES + 2, TABLES + 4, TABLES + 6
X = KERNEL_PAGE * WORDS
"""A word in the block."""
PMD_VA = (KERNEL_PAGE + 2) * WORDS + 2
PTE_VA = PMD_VA + 2


@routine
async def change(cpu: Cpu, new: Descriptor) -> None:
    """Change the live entry as the architecture says: break, invalidate, make."""
    await cpu.str(PMD_VA, INVALID_DESCRIPTOR)
    await cpu.dsb("ishst")
    await cpu.tlbi("vaae1is", KERNEL_PAGE)
    await cpu.tlbi("vaae1is", KERNEL_PAGE + 1)
    await cpu.dsb("ish")
    await cpu.str(PMD_VA, new)
    await cpu.dsb("ishst")
    await cpu.isb()


@routine
async def change_live(cpu: Cpu, new: Descriptor) -> None:
    """Change the live entry without breaking it first (what BBM level 2 allows)."""
    await cpu.str(PMD_VA, new)
    await cpu.dsb("ishst")
    await cpu.tlbi("vaae1is", KERNEL_PAGE)
    await cpu.tlbi("vaae1is", KERNEL_PAGE + 1)
    await cpu.dsb("ish")
    await cpu.isb()


async def writer(cpu: Cpu) -> None:
    """Fill the new table, then change the block into it."""
    await cpu.fill(PTE_VA, leaf(0, RW), 1, 2)
    await cpu.dsb("ishst")
    await change(cpu, table(PTE))


async def reader(cpu: Cpu) -> int:
    """Read through the block, twice."""
    await cpu.ldr(X)
    await cpu.ldr(X)
    return 0


async def retry(cpu: Cpu, aborted: Aborted) -> None:  # noqa: ARG001 - every handler gets it
    """The reader may meet the broken entry: look again once it has synchronised."""
    await cpu.wait(PMD_VA, is_valid)
    await cpu.eret(retry=True)


def is_valid(descriptor: Descriptor) -> bool:
    """Whether the entry has been made again."""
    return descriptor.valid


@scenario(evidence="proved")
def good(
    *,
    noabort: Annotated[str, CpuSet()] = "none",
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """A block becomes a table by break, TLBI, make: no CPU ever holds both sizes."""
    regime = Regime((Ttbr(0),), (Ttbr(ROOT),), (Tcr(0, 3, epd0=True),))
    able = cpu_set(noabort, 2)
    return Setup(
        geometry=G,
        cpus=tuple(
            CpuSetup(program, regime, features=Features(bbm=2, noabort=n in able))
            for n, program in enumerate((writer, reader))
        ),
        tables={
            ROOT: (table(PMD), INVALID_DESCRIPTOR),
            PMD: (leaf(0, RW), table(FIXED)),
            PTE: (INVALID_DESCRIPTOR, INVALID_DESCRIPTOR),
            FIXED: (leaf(2, RW), INVALID_DESCRIPTOR),
        },
        properties=(no_size_change_seen, no_tlb_conflict, terminates),
        hardware=hardware_for(hardware),
        handler=retry,
        symbols={
            X: "x",
            X + WORDS: "x+1",
            PMD_VA: "pmd",
            PTE_VA: "pte",
            ROOT: "pgd",
            PMD: "pmd",
            PTE: "pte",
        },
    )


live_change = good.twin(
    "The same change without the break: the reader may hold block and page at once.",
    expect="VIOLATED:no_size_change_seen",
    replace={change: change_live},
)

live_change_noabort = good.twin(
    "The same live change on CPUs that promise never to abort: harmless.",
    expect="HOLDS",
    replace={change: change_live},
    noabort="all",
)

no_invalidation = good.twin(
    "Break and make, but nobody is told: the old block is still cached when the table appears.",
    expect="VIOLATED:no_size_change_seen",
    drop=["change.tlbi.vaae1is"],
)
