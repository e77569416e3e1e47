"""One page moves while others read it: what it takes, and what goes wrong without it.

A scenario is a Python file. It says what each CPU does, how memory is mapped at the start, which
properties are to hold, and what is expected. Try it, then make it yours:

    simbbm check template.py
    simbbm run template.py::good --trace
"""

from typing import Annotated, Literal

from simbbm import (
    INVALID_DESCRIPTOR,
    KERNEL_PAGE,
    RW,
    SCALED,
    Aborted,
    Cpu,
    CpuSetup,
    Descriptor,
    Range,
    Regime,
    Setup,
    Tcr,
    Ttbr,
    hardware_for,
    leaf,
    no_tlb_conflict,
    routine,
    scenario,
    terminates,
)

# Addresses count words, and the scaled geometry has tables of two entries. The kernel's half of the
# address space begins at KERNEL_PAGE; here it is two pages: x, and the one that holds the table.
WORDS = SCALED.page_words
OLD, NEW, TABLES = 0, 1, 2  # physical pages
TABLE = TABLES * WORDS
X = KERNEL_PAGE * WORDS
PTE = (KERNEL_PAGE + 1) * WORDS  # where the kernel sees the entry that maps x


# What the CPUs do. Every await is one architectural step, and steps of different CPUs interleave; a
# program may look at nothing but its arguments and what its awaits return.


@routine
async def move(cpu: Cpu, new: Descriptor) -> None:
    """Break, invalidate, make. Its steps are called move.str, move.tlbi.vaae1is, and so on."""
    await cpu.str(PTE, INVALID_DESCRIPTOR)
    await cpu.dsb("ishst")
    await cpu.tlbi("vaae1is", KERNEL_PAGE)
    await cpu.dsb("ish")
    await cpu.str(PTE, new)
    await cpu.dsb("ishst")
    await cpu.isb()


async def writer(cpu: Cpu) -> None:
    """CPU 0 moves x to another page."""
    await move(cpu, leaf(NEW, RW))


async def reader(cpu: Cpu) -> None:
    """The others read x, whatever happens."""
    await cpu.ldr(X)
    await cpu.ldr(X)


async def fault(cpu: Cpu, aborted: Aborted) -> None:  # noqa: ARG001 - ESR and FAR, if you need them
    """What runs at VBAR: a reader may find x unmapped for a moment, and tries again."""
    await cpu.wait(PTE, is_valid)
    await cpu.eret(retry=True)


def is_valid(entry: Descriptor) -> bool:
    """What `fault` waits for: a named function, since a lambda has no name to replay by."""
    return entry.valid


# The scenario: keyword-only arguments are its parameters (-p readers=2), the docstring its story.


@scenario(expect="HOLDS")
def good(
    *,
    readers: Annotated[int, Range(1, 4)] = 1,
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """A page moves by break-before-make: nobody can hold both of its places."""
    regime = Regime((Ttbr(0),), (Ttbr(TABLE),), (Tcr(0, 1, epd0=True),))
    return Setup(
        geometry=SCALED,
        cpus=(CpuSetup(writer, regime), *(CpuSetup(reader, regime) for _ in range(readers))),
        tables={TABLE: (leaf(OLD, RW), leaf(TABLES, RW))},
        properties=(no_tlb_conflict, terminates),  # simbbm list --properties
        hardware=hardware_for(hardware),
        handler=fault,
        symbols={X: "x", PTE: "pte", TABLE: "pte"},
    )


# A bad twin changes one thing and says what must come of it: `drop` leaves steps out, `replace`
# puts one routine in the place of another, and other defaults may be given by name.

no_tlbi = good.twin(
    "Nobody is told: a reader still holds the old place when the new one appears.",
    expect="VIOLATED:no_tlb_conflict",
    drop=["move.tlbi.vaae1is"],
)
