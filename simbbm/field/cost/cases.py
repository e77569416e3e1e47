"""What is compared: one machine with something different, and machines that grow.

What-ifs that reviewers of the series asked about, or that its history has: tables allocated before
the window (the PREEMPT_RT threads, instead of GFP_ATOMIC), several CPUs with noabort that split,
blocks that stay because CPUs without noabort stay off; v6.18-rc with a barrier behind every entry,
v6 of the series with a visit of every new PTE.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from simbbm.field.cost.tables import GRANULES, KINDS, Blocks, Span, map_memory
from simbbm.field.cost.timed import AT_ONCE, REVISITED
from simbbm.field.cost.window import Machine

GROWING_GIB = (16, 32, 64, 128, 256, 512, 1024)
GROWING_CPUS = (2, 4, 8, 16, 32, 64, 128, 192)


class Case(NamedTuple):
    """A machine that is looked at, and why."""

    about: str
    """Which comparison it belongs to."""
    name: str
    """What it is called there."""
    machine: Machine
    splits: bool = True
    """False: all stays as it is."""


def what_ifs(machine: Machine, lacking: int) -> Iterator[Case]:
    """The machine with something different; `lacking` CPUs are without noabort."""
    able = machine.cpus - lacking
    about = "what if"
    yield Case(about, "preallocation", machine._replace(preallocated=True))
    for splitters in sorted({2, able} - {0, 1}):
        if splitters <= able:
            yield Case(about, f"splitters={splitters}", machine._replace(splitters=splitters))
    yield Case(about, AT_ONCE, machine._replace(protocol=AT_ONCE))
    yield Case(about, REVISITED, machine._replace(protocol=REVISITED))
    yield Case(about, "blocks-kept", machine._replace(cpus=able), splits=False)


def told(name: str, machine: Machine, lacking: int) -> str:
    """A what-if in words."""
    before, _, number = name.partition("=")
    return {
        "preallocation": "tables allocated before the window",
        "splitters": f"{number} CPUs with noabort split",
        AT_ONCE: "a barrier behind every entry (v6.18-rc)",
        REVISITED: "new PTEs are visited (v6)",
        "blocks-kept": f"blocks stay, {lacking} of {machine.cpus} CPUs stay off",
    }[before]


def by_ram(machine: Machine) -> Iterator[Case]:
    """Machines with more and more RAM."""
    for gib in GROWING_GIB:
        blocks = map_memory([Span(0, gib << 30)], machine.granule)
        yield Case("RAM", f"{gib} GiB", machine._replace(blocks=blocks))


def by_cpus(machine: Machine) -> Iterator[Case]:
    """Machines with more and more CPUs."""
    for cpus in GROWING_CPUS:
        yield Case("CPUs", f"{cpus} CPUs", machine._replace(cpus=cpus))


def by_granule(machine: Machine) -> Iterator[Case]:
    """The same RAM in pages of all sizes."""
    ram = Span(0, machine.blocks.bytes(machine.granule))
    for granule in GRANULES:
        blocks = map_memory([ram], granule)
        yield Case("page size", granule, machine._replace(granule=granule, blocks=blocks))


def by_mix(machine: Machine) -> Iterator[Case]:
    """The same RAM, mapped by leaves that are smaller from the start."""
    ram = Span(0, machine.blocks.bytes(machine.granule))
    seen: set[Blocks] = set()
    for largest in KINDS:
        blocks = map_memory([ram], machine.granule, largest=largest)
        if blocks not in seen:
            seen.add(blocks)
            name = f"{largest} at most"
            yield Case("largest leaves", name, machine._replace(blocks=blocks))


def growth(machine: Machine) -> Iterator[Case]:
    """All machines that this one is compared with."""
    for cases in (by_ram, by_cpus, by_granule, by_mix):
        yield from cases(machine)
