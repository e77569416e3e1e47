"""Interrupts while the map is split: the wait window has no vectors.

From the switch to the reserved table to the restore, a parked CPU maps neither its vectors nor its
stack. What keeps it from taking an exception there is that stop_machine() has masked interrupts
(PSTATE.I); callers of idmap_cpu_replace_ttbr1() mask all of DAIF. The number is that of the
catalogue of mutants.

An open question about today's code: is the wait window safe against NMIs and SErrors?
Asked because PSTATE.I masks neither a pseudo-NMI (with priority masking local_irq_disable() does
not even set it) nor an SError. Assumed: either may arrive on any CPU at any time, except during
another exception; the vectors are at their kernel address, and their handler only returns.
Found: it is not safe. Once the reserved table in TTBR1 is in effect, either is fatal
(`nmi_in_window`, `serror_in_window`): no instruction of a vector can be fetched. With vectors of
their own in the idmap the CPUs could take both (`vectors_in_idmap`). Masking all of DAIF would put
off SErrors, and pseudo-NMIs with them. How likely either is within some milliseconds at boot, the
model does not say.

Simplified: one arrives on each CPU, and handlers touch no memory but their own code (misses).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from simbbm.arm64.ops import INTERRUPT, Aborted, Cpu
from simbbm.core.program import routine
from simbbm.linux.kernel import Kernel
from simbbm.linux.proc import wait_linear_map_split_to_ptes
from simbbm.scenario import Range, Setup, scenario

from . import linear_map_split as merged


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
    "Open question: a pseudo-NMI in the wait window is fatal; stop_machine() does not mask it.",
    expect="VIOLATED:no_fault_on_live_map",
    layout="pages",
    arrives="nmi",
)

serror_in_window = good.twin(
    "Open question: so is an SError.",
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
    "With vectors in the idmap a parked CPU can take an NMI: what would make the window safe.",
    expect="HOLDS",
    replace={wait_linear_map_split_to_ptes: wait_with_vectors_in_idmap},
    arrives="nmi",
)
