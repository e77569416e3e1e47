"""stop_machine(): kernel/stop_machine.c.

Simplified: the stoppers' work is queued to all other CPUs by one store-release (the kernel queues
it CPU by CPU under locks), and the caller runs its own CPU's part itself.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

from simbbm.arm64.ops import Cpu
from simbbm.core.program import Request, routine
from simbbm.linux.kernel import Kernel

StopFn = Callable[[Cpu, Kernel], Request[None]]
"""A routine that every CPU runs inside stop_machine()."""


class MultiStop(IntEnum):
    """stop_machine.c:enum multi_stop_state."""

    NONE = 0
    PREPARE = 1
    DISABLE_IRQ = 2
    RUN = 3
    EXIT = 4


STATES = (MultiStop.PREPARE, MultiStop.DISABLE_IRQ, MultiStop.RUN, MultiStop.EXIT)


def reached(value: int, state: int) -> bool:
    """Whether the rendezvous has reached a state."""
    return value >= state


def is_set(value: int) -> bool:
    """Whether a word is not zero."""
    return value != 0


@routine
async def set_state(cpu: Cpu, k: Kernel, state: int) -> None:
    """stop_machine.c:set_state."""
    await cpu.str(k.msdata_thread_ack, k.num_online_cpus)
    await cpu.dmb("ishst")
    await cpu.str(k.msdata_state, state)


@routine
async def ack_state(cpu: Cpu, k: Kernel, state: int) -> None:
    """stop_machine.c:ack_state: the last CPU to acknowledge a state starts the next one."""
    threads = await cpu.ldaddal(k.msdata_thread_ack, -1)
    if threads == 1 and state < MultiStop.EXIT:
        await set_state(cpu, k, state + 1)


@routine
async def multi_cpu_stop(cpu: Cpu, k: Kernel, fn: StopFn, *, active: bool = True) -> None:
    """stop_machine.c:multi_cpu_stop.

    No CPU runs fn before all have interrupts off, none leaves before all have returned from it.
    """
    for state in STATES:
        await cpu.wait(k.msdata_state, reached, int(state))
        if state == MultiStop.DISABLE_IRQ:
            await cpu.daifset()
        elif state == MultiStop.RUN and active:
            await fn(cpu, k)
        await ack_state(cpu, k, int(state))
    await cpu.daifclr()


@routine
async def stop_machine(cpu: Cpu, k: Kernel, fn: StopFn) -> None:
    """stop_machine.c:stop_machine, on the CPU that calls it."""
    await set_state(cpu, k, int(MultiStop.PREPARE))
    await cpu.stlr(k.stop_work, 1)
    await multi_cpu_stop(cpu, k, fn)


@routine
async def cpu_stopper_thread(cpu: Cpu, k: Kernel, fn: StopFn) -> None:
    """stop_machine.c:cpu_stopper_thread: wait for work, do it."""
    await cpu.wait(k.stop_work, is_set, acquire=True)
    await multi_cpu_stop(cpu, k, fn)
