"""*Sometimes* properties: kinds of states that are counted, to show that a proof has content."""

from __future__ import annotations

from collections.abc import Mapping

from simbbm.arm64.cpu import CpuState
from simbbm.arm64.descriptor import Descriptor
from simbbm.arm64.geometry import Geometry
from simbbm.arm64.registers import Regime
from simbbm.arm64.state import AllButOne, Landmark
from simbbm.arm64.translation.memory import Tables
from simbbm.check.properties import large_leaf
from simbbm.linux.layout import Layout


def parked_amid_split(geometry: Geometry, at: Layout) -> dict[str, Landmark]:
    """All CPUs but one have the reserved table in TTBR1, and the linear map is half split.

    Half split: changed, and with large leaves left to split. Returns one landmark, for
    `Setup.landmarks`, of the kernel that is laid out `at` these addresses with tables of this
    `geometry`.
    """
    reserved = at.kernel.reserved_pg_dir
    return split_while_parked(geometry, at.regime, at.tables, at.repainted, reserved)


def split_while_parked(
    geometry: Geometry,
    regime: Regime,
    tables: Mapping[int, tuple[Descriptor, ...]],
    ranges: tuple[tuple[int, int], ...],
    reserved: int,
) -> dict[str, Landmark]:
    """The same of a machine that begins with these `tables`, whose `ranges` are to be split."""
    judged: dict[Tables, bool] = {}

    def half_split(now: Tables) -> bool:
        if now not in judged:
            changed = any(now.by_address[a].entries != old for a, old in tables.items())
            left = large_leaf(geometry, regime, now, ranges)
            judged[now] = changed and left is not None
        return judged[now]

    def parked(pe: CpuState) -> bool:
        return all(ttbr.baddr == reserved for ttbr in pe.mmu.regime.ttbr1)

    return {"others parked, map half split": AllButOne(half_split, parked)}
