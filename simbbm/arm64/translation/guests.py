"""The MMU of a CPU that runs guests under stage 2, as a value, and how moves change it.

It consists of two MMUs of one stage (`mmu`): the guest's, whose leaves lead to intermediate
physical pages, and stage 2 as a regime of its own, whose addresses these are. Closed under walking
each for itself, they imply every combined entry that can be made now; the value keeps those
combined ones that cannot be made any more (R30).

At EL2 the EL1&0 regime is out of context: nothing walks, so what is held of each VMID is parked as
it is, and only TLBIs change it. The return to EL1 takes up what is parked of the VMID in
VTTBR_EL2 (R31, R32).

Simplified: CPUs under stage 2 have no TLB in common and update no descriptors (`require_guests`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from simbbm.arm64.features import Hardware
from simbbm.arm64.geometry import Geometry
from simbbm.arm64.registers import WALKS_NOTHING, Regime, Register
from simbbm.arm64.translation.guest_mmu import GuestMmu, Leaves, Parked, remaining
from simbbm.arm64.translation.memory import Tables
from simbbm.arm64.translation.mmu import Mmu, Mmus, ordered
from simbbm.arm64.translation.stage2 import TwoStageView, all_combined
from simbbm.arm64.translation.tlb import BY_IPA, Cached, LeafEntry, Stage2Entry, Tlbi
from simbbm.arm64.translation.view import View, build_view
from simbbm.arm64.translation.walks import EarlyFault, merged, without


class GuestMmus(Mmus):
    """Makes and changes MMU values where some are under stage 2."""

    def __init__(self, geometry: Geometry, hardware: Hardware) -> None:
        super().__init__(geometry, hardware)
        self._guests: dict[tuple[object, ...], GuestMmu] = {}

    def start(
        self,
        regime: Regime,
        tables: Tables,
        el: int = 1,
        leaves: tuple[LeafEntry, ...] = (),
    ) -> Mmu:
        """An MMU that has been running under `regime` for a while, or is at EL2."""
        if not regime.vttbr:
            return super().start(regime, tables, leaves=leaves)
        host = self._host(regime, (), self.hardware.evictions)
        return host if el == 2 else self.at_level(host, tables, el)

    def forget(self) -> None:
        """Drop the pool."""
        super().forget()
        self._guests.clear()

    def _forget_views(self) -> None:
        super()._forget_views()
        for mmu in self._guests.values():
            mmu.views.clear()

    def _built(self, mmu: Mmu, tables: Tables) -> View:
        if not isinstance(mmu, GuestMmu):
            return super()._built(mmu, tables)
        if mmu.stage2 is None:
            return build_view(self.geometry, self.hardware, WALKS_NOTHING, (), (), tables)
        one, two = self.view(self._stage1(mmu), tables), self.view(mmu.stage2, tables)
        held = [*mmu.combined, *self._implied(one, two, mmu.vmid)]
        self._views.entries += len(held)
        return TwoStageView(mmu.regime, one, two, merged(self.geometry, held), mmu.vmid)

    def _implied(self, one: View, two: View, vmid: int) -> list[LeafEntry]:
        """The combined entries that walks make."""
        if not self.hardware.closure:
            return []
        return all_combined(self.geometry, one.leaves, two.leaves, vmid)

    def walked(self, mmu: Mmu, tables: Tables) -> Leaves:
        """What walks of these tables by the newest registers lead to, through both stages."""
        ones = super().walked(mmu, tables)
        if not isinstance(mmu, GuestMmu):
            return ones
        stage2 = self.start(mmu.regime.vttbr[-1].regime, tables)
        twos = super().walked(stage2, tables)
        return tuple(all_combined(self.geometry, ones, twos, mmu.vmid))

    # Registers and exception levels

    def written(self, mmu: Mmu, tables: Tables, name: str, value: Register) -> Mmu:
        """After an MSR; at EL2 nothing walks by the new value or the old."""
        if not isinstance(mmu, GuestMmu):
            return super().written(mmu, tables, name, value)
        if mmu.stage2 is None:
            at_once = not self.hardware.late_registers
            regime = mmu.regime.written(name, value, at_once=at_once)
            host = self._host(regime, mmu.parked, mmu.evictions)
            if "out-of-context" in self.hardware.ablations:
                return self.at_level(self.at_level(host, tables, 1), tables, 2)
            return host
        first = super().written(self._stage1(mmu), tables, name, value)
        return self._changed(mmu, tables, tables, first, mmu.stage2)

    def synchronised(self, mmu: Mmu, tables: Tables) -> Mmu:
        """After a context synchronisation event."""
        if not isinstance(mmu, GuestMmu):
            return super().synchronised(mmu, tables)
        if mmu.stage2 is None:
            return self._host(mmu.regime.synchronised(), mmu.parked, mmu.evictions)
        first = super().synchronised(self._stage1(mmu), tables)
        second = super().synchronised(mmu.stage2, tables)
        forget = "invalid-not-cached" not in self.hardware.ablations
        early = () if forget else mmu.early_leaves
        return self._changed(mmu, tables, tables, first, second, early)

    def at_level(self, mmu: Mmu, tables: Tables, el: int) -> Mmu:
        """After exception entry to, or return to, an exception level."""
        if not isinstance(mmu, GuestMmu) or (el == 2) == (mmu.stage2 is None):
            return self.synchronised(mmu, tables)
        regime = mmu.regime.synchronised()
        if mmu.stage2 is not None:
            own = self._parked(mmu, tables)
            return self._host(regime, (*mmu.parked, *own), mmu.evictions)
        vttbr = regime.vttbr[-1]
        nothing = Parked(vttbr.vmid, (), (), (), (), ())
        held = next((p for p in mmu.parked if p.vmid == vttbr.vmid), nothing)
        first = self._canonical(regime, held.tables, held.leaves, (), (), mmu.evictions, tables)
        second = self._canonical(
            vttbr.regime, held.stage2_tables, held.stage2_leaves, (), (), 0, tables
        )
        others = tuple(p for p in mmu.parked if p.vmid != vttbr.vmid)
        return self._guest(first, second, held.combined, (), others, tables)

    def settled(self, mmu: Mmu, tables: Tables, name: str) -> Mmu:
        """Concrete mode: one register's newest value takes effect before a synchronisation."""
        if not isinstance(mmu, GuestMmu):
            return super().settled(mmu, tables, name)
        if mmu.stage2 is None:
            regime = mmu.regime._replace(**{name: getattr(mmu.regime, name)[-1:]})
            return self._host(regime, mmu.parked, mmu.evictions)
        first = super().settled(self._stage1(mmu), tables, name)
        return self._changed(mmu, tables, tables, first, mmu.stage2)

    # Early results

    def without_early(self, mmu: Mmu, *, marked_only: bool = False) -> Mmu:
        """Early results are dropped: all of them, or those that the next barrier drops."""
        if not isinstance(mmu, GuestMmu):
            return super().without_early(mmu, marked_only=marked_only)
        if mmu.stage2 is None:
            return mmu
        first = super().without_early(self._stage1(mmu), marked_only=marked_only)
        second = super().without_early(mmu.stage2, marked_only=marked_only)
        early = mmu.early_leaves if marked_only else ()
        return self._made(first, second, mmu.combined, early, mmu.parked)

    def without_early_faults(self, mmu: Mmu) -> Mmu:
        """ETS2: drop early faults, since an access has been performed after them (R17)."""
        if not isinstance(mmu, GuestMmu):
            return super().without_early_faults(mmu)
        if mmu.stage2 is None:
            return mmu
        first = super().without_early_faults(self._stage1(mmu))
        second = super().without_early_faults(mmu.stage2)
        return self._made(first, second, mmu.combined, mmu.early_leaves, mmu.parked)

    def early_faults_behind(
        self, mmu: Mmu, tables: Tables, page: int
    ) -> list[tuple[int, EarlyFault]]:
        """Early faults of stage 2 that an access to a page may have met, each with its IPA."""
        if not isinstance(mmu, GuestMmu) or mmu.stage2 is None or not mmu.stage2.early_faults:
            return []
        view = self.view(mmu, tables)
        assert isinstance(view, TwoStageView)
        faults = mmu.stage2.early_faults
        ipas = view.ipas(page)
        return [(ipa, f) for ipa in ipas for f in faults if f.va <= ipa < f.va + f.pages]

    # TLBIs

    def invalidated(self, mmu: Mmu, tables: Tables, tlbi: Tlbi) -> Mmu:
        """After a TLBI has acted: on entries of its scope, held or parked (R30, R31)."""
        if not isinstance(mmu, GuestMmu):
            return super().invalidated(mmu, tables, tlbi)
        every_vmid = "vmid" in self.hardware.ablations
        parked = tuple(
            p.without(tlbi._replace(vmid=p.vmid) if every_vmid else tlbi, self.geometry)
            for p in mmu.parked
        )
        tlbi = tlbi._replace(vmid=mmu.vmid) if every_vmid else tlbi
        if mmu.stage2 is None:
            return self._host(mmu.regime, parked, mmu.evictions)
        stage1 = first = self._stage1(mmu)
        second, view = mmu.stage2, self.view(mmu, tables)
        held = (*view.leaves,)
        if tlbi.has_vmid(mmu.vmid):
            held = remaining(held, tlbi, self.geometry)
            if own := tlbi.at_stage1():
                first = self._purged(first, tables, own)
            if own := tlbi.at_stage2():
                second = self._purged(second, tables, own)
        after = self._guest(first, second, held, mmu.early_leaves, parked, tables)
        if not self.hardware.early or after is mmu:
            return after
        lost = without(self.geometry, view.leaves, self.view(after, tables).leaves)
        early = ordered(merged(self.geometry, [*mmu.early_leaves, *lost]))
        first = self._with_faults_lost(stage1, first, tables)
        second = self._with_faults_lost(mmu.stage2, second, tables)
        return self._made(first, second, after.combined, early, parked)

    def _with_faults_lost(self, before: Mmu, after: Mmu, tables: Tables) -> Mmu:
        faults = ordered({*before.early_faults, *self._faults_lost(before, after, tables)})
        return self._make(after.regime, after.tables, after.leaves, (), faults, after.evictions)

    def completed(self, mmu: Mmu, tlbi: Tlbi) -> Mmu:
        """After another CPU's broadcast TLBI completed here (R9, R10)."""
        if not isinstance(mmu, GuestMmu):
            return super().completed(mmu, tlbi)
        if mmu.stage2 is None or not tlbi.has_vmid(mmu.vmid):
            return mmu
        first, second = self._stage1(mmu), mmu.stage2
        early = ordered(set(remaining(mmu.early_leaves, tlbi, self.geometry)))
        if tlbi.op in BY_IPA and not self.hardware.combined_entries:
            early = ()
        if own := tlbi.at_stage1():
            first = super().completed(first, own)
        if own := tlbi.at_stage2():
            second = super().completed(second, own)
        return self._made(first, second, mmu.combined, early, mmu.parked)

    # Stores, walks

    def observed(self, mmu: Mmu, before: Tables, after: Tables, baddr: int) -> Mmu:
        """After a store to a table of either stage: what was valid may still be held (R2)."""
        if not isinstance(mmu, GuestMmu):
            return super().observed(mmu, before, after, baddr)
        if mmu.stage2 is None or not self.hardware.closure:
            return mmu
        first, second = self._stage1(mmu), mmu.stage2
        if not (self.view(first, before).places(baddr) or self.view(second, before).places(baddr)):
            return mmu
        first = super().observed(first, before, after, baddr)
        second = super().observed(second, before, after, baddr)
        return self._changed(mmu, before, after, first, second)

    def entries(self, mmu: Mmu) -> tuple[Cached, ...]:
        """Concrete mode: every entry that may be evicted."""
        if not isinstance(mmu, GuestMmu) or mmu.stage2 is None:
            return super().entries(mmu)
        of_stage2 = map(Stage2Entry, super().entries(mmu.stage2))  # type: ignore[arg-type]
        return (*super().entries(mmu), *mmu.combined, *of_stage2)

    def filled(self, mmu: Mmu, entry: Cached) -> Mmu:
        """Concrete mode: a walk cached one more entry; `mmu` itself if it was there already."""
        if not isinstance(mmu, GuestMmu):
            return super().filled(mmu, entry)
        assert mmu.stage2 is not None
        first, second, held = self._stage1(mmu), mmu.stage2, mmu.combined
        if isinstance(entry, Stage2Entry):
            second = super().filled(second, entry.entry)
        elif isinstance(entry, LeafEntry) and entry.vmid:
            if self.hardware.combined_entries:
                held = ordered({*held, entry})
        else:
            first = super().filled(first, entry)
        return self._made(first, second, held, mmu.early_leaves, mmu.parked)

    def evicted(self, mmu: Mmu, entry: Cached) -> Mmu:
        """Concrete mode: an entry was evicted."""
        if not isinstance(mmu, GuestMmu):
            return super().evicted(mmu, entry)
        assert mmu.stage2 is not None
        first, second = super().evicted(self._stage1(mmu), entry), mmu.stage2
        if isinstance(entry, Stage2Entry):
            second = super().evicted(second, entry.entry)
        held = tuple(e for e in mmu.combined if e != entry)
        return self._made(first, second, held, mmu.early_leaves, mmu.parked)

    # Making values

    def _stage1(self, mmu: GuestMmu) -> Mmu:
        """The guest's stage 1 as an MMU of its own."""
        faults = mmu.early_faults
        return self._make(mmu.regime, mmu.tables, mmu.leaves, (), faults, mmu.evictions)

    def _parked(self, mmu: GuestMmu, tables: Tables) -> tuple[Parked, ...]:
        """What is held of the VMID in use, to be parked; nothing if that is nothing."""
        view = self.view(mmu, tables)
        assert isinstance(view, TwoStageView)
        one, two = view.stage1, view.stage2
        own = Parked(mmu.vmid, one.tables, one.leaves, view.leaves, two.tables, two.leaves)
        return (own,) if any(own[1:]) else ()

    def _changed(
        self,
        mmu: GuestMmu,
        before: Tables,
        tables: Tables,
        first: Mmu,
        second: Mmu,
        early: Leaves | None = None,
    ) -> Mmu:
        """Both stages as they are now; every combined entry that was held stays held."""
        held = self.view(mmu, before).leaves
        early = mmu.early_leaves if early is None else early
        return self._guest(first, second, held, early, mmu.parked, tables)

    def _guest(
        self,
        first: Mmu,
        second: Mmu,
        held: Iterable[LeafEntry],
        early: Leaves,
        parked: tuple[Parked, ...],
        tables: Tables,
    ) -> GuestMmu:
        """The canonical value, without combined entries that walks imply."""
        if not self.hardware.combined_entries:
            held = ()
        elif self.hardware.closure:
            one, two = self.view(first, tables), self.view(second, tables)
            implied = self._implied(one, two, first.regime.vttbr[-1].vmid)
            held = without(self.geometry, held, implied)
        return self._made(first, second, ordered(set(held)), early, parked)

    def _host(self, regime: Regime, parked: Sequence[Parked], evictions: int) -> GuestMmu:
        """The value at EL2."""
        return self._kept(GuestMmu(regime, (), (), (), (), evictions, parked=(*parked,)))

    def _made(
        self, first: Mmu, second: Mmu, held: Leaves, early: Leaves, parked: Sequence[Parked]
    ) -> GuestMmu:
        """The value while a guest runs."""
        of_stage1 = first.regime, first.tables, first.leaves, early, first.early_faults
        both = {"stage2": second, "combined": held, "parked": (*parked,)}
        return self._kept(GuestMmu(*of_stage1, first.evictions, **both))  # type: ignore[arg-type]

    def _kept(self, made: GuestMmu) -> GuestMmu:
        """The interned value that is equal; where nothing is parked of a VMID, it is not named."""
        made.parked = ordered(p for p in made.parked if any(p[1:]))
        early = made.early_leaves, made.early_faults
        k = (made.regime, made.tables, made.leaves, early, made.evictions)
        return self._guests.setdefault((*k, made.stage2, made.combined, made.parked), made)
