"""Two stages of translation: what their entries make together, and lookups through both (R30).

A guest's access goes from a virtual page by stage 1 to an intermediate physical page (IPA), and
from there by stage 2 to a physical one. A CPU may hold entries of either stage alone, and combined
ones, from VA to physical page, made of any two of these.

Simplified: walks of stage 1 read the guest's tables where its descriptors say, as if stage 2 mapped
these to themselves (misses what befalls a guest whose tables' own pages are remapped). Of what
stage 2 permits only writing counts, and of its memory type whether it is normal (fewer behaviours).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from simbbm.arm64.descriptor import Attributes
from simbbm.arm64.geometry import LEAF_LEVEL, Geometry
from simbbm.arm64.registers import Regime
from simbbm.arm64.translation.tlb import Cached, LeafEntry, Stage2Entry
from simbbm.arm64.translation.view import Conflict, Hit, View
from simbbm.arm64.translation.walks import Fault, merged


def both(one: Attributes, two: Attributes) -> Attributes:
    """What two leaves, one of each stage, say together."""
    memory = one.memory if two.memory == "normal" else two.memory
    return one._replace(memory=memory, stage2_write=two.write)


def combined(geometry: Geometry, one: LeafEntry, two: LeafEntry, vmid: int) -> LeafEntry | None:
    """The entry that a leaf of stage 1 and one of stage 2 make; None: they make none.

    It has the smaller of their sizes; a contiguous group is one if both stages map it as a whole.
    """
    first = max(one.page, two.va)
    pages = min(one.page + one.pages(geometry), two.va + two.pages(geometry)) - first
    if pages <= 0:
        return None
    level = max(one.level, two.level)
    fine = [entry for entry in (one, two) if entry.level == level]
    group, contiguous = all(e.group for e in fine), all(e.contiguous for e in fine)
    if (one.group or two.group) and not group:
        return None  # Their own granules make the entry.
    va = one.va + first - one.page
    size = geometry.pages(level) * (geometry.group(level) if group else 1)
    if va % size or pages % size:
        if group:
            return None
        level, contiguous = LEAF_LEVEL, False
    return LeafEntry(
        level,
        va,
        pages // geometry.pages(level),
        two.page + first - two.va,
        both(one.attributes, two.attributes),
        contiguous,
        group,
        one.asid,
        vmid,
        geometry.pages(one.level) * (geometry.group(one.level) if one.group else 1),
    )


def all_combined(
    geometry: Geometry, ones: Iterable[LeafEntry], twos: Iterable[LeafEntry], vmid: int
) -> list[LeafEntry]:
    """The entries that leaves of both stages make, in normal form."""
    listed = [*twos]
    made = (combined(geometry, one, two, vmid) for one in ones for two in listed)
    return merged(geometry, [entry for entry in made if entry])


class TwoStageView(View):
    """What a CPU holds while a guest runs: `leaves` are combined, `tables` those of stage 1."""

    def __init__(
        self, regime: Regime, one: View, two: View, held: Iterable[LeafEntry], vmid: int
    ) -> None:
        parts = one.tables, (*held,), one.kept
        super().__init__(one.geometry, one.hardware, regime, one.memory, *parts)
        self.stage1 = one
        """The same without stage 2: its leaves are from VA to IPA."""
        self.stage2 = two
        """Stage 2 alone: its addresses are IPAs."""
        self.vmid = vmid

    def table_addresses(self) -> list[int]:
        """Every table of either stage that a walk can reach."""
        both_stages = (*super().table_addresses(), *self.stage2.table_addresses())
        return [*dict.fromkeys(both_stages)]

    def _walks(self, page: int) -> list[LeafEntry | Fault]:
        """Where stage 1, by a walk or an entry of its own, and stage 2 behind it lead."""
        results: list[LeafEntry | Fault] = []
        for one in self.stage1.lookup(page):
            if isinstance(one, Fault):
                results.append(one)
                continue
            for two in self.stage2.lookup(one.page):
                if isinstance(two, Fault):
                    results.append(two._replace(ipa=one.page))
                else:
                    results += self._joined(one, two)
        return results

    def _joined(self, one: Hit, two: Hit) -> Iterator[LeafEntry]:
        parts = [hit.entry for hit in (one, two) if hit.entry]
        assert len(parts) == 2, "only a conflict's mixture has no entry"
        first, second = (part._replace(group=False) for part in parts)
        if entry := combined(self.geometry, first, second, self.vmid):
            yield entry

    def ipas(self, page: int) -> list[int]:
        """Every intermediate physical page that an access to a page may come to."""
        hits = self.stage1.lookup(page)
        return [*dict.fromkeys(hit.page for hit in hits if isinstance(hit, Hit))]

    def fills(self, page: int) -> Iterator[Cached]:
        """What one step of a walk may cache: of stage 1, of stage 2, and of both."""
        yield from self.stage1.fills(page)
        for ipa in self.ipas(page):
            yield from map(Stage2Entry, self.stage2.fills(ipa))  # type: ignore[arg-type]
        if self.hardware.combined_entries:
            yield from (entry for entry in self._walks(page) if isinstance(entry, LeafEntry))

    def size_differs(self, page: int) -> bool:
        """Whether held entries for this page, or for where it leads, differ in size."""
        return super().size_differs(page) or any(map(self.stage2.size_differs, self.ipas(page)))

    def size_conflict(self) -> Conflict | None:
        """Two held entries of one kind that can match one address and differ in size."""
        return super().size_conflict() or _of_stage2(self.stage2.size_conflict())

    def output_conflict(self) -> Conflict | None:
        """Two held entries of one kind that can match one address and differ in output or type."""
        return super().output_conflict() or _of_stage2(self.stage2.output_conflict())


def _of_stage2(conflict: Conflict | None) -> Conflict | None:
    return conflict and conflict._replace(stage2=True)


__all__ = ["TwoStageView", "all_combined", "both", "combined"]
