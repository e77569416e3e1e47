"""Shared TLBs (FEAT_TTCNP, TTBR.CnP): between SMT siblings or, architecturally, any CPUs.

With TTBR.CnP set a CPU says that its tables are those of every other CPU in the Inner Shareable
domain whose TTBR has it set too. Then each may use entries that the others have cached, stale ones
too, until these are invalidated where they are held. Here it copies them at once, so that another
CPU's local TLBI does not remove the copy (more behaviours than with one structure for both). Not
copied are entries that a broadcast TLBI has removed here and will still remove there: else it would
never complete. No behaviour is lost, since the TLBI may act on this CPU later.

CPUs share each half of the address space in which both TTBRs have CnP and the same table: global
entries, and those of an ASID that the receiving CPU uses.

Simplified: entries that a CPU holds for this half since it had another table are shared as well
(more behaviours), old ones that it reaches from a table of its own are not (fewer). CnP with
different tables under one ASID is CONSTRAINED UNPREDICTABLE: what an access gets then is not
modelled (fewer); the property `one_table_under_cnp` reports that it happens.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby, permutations

from simbbm.arm64.cpu import CpuPool, CpuSpec, CpuState
from simbbm.arm64.registers import Regime, Ttbr
from simbbm.arm64.translation.memory import Tables
from simbbm.arm64.translation.mmu import Halves, Mmus
from simbbm.arm64.translation.tlb import Tlbi

Groups = tuple[tuple[int, ...], ...]
"""Numbers of the CPUs that share a TLB, group by group."""


def groups(cpus: Sequence[CpuSpec]) -> Groups:
    """The groups of CPUs that share a TLB."""

    def tlb(number: int) -> int:
        return cpus[number].features.tlb

    members = (tuple(g) for n, g in groupby(sorted(range(len(cpus)), key=tlb), key=tlb) if n)
    return tuple(g for g in members if len(g) > 1)


def without_effect(cpus: Sequence[CpuSpec], common: Groups) -> str | None:
    """A remark on CPUs that start with CnP set and share with no other CPU, if there are any."""
    sharing = {n for group in common for n in group}
    idle = [
        f"cpu{n}"
        for n, cpu in enumerate(cpus)
        if n not in sharing and any(t.cnp for t in (*cpu.regime.ttbr0, *cpu.regime.ttbr1))
    ]
    if not idle:
        return None
    return (
        f"CnP is set in a TTBR of {', '.join(idle)} and has no effect: no other CPU has a TLB in "
        "common with it (Features.tlb)"
    )


def common_halves(one: Regime, other: Regime) -> Halves:
    """The halves of the address space whose entries two CPUs may share."""
    return _alike(one.ttbr0, other.ttbr0), _alike(one.ttbr1, other.ttbr1)


def _alike(one: Iterable[Ttbr], other: Iterable[Ttbr]) -> bool:
    return not {t.baddr for t in one if t.cnp}.isdisjoint(t.baddr for t in other if t.cnp)


def shares(regime: Regime) -> bool:
    """Whether a CPU may share anything now."""
    return any(common_halves(regime, regime))


def share(
    mmus: Mmus, pool: CpuPool, cpus: list[CpuState], tables: Tables, common: Groups
) -> list[CpuState]:
    """Give every CPU the entries of the others in its group, as far as CnP allows it."""
    cpus = list(cpus)
    for group in common:
        changed = True
        while changed:
            changed = False
            for i, j in permutations(group, 2):
                own, other = cpus[i].mmu, cpus[j].mmu
                halves = common_halves(own.regime, other.regime)
                if any(halves):
                    mmu = mmus.with_shared_entries(
                        own, other, tables, halves, _doomed(cpus[i], cpus[j])
                    )
                    if mmu is not own:
                        cpus[i] = pool.change(cpus[i], mmu=mmu)
                        changed = True
    return cpus


def _doomed(own: CpuState, other: CpuState) -> tuple[Tlbi, ...]:
    """Broadcast TLBIs that this CPU has acted on, and the other has not."""
    waiting = (p for p in dict.fromkeys(other.pending_tlbis) if p.tlbi.broadcast and not p.acted)
    return tuple(
        p.tlbi
        for p in waiting
        if isinstance(p.tlbi, Tlbi) and other.pending_tlbis.count(p) > own.pending_tlbis.count(p)
    )
