"""Mistakes whose effect comes late: unrelated instructions lie between cause and effect.

The same protocol and the same mutants as in `linear_map_split`, but every CPU does something else
for `distance` instructions in four places: once its TLB is clean, before it fills and links a
table, before the repaint, and before the release. All that while hardware has to hold back, or
another CPU has to stand still, for a mistake to show. A walk that picks uniformly among what is
possible lets it catch up nearly always; so these twins tell strategies apart.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal, NamedTuple

from simbbm_scenarios import linear_map_split as near

from simbbm import (
    Cpu,
    Descriptor,
    Range,
    Scenario,
    Setup,
    edits,
    routine,
    scenario,
)
from simbbm.linux.kernel import Kernel
from simbbm.linux.mmu import release_secondaries, repaint
from simbbm.linux.pgtable import fill_table
from simbbm.linux.proc import idmap_cpu_set_reserved_ttbr1


class DistantKernel(NamedTuple):
    """A kernel as its functions know it, and how much else there is to do."""

    kernel: Kernel
    distance: int

    def __getattr__(self, name: str) -> Any:
        return getattr(self.kernel, name)


@routine
async def something_else(cpu: Cpu, distance: int) -> None:
    """Instructions that have nothing to do with any of it."""
    for _ in range(distance):
        await cpu.nop()


@routine
async def leave_swapper_early(cpu: Cpu, k: Any) -> None:
    """S7, long before S8."""
    await idmap_cpu_set_reserved_ttbr1(cpu, k)
    await something_else(cpu, k.distance)


@routine
async def repaint_late(cpu: Cpu, k: Any) -> None:
    """B3, long after B2."""
    await something_else(cpu, k.distance)
    await repaint(cpu, k)


@routine
async def fill_table_early(cpu: Cpu, k: Any, child: int, block: Descriptor, stride: int) -> None:
    """A new table's entries, long before it is linked."""
    await fill_table(cpu, k, child, block, stride)
    await something_else(cpu, k.distance)


@routine
async def release_late(cpu: Cpu, k: Any) -> None:
    """B5, long after B4."""
    await something_else(cpu, k.distance)
    await release_secondaries(cpu, k)


@scenario()
def spread_out(
    *,
    cpus: Annotated[int, Range(2, 16)] = 3,
    layout: Literal["mixed", "pmd", "contpmd", "pud"] = "pmd",
    hardware: Literal["delayed", "eager"] = "delayed",
    distance: Annotated[int, Range(0, 64)] = 20,
) -> Setup:
    """The merged protocol, with something else to do between its steps."""
    setup = near.good.setup({"cpus": cpus, "layout": layout, "hardware": hardware})
    return replace(
        setup,
        cpus=tuple(
            cpu._replace(args=tuple(DistantKernel(k, distance) for k in cpu.args))
            for cpu in setup.cpus
        ),
    )


good = replace(
    spread_out,
    edits=edits(
        {
            idmap_cpu_set_reserved_ttbr1: leave_swapper_early,
            repaint: repaint_late,
            fill_table: fill_table_early,
            release_secondaries: release_late,
        }
    ),
)
del spread_out


def _deep(twin: Scenario, layout: str = "pmd") -> Scenario:
    """The same mistake in the protocol that is spread out; where both swap a routine, it wins."""
    what, _, origin = twin.story.rpartition(" (")
    story = f"{what}; something else lies between cause and effect ({origin}"
    deep = good.twin(story, expect=str(twin.expect), layout=layout)
    return replace(deep, edits=good.edits.merged(twin.edits))


m07_count_before_switch = _deep(near.m07_count_before_switch)
m08_count_before_tlbi = _deep(near.m08_count_before_tlbi)
m10_no_dsb_after_tlbi = _deep(near.m10_no_dsb_after_tlbi)
m16_m21_release_unpublished = _deep(near.m16_m21_release_unpublished)
m20_no_dsb_before_populate = _deep(near.m20_no_dsb_before_populate, layout="mixed")  # has both DSBs
m21_stores_unpublished = _deep(near.m21_stores_unpublished)
