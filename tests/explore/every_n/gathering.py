"""Small protocols in which a boot CPU waits until all others are there, and lets them go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any

from simbbm import (
    KERNEL_PAGE,
    RW,
    SCALED,
    Cpu,
    CpuSetup,
    Range,
    Regime,
    Scenario,
    Setup,
    Tcr,
    Ttbr,
    cpu_numbers,
    leaf,
    no_tlb_conflict,
    repeat_until,
    routine,
    scenario,
    terminates,
)
from simbbm.core.programs.everyone import Counter, each_other
from simbbm.explore.every_n.prove import EveryN, ProverForAll

WORDS = SCALED.page_words
TABLES = 2
TABLE = TABLES * WORDS
FLAG, GO, WORK, TAKEN = (KERNEL_PAGE * WORDS + n for n in range(4))
"""Virtual addresses; the physical ones are 0, 1, 2 and 3."""
COUNTERS = {
    0: Counter("flag"),
    2: Counter("work", calls=3),
    3: Counter("taken"),
}
ASK = "tell"
"""What boot programs say that have found out how many CPUs there are."""


def equals(value: int, wanted: int) -> bool:
    return value == wanted


def is_more(value: int, than: int) -> bool:
    return value > than


@routine
async def count(cpu: Cpu, by: int) -> bool:
    """One turn: count with exclusives."""
    value = await cpu.ldxr(FLAG)
    return not await cpu.stxr(FLAG, value + by)


async def counts(cpu: Cpu, _: Any) -> None:
    """Another CPU: count, and wait for the release."""
    await repeat_until(count, cpu, 1)
    await cpu.wait(GO, equals, 1)


async def adds(cpu: Cpu, *_: Any) -> None:
    """The same, with an atomic."""
    await cpu.ldaddal(FLAG, 1)
    await cpu.wait(GO, equals, 1)


async def gathers(cpu: Cpu, n: Any) -> None:
    """The boot CPU."""
    await cpu.wait(FLAG, equals, n)
    await cpu.str(GO, 1)


def of(
    boot: Callable[..., Any],
    other: Callable[..., Any] = adds,
    *,
    counters: Mapping[int, Counter] = COUNTERS,
    args: Callable[[Any], tuple[Any, ...]] = lambda n: (n,),
    start: Mapping[int, int] = {0: 1},
    numbers: Callable[[Any], Any] = cpu_numbers,
    expect: str = "HOLDS",
    more: Callable[[Any], tuple[Any, ...]] = lambda n: (),  # noqa: ARG005
    handler: Any = None,
) -> Scenario:
    """A scenario of these programs."""

    def build(*, cpus: Annotated[int, Range(2, 16)] = 3) -> Setup:
        """They gather."""
        regime = Regime((Ttbr(0),), (Ttbr(TABLE),), (Tcr(0, 1, epd0=True),))
        return Setup(
            geometry=SCALED,
            cpus=tuple(CpuSetup(other if n else boot, regime, args(cpus)) for n in numbers(cpus)),
            tables={TABLE: (leaf(0, RW), leaf(TABLES, RW))},
            properties=(no_tlb_conflict, terminates, *more(cpus)),
            data=dict(start),
            counters=counters,
            handler=handler,
            symbols={FLAG: "flag", GO: "go", WORK: "work", TAKEN: "taken"},
        )

    return replace(scenario(expect=expect)(build), id="gathering::it")


def proved(it: Scenario, k: int = 2) -> EveryN:
    """The answer for every number of CPUs."""
    return ProverForAll(it, {}, k=k).prove()


# A loop that calls the holders of tickets, as stop_machine() does.


async def calls(cpu: Cpu, n: Any) -> None:
    """The boot CPU calls everybody, and waits until all have come."""
    queued = await cpu.ldr(WORK)
    for turn in each_other(n):
        await cpu.stlr(WORK, queued + turn)
    await cpu.wait(FLAG, equals, n)
    await cpu.str(GO, 1)


@routine
async def ticket(cpu: Cpu) -> None:
    """Take a ticket, and wait until it is called."""
    own = await cpu.ldaddal(TAKEN, 1)
    await cpu.wait(WORK, is_more, own, acquire=True)


async def called(cpu: Cpu, _: Any) -> None:
    """Another CPU comes when it is called."""
    await ticket(cpu)
    await adds(cpu, _)


# Whoever is the last tells the others, as in multi_cpu_stop().


@routine
async def acknowledge(cpu: Cpu) -> None:
    """Say that one is there; the last to do so lets all go."""
    if await cpu.ldaddal(FLAG, -1) == 1:
        await cpu.str(GO, 1)
    await cpu.wait(GO, equals, 1)


async def begins(cpu: Cpu, n: Any) -> None:
    """The boot CPU sets the count, and is one of them."""
    await cpu.str(FLAG, n)
    await cpu.dmb("ishst")
    await cpu.str(WORK, 1)
    await acknowledge(cpu)


async def joins(cpu: Cpu, _: Any) -> None:
    """Another CPU."""
    await cpu.wait(WORK, equals, 1)
    await acknowledge(cpu)


ANNOUNCED = {0: Counter("flag", announces=1)}
