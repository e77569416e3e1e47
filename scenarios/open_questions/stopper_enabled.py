"""A CPU is online before its stopper is enabled: work that is queued to it then is not done.

cpu_stop_queue_work() queues to a stopper that is enabled; of any other it says at once that the
work is done, and nobody does it (kernel/stop_machine.c). A CPU that comes up is online first and
has its stopper later, also since 45178ac0cea8, which moved one towards the other.

Asked: may stop_machine() fall between the two, count a CPU, and wait for it for ever? Assumed: the
repaint of the linear map, and a CPU that comes online meanwhile. Found: no, for a reason that is
not in either: CPUs are counted under cpu_hotplug_lock, and whoever brings a CPU up holds it until
the stopper is enabled (`good`). Where it is dropped as soon as the CPU is online, all others wait
in multi_cpu_stop() (`unlocked_when_online`), unless the stopper comes first (`enabled_first`).

The late CPU has a stopper of its own: a flag, and a queue of one work. The early ones', which have
been enabled for long, are as in `simbbm.linux.stop_machine`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from simbbm_scenarios import late_cpu

from simbbm import Cpu, CpuSet, Range, Setup, Ttbr, each_other, edits, routine, scenario
from simbbm.linux.hotplug import (
    bring_up,
    cpus_read_lock,
    cpus_read_unlock,
    cpus_write_lock,
    cpus_write_unlock,
)
from simbbm.linux.kernel import extended
from simbbm.linux.mmu import linear_map_split_to_ptes
from simbbm.linux.set_memory import RunningKernel
from simbbm.linux.stop_machine import (
    MultiStop,
    StopFn,
    address_of,
    cpu_stopper_work,
    is_set,
    set_state,
    stop_machine,
    wait_for_completion,
)


@dataclass(frozen=True, kw_only=True)
class StopperKernel(RunningKernel):
    """A kernel with the late CPU's struct cpu_stopper."""

    enabled: int
    """Word: cpu_stopper.enabled."""
    late_work: int
    """Word: whether there is work on its list."""


@routine
async def stop_machine_unpark(cpu: Cpu, k: StopperKernel) -> None:
    """stop_machine.c:stop_machine_unpark, on the CPU that has come up (cpuhp_online_idle)."""
    await cpu.stlr(k.enabled, 1)


@routine
async def cpu_stop_queue_work(cpu: Cpu, k: StopperKernel) -> None:
    """stop_machine.c:cpu_stop_queue_work, cpu_stop_signal_done: not enabled, it is done at once."""
    if await cpu.ldar(k.enabled):
        await cpu.stlr(k.late_work, 1)
    else:
        await cpu.ldaddal(k.stop_done, -1)


@routine
async def queue_stop_cpus_work(cpu: Cpu, k: StopperKernel, threads: int) -> None:
    """stop_machine.c:queue_stop_cpus_work: to each that is online; the last one is late."""
    queued = await cpu.ldr(k.stop_work)
    for n in each_other(k.num_online_cpus - 1):
        await cpu.stlr(k.stop_work, queued + n)
    if threads == k.num_online_cpus:
        await cpu_stop_queue_work(cpu, k)


@routine
async def stop_machine_by_cpu(cpu: Cpu, k: StopperKernel, fn: StopFn) -> None:
    """stop_machine.c:stop_machine, each stopper having its own queue."""
    await cpus_read_lock(cpu, k)
    threads = await cpu.ldr(k.online)
    await cpu.str(k.msdata_fn, address_of(fn))
    await cpu.str(k.msdata_num_threads, threads)
    await set_state(cpu, k, int(MultiStop.PREPARE))
    await cpu.str(k.stop_done, threads)
    await cpu.str(k.work_arg, k.msdata_fn)
    await queue_stop_cpus_work(cpu, k, threads)
    await cpu_stopper_work(cpu, k._replace(num_online_cpus=threads), fn)
    await wait_for_completion(cpu, k)
    await cpus_read_unlock(cpu, k)


@routine
async def cpu_up(cpu: Cpu, k: StopperKernel, swapper: Ttbr, able: int) -> None:
    """cpu.c:_cpu_up, bringup_wait_for_ap: the lock is held until the stopper is enabled."""
    await cpus_write_lock(cpu, k.by_idmap())
    await bring_up(cpu, k, swapper, able)
    await stop_machine_unpark(cpu, k)
    await cpus_write_unlock(cpu, k)


async def late(cpu: Cpu, k: StopperKernel, swapper: Ttbr, able: int) -> None:
    """A CPU that comes online; counted, it gets work, or so it thinks."""
    await cpu_up(cpu, k, swapper, able)
    threads = await cpu.wait(k.msdata_num_threads, is_set)
    if threads == k.num_online_cpus:
        await cpu.wait(k.late_work, is_set, acquire=True)
        await cpu_stopper_work(cpu, k, linear_map_split_to_ptes)


@scenario(evidence="proved")
def repaint(
    *,
    cpus: Annotated[int, Range(2, 8)] = 2,
    layout: Literal["pmd", "contpmd", "pud"] = "pmd",
    noabort: Annotated[str, CpuSet()] = "boot",
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """The repaint, while a CPU comes online, with its stopper before the lock is dropped."""
    setup = late_cpu.counted.setup(
        {"cpus": cpus, "layout": layout, "noabort": noabort, "hardware": hardware}
    )
    running = setup.cpus[0].args[0]
    first = running.hotplug_lock + 1
    k = extended(running, StopperKernel, enabled=first, late_work=first + 1)
    names = {first: "enabled", first + 1: "late_work"}
    by_idmap = {word - k.flag + k.flag_idmap: name for word, name in names.items()}
    *early, last = (cpu._replace(args=(k, *cpu.args[1:])) for cpu in setup.cpus)
    return replace(
        setup,
        cpus=(*early, last._replace(program=late)),
        symbols={**setup.symbols, **names, **by_idmap},
    )


good = replace(repaint, edits=edits({stop_machine: stop_machine_by_cpu}))
del repaint


@routine
async def unlock_when_online(cpu: Cpu, k: StopperKernel, swapper: Ttbr, able: int) -> None:
    """The CPU is online, and so the lock is dropped."""
    await cpus_write_lock(cpu, k.by_idmap())
    await bring_up(cpu, k, swapper, able)
    await cpus_write_unlock(cpu, k)
    await stop_machine_unpark(cpu, k)


unlocked_when_online = good.twin(
    "The lock is dropped when the CPU is online, and its stopper enabled then: its work is 'done' "
    "at once, and the others wait for it in multi_cpu_stop() for ever (after 45178ac0cea8).",
    expect="STUCK:terminates",
    replace={cpu_up: unlock_when_online},
)


@routine
async def enable_first(cpu: Cpu, k: StopperKernel, swapper: Ttbr, able: int) -> None:
    """The stopper, and then the CPU is online."""
    await cpus_write_lock(cpu, k.by_idmap())
    await stop_machine_unpark(cpu, k._replace(enabled=k.enabled + k.flag_idmap - k.flag))
    await bring_up(cpu, k, swapper, able)
    await cpus_write_unlock(cpu, k)


enabled_first = unlocked_when_online.twin(
    "Enabled before it is online, the stopper has its work whenever the lock is dropped.",
    expect="HOLDS",
    replace={cpu_up: enable_first},
)
