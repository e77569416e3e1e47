"""Interrupts while the map is split: the wait window has no vectors.

From the switch to the reserved table to the restore, a parked CPU maps neither its vectors nor its
stack. What keeps it from taking an exception there is that stop_machine() has masked interrupts
(PSTATE.I and F, not A and D). The number is that of the catalogue of mutants.

An open question about today's code: is the wait window safe against NMIs and SErrors?
Asked because local_irq_disable() masks neither an SError nor, where the kernel uses interrupt
priorities, a pseudo-NMI; nothing on the way into the idmap masks more. Assumed: either may arrive
on any CPU at any time, except during another exception; the vectors are at their kernel address,
and their handler only returns.
Found: it is not safe if one arrives. Once the reserved table in TTBR1 is in effect no instruction
of a vector can be fetched (`nmi_in_window`, `serror_in_window`): the CPU faults for ever on its
vectors, a silent hang where otherwise do_serror() would panic or survive. A pseudo-NMI takes a
kernel that was built and booted for it. The mend at hand is what __cpu_replace_ttbr1()'s callers
do: mask all of DAIF before the switch (`daif_masked`); both are put off until the CPU is back. With
vectors of their own in the idmap CPUs could take both (`vectors_in_idmap`), as far as the handler
only returns: it has no stack and no `current` there. KPTI's window is the same. How likely either
is within some milliseconds at boot, the model does not say.

Simplified: one arrives on each CPU, and handlers touch no memory but their own code (misses).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from simbbm_scenarios import linear_map_split as merged

from simbbm import (
    INTERRUPT,
    Aborted,
    Cpu,
    Range,
    Setup,
    routine,
    scenario,
)
from simbbm.linux.kernel import Kernel
from simbbm.linux.mmu_context import cpu_install_idmap, cpu_uninstall_idmap
from simbbm.linux.proc import wait_linear_map_split_to_ptes


async def vectors(cpu: Cpu, aborted: Aborted) -> None:
    """entry.S:vectors: an interrupt is handled, a fault is fatal."""
    if aborted.access != INTERRUPT:
        await cpu.panic(f"{aborted.kind} fault")
    await cpu.eret()


@scenario(evidence="proved")
def good(
    *,
    cpus: Annotated[int, Range(2, 16)] = 2,
    layout: Literal["pages", "pmd", "contpmd", "pud", "mixed"] = "pmd",
    arrives: Literal["irq", "nmi", "serror"] = "irq",
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """The split while interrupts arrive: none does where it could not be taken."""
    setup = merged.good.setup({"cpus": cpus, "layout": layout, "hardware": hardware})
    return replace(setup, hardware=setup.hardware._replace(interrupts=arrives), handler=vectors)


m31_irqs_not_disabled = good.twin(
    "stop_machine() leaves out DISABLE_IRQ: an interrupt arrives where no vector is mapped (by "
    "inference).",
    expect="VIOLATED:no_fault_on_live_map",
    drop=["multi_cpu_stop.daifset"],
    layout="pages",
)

nmi_in_window = good.twin(
    "Open question: a pseudo-NMI in the wait window is fatal; stop_machine() does not mask it "
    "(kernels that are built and booted for it).",
    expect="VIOLATED:no_fault_on_live_map",
    layout="pages",
    arrives="nmi",
)

serror_in_window = good.twin(
    "Open question: so is an SError, on every kernel: the CPU hangs, and nobody is told.",
    expect="VIOLATED:no_fault_on_live_map",
    layout="pages",
    arrives="serror",
)


@routine
async def wait_with_vectors_in_idmap(cpu: Cpu, k: Kernel) -> None:
    """VBAR has vectors in the idmap for as long as TTBR1 has none."""
    await cpu.msr("vbar_el1", k.idmap_text)
    await cpu.isb()
    await wait_linear_map_split_to_ptes(cpu, k)
    await cpu.msr("vbar_el1", k.text)
    await cpu.isb()


vectors_in_idmap = good.twin(
    "With vectors in the idmap a parked CPU can take an NMI, if the handler only returns.",
    expect="HOLDS",
    replace={wait_linear_map_split_to_ptes: wait_with_vectors_in_idmap},
    arrives="nmi",
)


@routine
async def mask_and_install_idmap(cpu: Cpu, k: Kernel) -> None:
    """local_daif_save() before the swapper goes."""
    await cpu.daifset("daif")
    await cpu_install_idmap(cpu, k)


@routine
async def uninstall_idmap_and_unmask(cpu: Cpu, k: Kernel) -> None:
    """local_daif_restore() when the CPU is back."""
    await cpu_uninstall_idmap(cpu, k)
    await cpu.daifclr("da")


daif_masked = good.twin(
    "All of DAIF is masked while a CPU is parked, as around __cpu_replace_ttbr1(): SErrors and "
    "pseudo-NMIs wait until it is back.",
    expect="HOLDS",
    replace={
        cpu_install_idmap: mask_and_install_idmap,
        cpu_uninstall_idmap: uninstall_idmap_and_unmask,
    },
    arrives="serror",
)
