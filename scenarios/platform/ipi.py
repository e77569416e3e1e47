"""CPUs that interrupt each other: a rendezvous, an idle loop, a stopper that an IPI runs.

A write to ICC_SGI1R_EL1 is no memory access. Stores before it, and what an IPI's handler reads, are
ordered by a DSB alone: gic_ipi_send_mask() has a DSB ISHST in front of the write; a DMB, which is
what orders two stores, does nothing here. And an idle CPU that looks whether there is work and then
executes WFI has to do both with interrupts masked: WFI ends for an interrupt that is pending,
masked or not, but it knows nothing of one that was handled just before it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from simbbm import (
    INVALID_DESCRIPTOR,
    KERNEL_PAGE,
    SCALED,
    SGI,
    Aborted,
    Cpu,
    CpuSetup,
    Descriptor,
    Range,
    Regime,
    Setup,
    Sgi,
    Tcr,
    Ttbr,
    cpu_numbers,
    hardware_for,
    leaf,
    no_stale_translation,
    repeat_until,
    routine,
    scenario,
    table,
    terminates,
)

WORDS = SCALED.page_words

# Physical memory: page 0 is X, page 1 has the words, page 2 the tables.
ROOT, PMD, PTE, FIXED = (2 * WORDS + 2 * n for n in range(4))
X = KERNEL_PAGE * WORDS
COUNT, FUNCTION, NEED_RESCHED = (X + WORDS + n for n in range(3))
PTE_VA = X + 2 * WORDS + PTE - 2 * WORDS
STALE = 7
"""What an earlier rendezvous has left in the count."""


def is_equal(value: int, wanted: int) -> bool:
    """Whether all have come."""
    return value == wanted


def setup(
    programs: tuple[tuple[Any, ...], ...],
    handler: Any,
    hardware: str,
    window: int,
    old: Descriptor = INVALID_DESCRIPTOR,
) -> Setup:
    """CPUs that run a program each, with its arguments, and handle interrupts alike."""
    regime = Regime((Ttbr(0),), (Ttbr(ROOT),), (Tcr(0, 3, epd0=True),))
    return Setup(
        geometry=SCALED,
        cpus=tuple(CpuSetup(program, regime, tuple(args)) for program, *args in programs),
        tables={
            ROOT: (table(PMD), INVALID_DESCRIPTOR),
            PMD: (table(PTE), table(FIXED)),
            PTE: (old, leaf(1)),
            FIXED: (leaf(2), INVALID_DESCRIPTOR),
        },
        properties=(no_stale_translation, terminates),
        data={WORDS: STALE},
        hardware=hardware_for(hardware, window=window),
        handler=handler,
        symbols={
            X: "x",
            COUNT: "count",
            FUNCTION: "function",
            NEED_RESCHED: "need_resched",
            PTE_VA: "pte",
            PTE: "pte",
        },
    )


@routine
async def send_ipi(cpu: Cpu, ipi: Sgi) -> None:
    """irq-gic-v3.c:gic_ipi_send_mask()."""
    await cpu.dsb("ishst")
    await cpu.msr("icc_sgi1r_el1", ipi)
    await cpu.isb()


async def idle(cpu: Cpu) -> None:
    """Nothing to do but for interrupts."""


# A rendezvous, as FreeBSD's smp_rendezvous_cpus().

ACTION, OTHER_ACTION = 1, 0


async def initiator(cpu: Cpu, others: int) -> None:
    """Say what to do, call the others, and wait until they have done it."""
    await cpu.str(FUNCTION, ACTION)
    await cpu.str(COUNT, 0)
    await send_ipi(cpu, Sgi(1))
    await cpu.wait(COUNT, is_equal, others, acquire=True)


async def smp_rendezvous_action(cpu: Cpu, aborted: Aborted) -> None:
    """What each does that was interrupted."""
    if aborted.kind != SGI:
        await cpu.panic(f"{aborted.kind} fault")
    if await cpu.ldr(FUNCTION) != ACTION:
        await cpu.panic("the action of an earlier rendezvous")
    await cpu.ldaddal(COUNT, 1)
    await cpu.eret()


@scenario(evidence="proved")
def rendezvous(
    *,
    cpus: Annotated[int, Range(2, 8)] = 3,
    window: Annotated[int, Range(1, 8)] = 1,
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """What an IPI's handler reads was stored before a DSB, before the IPI."""
    others = tuple((idle,) for _ in cpu_numbers(cpus)[1:])
    return setup(((initiator, cpus - 1), *others), smp_rendezvous_action, hardware, window)


no_dsb_before_ipi = rendezvous.twin(
    "No DSB before the IPI: the action is an old one, or the count is reset after others have "
    "counted (FreeBSD b71d94209ed2).",
    expect="VIOLATED:no_panic|STUCK:terminates",
    drop=["send_ipi.dsb.ishst"],
)

dmb_before_ipi = rendezvous.twin(
    "A DMB in its place: that orders accesses, and an IPI is none.",
    expect="VIOLATED:no_panic|STUCK:terminates",
    weaken={"send_ipi.dsb.ishst": "dmb.ishst"},
)

barrier_after_ipi = rendezvous.twin(
    "A DSB behind the IPI is too late.",
    expect="VIOLATED:no_panic|STUCK:terminates",
    swap={"send_ipi.dsb.ishst": "send_ipi.msr.icc_sgi1r_el1"},
)


# An idle loop that is woken by an IPI.


async def waker(cpu: Cpu) -> None:
    """sched/core.c:resched_curr(): there is something to do for CPU 1."""
    await cpu.str(NEED_RESCHED, 1)
    await send_ipi(cpu, Sgi(0, target=1))


@routine
async def do_idle(cpu: Cpu) -> bool:
    """sched/idle.c:do_idle(), cpu_do_idle(): look and sleep with interrupts masked."""
    await cpu.daifset()
    work = await cpu.ldr(NEED_RESCHED)
    if not work:
        await cpu.wfi()
    await cpu.daifclr()
    return bool(work)


@routine
async def do_idle_unmasked(cpu: Cpu) -> bool:
    """The same with interrupts on."""
    work = await cpu.ldr(NEED_RESCHED)
    if not work:
        await cpu.wfi()
    return bool(work)


async def sleeper(cpu: Cpu) -> None:
    """Until there is something to do."""
    await repeat_until(do_idle, cpu)


async def scheduler_ipi(cpu: Cpu, aborted: Aborted) -> None:
    """The interrupt is all there is to it: the loop looks again."""
    if aborted.kind != SGI:
        await cpu.panic(f"{aborted.kind} fault")
    await cpu.eret()


@scenario(evidence="proved")
def wake_up(*, hardware: Literal["delayed", "eager"] = "delayed") -> Setup:
    """An idle CPU looks for work, and sleeps, with interrupts masked: no wake-up is lost."""
    return setup(((waker,), (sleeper,)), scheduler_ipi, hardware, 1)


idle_unmasked = wake_up.twin(
    "With interrupts on the IPI may come between the look and WFI, which then waits for another.",
    expect="STUCK:terminates",
    replace={do_idle: do_idle_unmasked},
)

woken_too_early = wake_up.twin(
    "No DSB before the IPI: the sleeper looks before there is work, and nobody wakes it again.",
    expect="STUCK:terminates",
    drop=["send_ipi.dsb.ishst"],
)


# A stopper: CPUs are held in an IPI's handler while a live entry is broken and made.

RUNNING, STOPPED = 0, 1


@routine
async def stop_others(cpu: Cpu, others: int) -> None:
    """Call the others, and wait until they spin."""
    await cpu.str(FUNCTION, STOPPED)
    await cpu.str(COUNT, 0)
    await send_ipi(cpu, Sgi(1))
    await cpu.wait(COUNT, is_equal, others, acquire=True)


@routine
async def break_before_make(cpu: Cpu) -> None:
    """Page 0 is moved to page 3; nobody may come upon the hole."""
    await cpu.str(PTE_VA, INVALID_DESCRIPTOR)
    await cpu.dsb("ishst")
    await cpu.tlbi("vaale1is", KERNEL_PAGE)
    await cpu.dsb("ish")
    await cpu.str(PTE_VA, leaf(3))
    await cpu.dsb("ishst")
    await cpu.isb()


async def stopping(cpu: Cpu, others: int) -> None:
    """Change a live entry while nobody else runs."""
    await stop_others(cpu, others)
    await break_before_make(cpu)
    await cpu.stlr(FUNCTION, RUNNING)


async def user(cpu: Cpu) -> None:
    """Somebody who reads by that entry all the time."""
    await cpu.ldr(X)
    await cpu.ldr(X)


async def cpu_stop(cpu: Cpu, aborted: Aborted) -> None:
    """The IPI's handler: interrupts are masked in it, and it comes back when all is done."""
    if aborted.kind != SGI:
        await cpu.panic(f"{aborted.kind} fault")
    await cpu.ldaddal(COUNT, 1)
    await cpu.wait(FUNCTION, is_equal, RUNNING, acquire=True)
    await cpu.eret()


@scenario(evidence="proved")
def stopper(
    *,
    cpus: Annotated[int, Range(2, 8)] = 2,
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """A live entry is broken and made while all others are held in an IPI's handler."""
    others = tuple((user,) for _ in cpu_numbers(cpus)[1:])
    programs = ((stopping, cpus - 1), *others)
    return setup(programs, cpu_stop, hardware, 1, old=leaf(0))


others_not_awaited = stopper.twin(
    "The IPI is sent, and its effect is not waited for: somebody comes upon the hole.",
    expect="VIOLATED:no_panic|VIOLATED:no_stale_translation",
    drop=["stop_others.wait.acquire"],
)

stopped_before_told = stopper.twin(
    "No DSB before the IPI: the handler sees an old command and returns, or counts too soon.",
    expect="VIOLATED:no_panic|VIOLATED:no_stale_translation|STUCK:terminates",
    drop=["send_ipi.dsb.ishst"],
)
