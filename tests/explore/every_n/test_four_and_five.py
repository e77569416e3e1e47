"""What goes wrong on four or five CPUs alone is never proved for every number of them.

Each program fails only because there are so many others; the searches of 2 and 3 CPUs hold. The
answer is the counterexample, or that termination is open.
"""

from __future__ import annotations

from typing import Any

import pytest

from simbbm import RW, Cpu, Scenario, Ttbr, leaf, repeat_until, routine
from simbbm.arm64.descriptor import INVALID_DESCRIPTOR
from simbbm.check.verdict import Verdict
from tests.explore.every_n import test_fewer as pages
from tests.explore.every_n.gathering import COUNTERS, GO, TAKEN, WORK, equals, of, proved
from tests.explore.every_n.test_refused import nothing

FLAG = {0: COUNTERS[0]}


@routine
async def arrives(cpu: Cpu, at: int) -> int:
    """Which of all this one is, by a word that takes five values."""
    before: int = await cpu.ldxr(at)
    return 0 if await cpu.stxr(at, (before + 1) % 5) else before + 1


@routine
async def claims(cpu: Cpu, at: int) -> int:
    """1: it is ours; 2: it is somebody else's; 0: look again."""
    if await cpu.ldxr(at):
        return 2
    return 0 if await cpu.stxr(at, 1) else 1


async def takes_one_of_three(cpu: Cpu, _: Any) -> None:
    for at in (GO, WORK, TAKEN):
        if await repeat_until(claims, cpu, at) == 1:
            return
    await cpu.panic("there is no fourth place")


@routine
async def fails(cpu: Cpu) -> bool:
    before = await cpu.ldxr(GO)
    return bool(await cpu.stxr(GO, 1 - before))


async def fails_three_times(cpu: Cpu, _: Any) -> None:
    """Each time another CPU's store came between."""
    if await fails(cpu) and await fails(cpu) and await fails(cpu):
        await cpu.panic("three others were quicker")


async def fourth_sees_the_order(cpu: Cpu, _: Any) -> None:
    """To three others the order of the boot CPU's stores is nothing."""
    if await repeat_until(arrives, cpu, pages.SIGN) == 4:
        await cpu.wait(pages.GO, equals, 1)
        if await cpu.ldr(pages.DATUM) == 0:
            await cpu.panic("the sign came first")


async def says_both(cpu: Cpu, _: Any) -> None:
    await cpu.str(pages.DATUM, 1)
    await cpu.str(pages.GO, 1)
    await cpu.dsb("ish")


async def third_goes_to_the_map(cpu: Cpu, _: Any) -> None:
    """To two others the boot CPU's TLBIs are nothing."""
    if await repeat_until(arrives, cpu, pages.SIGN) == 3:
        await cpu.msr("ttbr1_el1", Ttbr(pages.BOOT_TABLE))
        await cpu.isb()
        await cpu.ldr(pages.X * pages.WORDS)


async def unmaps(cpu: Cpu, _: Any) -> None:
    await cpu.str(pages.PTE_X, INVALID_DESCRIPTOR)
    await cpu.dsb("ish")
    await cpu.tlbi("vaale1is", pages.X)
    await cpu.tlbi("vaale1is", pages.Y)
    await cpu.dsb("ish")


async def third_unmaps(cpu: Cpu, _: Any) -> None:
    """Two others write no tables."""
    if await repeat_until(arrives, cpu, pages.SIGN) == 3:
        await cpu.str(pages.PTE_X, INVALID_DESCRIPTOR)


async def maps(cpu: Cpu, _: Any) -> None:
    await cpu.str(pages.PTE_Y, leaf(6, RW))
    await cpu.dsb("ish")
    await cpu.ldr(pages.X * pages.WORDS)


SO_MANY: dict[str, tuple[Scenario, int]] = {
    "slots": (of(nothing, takes_one_of_three, counters=FLAG, start={}), 5),
    "exclusives": (of(nothing, fails_three_times, counters=FLAG, start={}), 5),
    "order": (pages.of(says_both, fourth_sees_the_order), 5),
    "TLBIs": (pages.of(unmaps, third_goes_to_the_map), 4),
    "tables": (pages.of(maps, third_unmaps, walks=pages.BOOT_TABLE), 4),
}


LONG = ("TLBIs", "order")


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.quality] if n in LONG else []) for n in SO_MANY],
)
def test_the_smallest_number_that_fails_is_found(name: str) -> None:
    scenario, cpus = SO_MANY[name]
    answer = proved(scenario)

    assert (answer.verdict, answer.cpus) == (Verdict.VIOLATED, cpus)


@routine
async def never(cpu: Cpu) -> bool:
    return bool(await cpu.ldr(TAKEN) == 9)


async def fourth_spins(cpu: Cpu, _: Any) -> None:
    if await repeat_until(arrives, cpu, GO) == 4:
        await repeat_until(never, cpu)


@pytest.mark.quality
def test_that_runs_end_is_open_where_the_fourth_spins() -> None:
    answer = proved(of(nothing, fourth_spins, counters=FLAG))

    assert (answer.verdict, answer.terminates) == (Verdict.PROVED, False)
    assert answer.levels is None
