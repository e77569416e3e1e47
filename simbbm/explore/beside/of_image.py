"""What the CPUs of a kernel image ask for, each executed alone (`simbbm.binary.process`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from simbbm.binary.a64.operations import (
    Access,
    Hint,
    ReadRegister,
    Stop,
    Store,
    WriteRegister,
)
from simbbm.binary.booted import FLAGS
from simbbm.binary.kernel import Kernel, told
from simbbm.binary.process import SHARED, Event, Finding, Process
from simbbm.binary.trace import FUNCTION, PLAIN_LOAD, PLAIN_STORE, outcome, ttbr_told
from simbbm.explore.beside.operations import (
    FEWER_BITS,
    FLAG,
    MORE_BITS,
    SAME_SIZE,
    TABLES,
    Step,
    folded,
)

ALL_ARRIVED = 2
"""The flag when one secondary is parked: the boot CPU itself counts as one."""

STEPS_MAX = 500
"""Steps of one CPU, of which kernels take some thirty: what takes so many is in a loop."""


class _Waiting(Process):
    """A boot CPU that finds a secondary missing: it arrives while the boot CPU sleeps."""

    def _answer(self, stop: Stop) -> tuple[int, ...]:
        if isinstance(stop.operation, Hint) and stop.operation.name == "wfe":
            self.booted.memory.write(self.booted.flag, 4, ALL_ARRIVED)
            return ()
        return super()._answer(stop)


class Executed(NamedTuple):
    """What a CPU did."""

    steps: list[Step]
    finding: str
    """What it could not go on from; empty if it came to its end."""
    outcome: str
    """What became of the block; empty of a secondary."""


def executed_boot(kernel: Kernel) -> Executed:
    """The boot CPU, which waits once, and splits."""
    process = _Waiting(kernel, FUNCTION, cpu=0, online=ALL_ARRIVED)
    steps, finding = _executed(process)
    return Executed(steps, finding, "" if finding else outcome(process))


def executed_secondary(kernel: Kernel) -> Executed:
    """A secondary, which is released when it goes to sleep."""
    return Executed(*_executed(Process(kernel, FUNCTION, cpu=1, online=ALL_ARRIVED)), "")


def _executed(process: Process) -> tuple[list[Step], str]:
    steps, findings = list[Step](), list[str]()
    for step in folded(_steps_until(process, findings)):
        steps.append(step)
        if len(steps) == STEPS_MAX:
            return steps, f"{step.place}: it goes on after {STEPS_MAX} steps: does it spin?"
    return steps, "".join(findings)


def _steps_until(process: Process, findings: list[str]) -> Iterator[Step]:
    """The steps up to a finding, which is put into the list."""
    try:
        yield from _steps(process)
    except Finding as finding:
        findings.append(finding.message)


def _steps(process: Process) -> Iterator[Step]:
    in_image = True
    for event in process.run():
        if isinstance(event.operation, ReadRegister):
            continue
        # Between the idmap, where code runs at its physical address, and the kernel's own.
        if in_image != process.kernel.image.holds(process.cpu.pc):
            in_image = not in_image
            yield Step(event.place, "br", "")
        yield from _step(process, event)


def _step(process: Process, event: Event) -> Iterator[Step]:
    """An operation that others can notice, or that orders some; nothing for any other one."""
    operation, name = event.operation, told(event.operation)
    if isinstance(operation, WriteRegister):
        yield Step(event.place, name or "", "", _written(process, operation))
        return
    if not isinstance(operation, Access):
        yield Step(event.place, name or "", "")
        return
    what = event.what.partition("+")[0]
    if what not in SHARED:
        return
    what = FLAG if what in FLAGS else TABLES if what == "swapper_pg_dir" else what
    is_store = isinstance(operation, Store)
    value = str(operation.values[0]) if isinstance(operation, Store) and what == FLAG else ""
    yield Step(event.place, name or (PLAIN_STORE if is_store else PLAIN_LOAD), what, value)


def _written(process: Process, operation: WriteRegister) -> str:
    """What an MSR writes: a table's name and the ASID, or which T0SZ."""
    if operation.register == "tcr_el1":
        t0, t1 = operation.value & 63, operation.value >> 16 & 63
        return SAME_SIZE if t0 == t1 else MORE_BITS if t0 < t1 else FEWER_BITS
    if operation.register.startswith("ttbr"):
        return ttbr_told(process, operation.value)
    return f"{operation.value:#x}"
