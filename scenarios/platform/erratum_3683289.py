"""Erratum 3683289: a live size change on a CPU that promises to stand it may livelock.

C1-Ultra and C1-Premium tolerate block and page for one address without an abort (BBML2_NOABORT);
before r1p1 an access that meets both may be tried for ever. It ends when one of the two is
invalidated; so it is for ever if the access is of the CPU that is to do so, which works through the
map that it changes. With break-before-make nobody meets both.

An open question about today's code: what if such a core were on the list of those that promise it?
Found: the boot CPU hangs in the middle of the split, before it comes to its TLBI (`listed`), where
the map has more to split than one block (with `-p layout=pmd` it looks at nothing in between).
Linux lists those of r1p1 and later alone (July 2026); for the others it maps pages from the start.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from simbbm_scenarios import bbm_minimal
from simbbm_scenarios import linear_map_split as merged

from simbbm import KERNEL_PAGE, Cpu, Descriptor, Range, Setup, routine, scenario
from simbbm.linux.layout import LayoutName

ERRATA = ("3683289",)


@routine
async def look_at_the_map(cpu: Cpu) -> None:
    """The CPU that changes the map works through it."""
    await cpu.ldr(bbm_minimal.X)


@routine
async def change_live(cpu: Cpu, new: Descriptor) -> None:
    """As for BBM level 2: the entry is replaced, and then invalidated."""
    await cpu.str(bbm_minimal.PMD_VA, new)
    await cpu.dsb("ishst")
    await look_at_the_map(cpu)
    await cpu.tlbi("vaae1is", KERNEL_PAGE)
    await cpu.tlbi("vaae1is", KERNEL_PAGE + 1)
    await cpu.dsb("ish")
    await cpu.isb()


@scenario(evidence="proved")
def good(
    *,
    erratum: Literal["yes", "no"] = "yes",
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """With break-before-make nobody meets both sizes: CPUs with the erratum get on."""
    setup = bbm_minimal.good.setup({"noabort": "all", "hardware": hardware})
    errata = ERRATA if erratum == "yes" else ()
    cpus = (cpu._replace(features=cpu.features._replace(errata=errata)) for cpu in setup.cpus)
    return replace(setup, cpus=tuple(cpus))


live_change = good.twin(
    "A live change: the CPU that makes it meets both sizes before its TLBI, and hangs.",
    expect="STUCK:terminates",
    replace={bbm_minimal.change: change_live},
)

live_change_without_erratum = live_change.twin(
    "The same on CPUs without the erratum is harmless.",
    expect="HOLDS",
    erratum="no",
)

no_look_at_the_map = live_change.twin(
    "Somebody else who meets both sizes gets on once the TLBI has come.",
    expect="HOLDS",
    drop=["look_at_the_map.ldr"],
)


@scenario(expect="STUCK:terminates")
def listed(
    *,
    cpus: Annotated[int, Range(2, 8)] = 2,
    layout: LayoutName = "contpmd",
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """Open question: the merged protocol, were a boot CPU with the erratum on the list, hangs."""
    setup = merged.good.setup({"cpus": cpus, "layout": layout, "hardware": hardware})
    boot, *others = setup.cpus
    affected = boot._replace(features=boot.features._replace(errata=ERRATA))
    return replace(setup, cpus=(affected, *others))
