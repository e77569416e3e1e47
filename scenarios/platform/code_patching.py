"""Text that is patched while CPUs run: alternatives at boot, and a branch that is live.

An instruction cache is not coherent: a CPU may execute what was there before until an IC has acted
on it, and what it has fetched by then until its next context synchronisation. So who patches stores
the instruction, DSB, IC, DSB; and every CPU that is to execute it has an ISB, or is interrupted,
after that. With alternatives the others wait in stop_machine() and execute an ISB when they are
told; a branch is patched under their feet, and all of them are interrupted (kick_all_cpus_sync()).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from simbbm import (
    INVALID_DESCRIPTOR,
    KERNEL_PAGE,
    RW,
    SCALED,
    SGI,
    Aborted,
    Cpu,
    CpuSetup,
    Range,
    Regime,
    Setup,
    Sgi,
    Tcr,
    Ttbr,
    cpu_numbers,
    hardware_for,
    leaf,
    routine,
    scenario,
    table,
    terminates,
)

WORDS = SCALED.page_words

# Physical memory: page 0 is text, page 1 has the words, page 2 the tables.
ROOT, PMD, PTE, FIXED = (2 * WORDS + 2 * n for n in range(4))
SITE_WORD = 3
SITE = KERNEL_PAGE * WORDS + SITE_WORD
APPLIED, COUNT = (SITE + WORDS + n for n in range(2))
NOP, BRANCH = 0, 1
"""What the site was, and what it becomes."""


def setup(programs: tuple[tuple[Any, ...], ...], handler: Any, hardware: str) -> Setup:
    """CPUs that execute the site."""
    regime = Regime((Ttbr(0),), (Ttbr(ROOT),), (Tcr(0, 3, epd0=True),))
    return Setup(
        geometry=SCALED,
        cpus=tuple(CpuSetup(program, regime, tuple(args)) for program, *args in programs),
        tables={
            ROOT: (table(PMD), INVALID_DESCRIPTOR),
            PMD: (table(PTE), table(FIXED)),
            PTE: (leaf(0, RW._replace(execute=True)), leaf(1)),
            FIXED: (leaf(2), INVALID_DESCRIPTOR),
        },
        properties=(terminates,),
        text=frozenset({SITE_WORD}),
        hardware=hardware_for(hardware),
        handler=handler,
        symbols={SITE: "site", SITE_WORD: "site", APPLIED: "applied", COUNT: "count"},
    )


def is_equal(value: int, wanted: int) -> bool:
    """Whether it has come to that."""
    return value == wanted


@routine
async def execute_site(cpu: Cpu) -> None:
    """From here on nothing but the new instruction will do."""
    if await cpu.fetch(SITE) != BRANCH:
        await cpu.panic("executes what was patched")


@routine
async def patch_text(cpu: Cpu) -> None:
    """patching.c, cacheflush.h:caches_clean_inval_pou(): store, and invalidate what is cached."""
    await cpu.str(SITE, BRANCH)
    await cpu.dsb("ish")
    await cpu.ic("ialluis")
    await cpu.dsb("ish")


@routine
async def patch_text_here_alone(cpu: Cpu) -> None:
    """The same, for this CPU's own cache."""
    await cpu.str(SITE, BRANCH)
    await cpu.dsb("ish")
    await cpu.ic("iallu")
    await cpu.dsb("ish")


# Alternatives: the others wait.


async def apply_alternatives(cpu: Cpu) -> None:
    """alternative.c:__apply_alternatives_multi_stop(), on the boot CPU."""
    await patch_text(cpu)
    await cpu.isb()
    await cpu.str(APPLIED, 1)
    await execute_site(cpu)


@routine
async def wait_for_alternatives(cpu: Cpu) -> None:
    """The same, on the others."""
    await cpu.wait(APPLIED, is_equal, 1)
    await cpu.isb()


async def other(cpu: Cpu) -> None:
    """Execute the site once it has been patched."""
    await wait_for_alternatives(cpu)
    await execute_site(cpu)


async def unexpected(cpu: Cpu, aborted: Aborted) -> None:
    """All is mapped."""
    await cpu.panic(f"{aborted.kind} fault")


@scenario(evidence="proved")
def alternatives(
    *,
    cpus: Annotated[int, Range(2, 8)] = 2,
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """Store, DSB, IC, DSB, ISB, and an ISB on each other CPU: nobody executes the old one."""
    others = tuple((other,) for _ in cpu_numbers(cpus)[1:])
    return setup(((apply_alternatives,), *others), unexpected, hardware)


no_isb_on_others = alternatives.twin(
    "The others are told, and go on without an ISB: they have fetched the old instruction.",
    expect="VIOLATED:no_panic",
    drop=["wait_for_alternatives.isb"],
)

no_isb_here = alternatives.twin(
    "So has the CPU that patches.",
    expect="VIOLATED:no_panic",
    drop=["apply_alternatives.isb"],
)

no_dsb_before_ic = alternatives.twin(
    "No DSB between the store and IC: what was there is cached anew.",
    expect="VIOLATED:no_panic",
    drop=["patch_text.dsb.ish#1"],
)

no_dsb_after_ic = alternatives.twin(
    "No DSB behind IC: it has not acted everywhere when the others go on.",
    expect="VIOLATED:no_panic",
    drop=["patch_text.dsb.ish#2"],
)

no_ic = alternatives.twin(
    "No IC at all: the old instruction is cached.",
    expect="VIOLATED:no_panic",
    drop=["patch_text.ic.ialluis"],
)

ic_here_alone = alternatives.twin(
    "IC IALLU is for one CPU: the others' caches keep what they had.",
    expect="VIOLATED:no_panic",
    replace={patch_text: patch_text_here_alone},
)


# A branch that is patched while others run: they are interrupted.


@routine
async def kick_all_cpus_sync(cpu: Cpu, others: int) -> None:
    """smp.c:kick_all_cpus_sync(): taking an interrupt is a context synchronisation."""
    await cpu.dsb("ishst")
    await cpu.msr("icc_sgi1r_el1", Sgi(1))
    await cpu.wait(COUNT, is_equal, others, acquire=True)


async def jump_label_update(cpu: Cpu, others: int) -> None:
    """jump_label.c: a static branch is switched on, and is on for all from here."""
    await patch_text(cpu)
    await kick_all_cpus_sync(cpu, others)
    await cpu.stlr(APPLIED, 1)


async def user_of_branch(cpu: Cpu) -> None:
    """Execute the site, as it is, and once it has to be on."""
    await cpu.fetch(SITE)
    await cpu.wait(APPLIED, is_equal, 1, acquire=True)
    await execute_site(cpu)


async def do_nothing(cpu: Cpu, aborted: Aborted) -> None:
    """The interrupt itself is what it is for."""
    if aborted.kind != SGI:
        await cpu.panic(f"{aborted.kind} fault")
    await cpu.ldaddal(COUNT, 1)
    await cpu.eret()


@scenario(evidence="proved")
def live_branch(
    *,
    cpus: Annotated[int, Range(2, 8)] = 2,
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """A branch is patched under running CPUs, and each is interrupted before it has to be on."""
    others = tuple((user_of_branch,) for _ in cpu_numbers(cpus)[1:])
    return setup(((jump_label_update, cpus - 1), *others), do_nothing, hardware)


not_waited_for_others = live_branch.twin(
    "The others are interrupted some time: nobody waits until they were.",
    expect="VIOLATED:no_panic",
    drop=["kick_all_cpus_sync.wait.acquire"],
)
