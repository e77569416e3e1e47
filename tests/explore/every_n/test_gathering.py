"""Protocols that hold for every number of CPUs are proved, and what fails is found."""

from __future__ import annotations

from typing import Any

import pytest

from simbbm import Cpu, repeat_until, routine
from simbbm.check.verdict import Verdict
from tests.explore.every_n.gathering import (
    COUNTERS,
    FLAG,
    GO,
    TAKEN,
    WORK,
    adds,
    called,
    calls,
    count,
    counts,
    equals,
    gathers,
    of,
    proved,
)


@pytest.mark.parametrize("other", [counts, adds])
@pytest.mark.parametrize("k", [2, 3])
def test_a_gathering_is_proved(other: Any, k: int) -> None:
    answer = proved(of(gathers, other), k)

    assert (answer.verdict, answer.terminates) == (Verdict.PROVED, True)
    assert len(answer.few) == k


def test_a_loop_of_calls_is_proved() -> None:
    answer = proved(of(calls, called))

    assert (answer.verdict, answer.terminates) == (Verdict.PROVED, True)


async def waits_for_too_few(cpu: Cpu, n: Any) -> None:
    await cpu.wait(FLAG, equals, n - 1)
    await cpu.str(GO, 1)
    if await cpu.ldar(FLAG) == n - 1:
        await cpu.panic("one is missing")


def test_a_failure_is_shown_on_the_smallest_machine() -> None:
    answer = proved(of(waits_for_too_few, expect="VIOLATED:no_panic"))

    assert (answer.verdict, answer.property, answer.cpus) == (Verdict.VIOLATED, "no_panic", 2)


@routine
async def take(cpu: Cpu, slot: int) -> bool:
    """Take a slot, if it is free: 1 if it is mine, 2 if it is another's, 0 to try again."""
    if await cpu.ldxr(slot) == 1:
        return False
    return not await cpu.stxr(slot, 1)


@routine
async def takes_one(cpu: Cpu, lost: str) -> None:
    """There are two slots: who gets none waits for ever, or panics."""
    if await take(cpu, GO) or await take(cpu, WORK):
        return
    if lost == "panics":
        await cpu.panic("there is no slot left")
    await cpu.wait(TAKEN, equals, 1)


async def takes(cpu: Cpu, n: Any, lost: str) -> None:
    await repeat_until(count, cpu, 1)
    await takes_one(cpu, lost)


async def waits_for_all(cpu: Cpu, n: Any, lost: str) -> None:
    await cpu.wait(FLAG, equals, n)


@pytest.mark.parametrize(
    ("lost", "verdict", "name"),
    [("panics", Verdict.VIOLATED, "no_panic"), ("waits", Verdict.STUCK, "terminates")],
)
def test_what_goes_wrong_with_a_third_is_found_by_views_and_shown(
    lost: str, verdict: Verdict, name: str
) -> None:
    """2 and 3 CPUs are all right: there are slots for two. With a spurious failure not even so."""
    it = of(waits_for_all, takes, counters={0: COUNTERS[0]}, args=lambda n: (n, lost))
    answer = proved(it)

    assert (answer.verdict, answer.property) == (verdict, name)
    assert answer.cpus == 4
    assert answer.failed is not None
    assert answer.failed.run is not None


async def spins(cpu: Cpu, _: Any) -> None:
    """Comes, and tries its luck for ever: nothing is used up."""
    await cpu.ldaddal(FLAG, 1)
    await repeat_until(looks, cpu)


async def looks(cpu: Cpu) -> bool:
    return bool(await cpu.ldr(GO) == 1)


def test_termination_is_left_open_where_somebody_polls_by_loads() -> None:
    answer = proved(of(gathers, spins))

    assert answer.verdict is Verdict.PROVED
    assert answer.terminates is False
    assert any("looks.ldr" in label for label in answer.rounds)


def test_views_need_two() -> None:
    with pytest.raises(Exception, match="views of 1"):
        proved(of(gathers), 1)
