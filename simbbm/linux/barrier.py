"""Waiting for a word with WFE: asm/barrier.h, asm/cmpxchg.h."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simbbm.arm64.ops import Cpu
from simbbm.core.program import repeat_until, routine

Predicate = Callable[..., bool]
"""Of a word, and of what it is compared with."""


def equals(value: int, expected: int) -> bool:
    """Whether a word has a value."""
    return value == expected


def _loaded(value: Any) -> Any:
    """What a load got; one that an edit left out has nothing, and no program goes on with that."""
    if value is None:
        raise TypeError("a load that was left out has no value")
    return value


@routine
async def cmpwait_relaxed(cpu: Cpu, address: int, value: int) -> None:
    """cmpxchg.h:__cmpwait_relaxed: until the word is, perhaps, no longer `value`.

    The event that SEVL leaves ends the first WFE. The exclusive load arms the monitor; what is
    stored from then on ends the second, and what was stored before is seen by the load.
    """
    await cpu.sevl()
    await cpu.wfe()
    if _loaded(await cpu.ldxr(address)) == value:
        await cpu.wfe()


@routine
async def load_acquire_or_wait(cpu: Cpu, address: int, predicate: Predicate, wanted: int) -> bool:
    """One turn: look at the word, and wait if it is not as wanted."""
    value = _loaded(await cpu.ldar(address))
    if predicate(value, wanted):
        return True
    await cmpwait_relaxed(cpu, address, value)
    return False


@routine
async def smp_cond_load_acquire(cpu: Cpu, address: int, predicate: Predicate, wanted: int) -> None:
    """barrier.h:smp_cond_load_acquire: until predicate(word, wanted)."""
    await repeat_until(load_acquire_or_wait, cpu, address, predicate, wanted)
    await cpu.forget_events()
