"""Mistakes whose effect comes late: unrelated instructions lie between cause and effect.

The same protocol and the same mutants as in `linear_map_split`, but every CPU does something else
for `distance` instructions in four places: once its TLB is clean, before it links a table that it
has filled, before the repaint, and between the repaint and the flush with the release behind it.
All that while hardware has to hold back, or another CPU has to stand still, for a mistake to show.
A walk that picks uniformly among what is possible lets it catch up nearly always; so these twins
tell strategies apart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

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
from simbbm.linux.kernel import Kernel, extended
from simbbm.linux.mmu import SplitState, range_split_to_ptes
from simbbm.linux.pgtable import SetEntry, fill_table
from simbbm.linux.proc import idmap_cpu_set_reserved_ttbr1


@dataclass(frozen=True, kw_only=True)
class DistantKernel(Kernel):
    """A kernel, and how much else there is to do."""

    distance: int


@routine
async def something_else(cpu: Cpu, distance: int) -> None:
    """Instructions that have nothing to do with any of it."""
    for _ in range(distance):
        await cpu.nop()


@routine
async def leave_swapper_early(cpu: Cpu, k: DistantKernel) -> None:
    """S7, long before S8."""
    await idmap_cpu_set_reserved_ttbr1(cpu, k)
    await something_else(cpu, k.distance)


@routine
async def fill_table_early(
    cpu: Cpu, k: DistantKernel, entryp: int, first: Descriptor, stride: int, set_entry: SetEntry
) -> None:
    """A new table's entries, long before it is linked."""
    await fill_table(cpu, k, entryp, first, stride, set_entry)
    await something_else(cpu, k.distance)


@routine
async def split_late(
    cpu: Cpu, k: DistantKernel, start: int, end: int, state: SplitState
) -> SplitState:
    """B3, long after B2."""
    await something_else(cpu, k.distance)
    return await range_split_to_ptes(cpu, k, start, end, state)


@routine
async def split_early(
    cpu: Cpu, k: DistantKernel, start: int, end: int, state: SplitState
) -> SplitState:
    """B3, long before B4 and B5."""
    state = await range_split_to_ptes(cpu, k, start, end, state)
    await something_else(cpu, k.distance)
    return state


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
            cpu._replace(
                args=tuple(extended(k, DistantKernel, distance=distance) for k in cpu.args)
            )
            for cpu in setup.cpus
        ),
    )


good = replace(
    spread_out,
    edits=edits(
        {
            idmap_cpu_set_reserved_ttbr1: leave_swapper_early,
            fill_table: fill_table_early,
            "linear_map_split_to_ptes/range_split_to_ptes#1": split_late,
            "linear_map_split_to_ptes/range_split_to_ptes#2": split_early,
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
