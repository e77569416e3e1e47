"""stop_machine(): kernel/stop_machine.c.

The caller writes down what is to be done (struct multi_stop_data, on its stack) and queues a work
item to the stopper of every CPU, one after the other. All CPUs go through the states in step. The
caller goes on when every stopper has reported that it is done.

Simplified: which work is whose is settled by a number that each stopper takes, in any order, so
that CPUs stay alike; the kernel queues CPU by CPU (cries wolf). Every stopper is enabled (misses;
scenarios `stopper_enabled` have one that is not). All works have their argument in
one word, written before the first is queued (misses). A function's address is its name's checksum,
and who finds another one in msdata.fn panics (cries wolf). The caller runs its own CPU's stopper as
part of itself, when all others have their work: earlier it cannot be pre-empted. `data` is NULL and
`active_cpus` all that are online, for every caller that is modelled.

`state` and `thread_ack` are the two halves of one dword. Each is a word here: accesses to different
halves are accesses to different locations (Arm ARM B2.3: coherence is a matter of bytes), so that
they share a dword orders nothing, and who relied on it would err. What they do share is a granule
of exclusives, which LDADDAL does not use.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any

from simbbm.arm64.ops import Cpu
from simbbm.core.program import Request, routine
from simbbm.core.programs.everyone import each_other
from simbbm.linux.barrier import equals
from simbbm.linux.kernel import Kernel

StopFn = Callable[[Cpu, Any], Request[None]]
"""A routine that every CPU runs inside stop_machine(); it gets the kernel, of whatever kind."""


class MultiStop(IntEnum):
    """stop_machine.c:enum multi_stop_state."""

    NONE = 0
    PREPARE = 1
    DISABLE_IRQ = 2
    RUN = 3
    EXIT = 4


def address_of(fn: StopFn) -> int:
    """What a pointer to a function is."""
    address = 0
    for letter in fn.__name__:
        address = (address * 31 + ord(letter)) & 0xFFFF
    return address


def differs(value: int, known: int) -> bool:
    """Whether a word has changed."""
    return value != known


def is_more(value: int, than: int) -> bool:
    """Whether a count is beyond a number."""
    return value > than


def is_set(value: int) -> bool:
    """Whether a word is not zero."""
    return value != 0


@routine
async def set_state(cpu: Cpu, k: Kernel, state: int) -> None:
    """stop_machine.c:set_state."""
    threads = await cpu.ldr(k.msdata_num_threads)
    await cpu.str(k.msdata_thread_ack, threads)
    await cpu.dmb("ishst")
    await cpu.str(k.msdata_state, state)


@routine
async def ack_state(cpu: Cpu, k: Kernel, state: int) -> None:
    """stop_machine.c:ack_state: the last CPU to acknowledge a state starts the next one.

    Whatever comes after EXIT is one state: who is lost there does not count for ever.
    """
    if await cpu.ldaddal(k.msdata_thread_ack, -1) == 1:
        await set_state(cpu, k, min(state, MultiStop.EXIT) + 1)


@routine
async def call_fn(cpu: Cpu, k: Kernel, fn: StopFn) -> None:
    """msdata->fn(msdata->data)."""
    if await cpu.ldr(k.msdata_fn) != address_of(fn):
        await cpu.panic(f"multi_cpu_stop() calls something else than {fn.__name__}()")
    await fn(cpu, k)


@routine
async def multi_cpu_stop(cpu: Cpu, k: Kernel, fn: StopFn) -> None:
    """stop_machine.c:multi_cpu_stop.

    No CPU runs fn before all have interrupts off, none leaves before all have returned from it.
    """
    state = int(MultiStop.NONE)
    while state != MultiStop.EXIT:
        state = int(await cpu.wait(k.msdata_state, differs, state))
        if state == MultiStop.DISABLE_IRQ:
            await cpu.daifset()
        elif state == MultiStop.RUN:
            await call_fn(cpu, k, fn)
        await ack_state(cpu, k, state)
    await cpu.daifclr()


@routine
async def cpu_stopper_work(cpu: Cpu, k: Kernel, fn: StopFn) -> None:
    """stop_machine.c:cpu_stopper_thread, when it has found its work: do it and say so."""
    if await cpu.ldr(k.work_arg) != k.msdata_fn:
        await cpu.panic("multi_cpu_stop() has not got what it works on")
    await multi_cpu_stop(cpu, k, fn)
    await cpu.ldaddal(k.stop_done, -1)


@routine
async def wait_for_completion(cpu: Cpu, k: Kernel) -> None:
    """completion.c:wait_for_completion, on struct cpu_stop_done."""
    await cpu.wait(k.stop_done, equals, 0, acquire=True)


@routine
async def stop_machine(cpu: Cpu, k: Kernel, fn: StopFn) -> None:
    """stop_machine.c:stop_machine, stop_cpus, on the CPU that calls it.

    Each work is queued under its stopper's lock, which is dropped with a store-release.
    """
    await cpu.str(k.msdata_fn, address_of(fn))
    await cpu.str(k.msdata_num_threads, k.num_online_cpus)
    await set_state(cpu, k, int(MultiStop.PREPARE))
    await cpu.str(k.stop_done, k.num_online_cpus)
    await cpu.str(k.work_arg, k.msdata_fn)
    queued = await cpu.ldr(k.stop_work)
    for n in each_other(k.num_online_cpus):
        await cpu.stlr(k.stop_work, queued + n)
    await cpu_stopper_work(cpu, k, fn)
    await wait_for_completion(cpu, k)


@routine
async def own_work(cpu: Cpu, k: Kernel) -> int:
    """Which of the works is this CPU's: the first that nobody else has taken."""
    return await cpu.ldaddal(k.works_taken, 1)


@routine
async def stoppers_idle(cpu: Cpu, k: Kernel) -> None:
    """smpboot.c: all that are online have their stoppers, which sleep; else more states."""
    await cpu.wait(k.works_taken, equals, k.num_online_cpus - 1)


@routine
async def wait_for_work(cpu: Cpu, k: Kernel) -> None:
    """Sleep until this CPU's work is queued; it is taken under the stopper's lock."""
    own = await own_work(cpu, k)
    await cpu.wait(k.stop_work, is_more, own, acquire=True)


@routine
async def cpu_stopper_thread(cpu: Cpu, k: Kernel, fn: StopFn) -> None:
    """stop_machine.c:cpu_stopper_thread: wait for work, and do it."""
    await wait_for_work(cpu, k)
    await cpu_stopper_work(cpu, k, fn)
