"""What the MMU of a CPU under stage 2 holds, as values (`guests` changes them)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from simbbm.arm64.geometry import Geometry
from simbbm.arm64.translation.mmu import Mmu
from simbbm.arm64.translation.tlb import LeafEntry, TableEntry, Tlbi
from simbbm.core.values import Encoded, encode

Leaves = tuple[LeafEntry, ...]


def remaining(leaves: Leaves, tlbi: Tlbi, geometry: Geometry) -> Leaves:
    """What a TLBI leaves of some leaves."""
    return tuple(part for entry in leaves for part in tlbi.remainder(entry, geometry))


class Parked(NamedTuple):
    """What a CPU holds of a VMID while nothing walks for it."""

    vmid: int
    tables: tuple[TableEntry, ...]
    leaves: Leaves
    combined: Leaves
    stage2_tables: tuple[TableEntry, ...]
    stage2_leaves: Leaves

    def without(self, tlbi: Tlbi, geometry: Geometry) -> Parked:
        """After a TLBI."""
        if not tlbi.has_vmid(self.vmid):
            return self
        stage1 = _without(self.tables, self.leaves, tlbi.at_stage1(), geometry)
        stage2 = _without(self.stage2_tables, self.stage2_leaves, tlbi.at_stage2(), geometry)
        return Parked(self.vmid, *stage1, remaining(self.combined, tlbi, geometry), *stage2)


def _without(
    tables: tuple[TableEntry, ...], leaves: Leaves, tlbi: Tlbi | None, geometry: Geometry
) -> tuple[tuple[TableEntry, ...], Leaves]:
    """What a TLBI leaves of the entries of one stage."""
    if tlbi is None:
        return tables, leaves
    kept = tuple(entry for entry in tables if not tlbi.matches_table(entry, geometry))
    return kept, remaining(leaves, tlbi, geometry)


@dataclass(eq=False, slots=True)
class GuestMmu(Mmu):
    """An interned value: compare by identity. `tables` and `leaves` are of stage 1."""

    stage2: Mmu | None = None
    """Stage 2 of the VMID in use; None: this CPU is at EL2."""
    combined: Leaves = ()
    parked: tuple[Parked, ...] = ()

    @property
    def vmid(self) -> int:
        """The VMID that was written last."""
        return self.regime.vttbr[-1].vmid

    @property
    def holds_nothing(self) -> bool:
        """Whether there is nothing that a TLBI could invalidate or mark."""
        own = (self.tables, self.leaves, self.combined, self.early_leaves, self.early_faults)
        stage2 = self.stage2 is None or self.stage2.holds_nothing
        return stage2 and not any(own) and not self.parked

    def content(self) -> Encoded:
        """Everything that identifies it, encoded once: many states share it."""
        if self._content is None:
            stage2 = self.stage2.content() if self.stage2 else None
            parts = (self.combined, self.parked, self.evictions)
            of_stage1 = (self.regime, self.tables, self.leaves)
            early = (self.early_leaves, self.early_faults)
            self._content = Encoded(encode((of_stage1, early, stage2, parts)))
        return self._content
