"""TLBs that CPUs have in common (FEAT_TTCNP): SMT siblings, or as the architecture has it, anybody.

With TTBR.CnP set a CPU says that its tables are those of every other CPU in the Inner Shareable
domain whose TTBR has it set too. Then each may use what the others have cached: not only what the
tables say now, but also what they said before, until it is invalidated where it is held. Here it
takes that over as its own, at once, so that another CPU's local TLBI does not take it away again
(more behaviours than with one structure for both). Only what a broadcast TLBI is about to take from
the other, and has taken from this CPU already, is not taken over: it would never be complete. To
use such an entry this CPU might as well have acted on the TLBI later.

CPUs share half by half, where the TTBRs of both have CnP and the same table: what is global, and
what is of an ASID that the one who gets it runs under.

Simplified: entries that a CPU holds for this half since it had another table are shared as well
(more behaviours), old ones that it reaches from a table of its own are not (fewer). CnP with
different tables under one ASID is CONSTRAINED UNPREDICTABLE: what is got then is not shown (fewer);
that it comes to that, a property says (`one_table_under_cnp`).
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
"""Numbers of the CPUs that have a TLB in common."""


def groups(cpus: Sequence[CpuSpec]) -> Groups:
    """Who shares with whom on a machine."""

    def tlb(number: int) -> int:
        return cpus[number].features.tlb

    members = (tuple(g) for n, g in groupby(sorted(range(len(cpus)), key=tlb), key=tlb) if n)
    return tuple(g for g in members if len(g) > 1)


def without_effect(cpus: Sequence[CpuSpec], common: Groups) -> str | None:
    """What to tell of CPUs that start with CnP set and share with nobody, if there are any."""
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


def in_common(one: Regime, other: Regime) -> Halves:
    """What two CPUs may share."""
    return _alike(one.ttbr0, other.ttbr0), _alike(one.ttbr1, other.ttbr1)


def _alike(one: Iterable[Ttbr], other: Iterable[Ttbr]) -> bool:
    return not {t.baddr for t in one if t.cnp}.isdisjoint(t.baddr for t in other if t.cnp)


def shares(regime: Regime) -> bool:
    """Whether a CPU may share anything now."""
    return any(in_common(regime, regime))


def share(
    mmus: Mmus, pool: CpuPool, cpus: list[CpuState], tables: Tables, common: Groups
) -> list[CpuState]:
    """Give every CPU what the others of its group hold, if their registers allow it."""
    cpus = list(cpus)
    for group in common:
        changed = True
        while changed:
            changed = False
            for i, j in permutations(group, 2):
                own, other = cpus[i].mmu, cpus[j].mmu
                halves = in_common(own.regime, other.regime)
                if any(halves):
                    mmu = mmus.joined(own, other, tables, halves, _doomed(cpus[i], cpus[j]))
                    if mmu is not own:
                        cpus[i] = pool.change(cpus[i], mmu=mmu)
                        changed = True
    return cpus


def _doomed(own: CpuState, other: CpuState) -> tuple[Tlbi, ...]:
    """Broadcast TLBIs that this CPU has acted on, and the other has not."""
    waiting = (p for p in dict.fromkeys(other.inbox) if p.tlbi.broadcast and not p.acted)
    return tuple(p.tlbi for p in waiting if other.inbox.count(p) > own.inbox.count(p))
