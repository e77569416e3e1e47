"""TLBIs that are pending on one CPU: one acts at once, and alone, where nobody can see when.

A flush that goes page by page leaves many TLBIs pending on every CPU. Each acts at any time until
the issuer's next DSB, so a search would visit each set of those that have. Two kinds of CPU spare
it that; with both, a flush of n pages costs a multiple of n states and not of 2 to the power of 2n.
The argument for each, and the test that is false if a sentence is (in
tests/explore/test_invalidations.py unless another file is named):

*A CPU whose program can do nothing before its own TLBIs have acted on it but issue more*
(`first_of_own`; it waits for them in a DSB, or soon will). Where persistent sets take its moves
alone (`persistent_sets`), that in which the first of them acts is enough:

1. While one of its own TLBIs is pending on it, its DSB does not end, whatever others complete: they
   enable no other move of it. `test_a_dsb_waits_for_own_tlbis_first`,
   `test_a_dsb_that_waits_for_no_tlbi`.
2. Of its program only TLBIs can come before, and none that is equal to a pending one (of equal ones
   at most two are kept). They change nothing here but what is pending. An access, a barrier, a
   fetch that may fault, or a store that is pending, ends the reduction.
   `test_an_access_between_tlbis`, `test_an_isb_between_tlbis`, `test_a_fetch_that_may_fault`,
   `test_a_pending_store`, `test_equal_tlbis`, `test_a_program_that_goes_round_on_tlbis`.
3. Others receive what it issues, and it acts there: that commutes with all that they do if they
   hold nothing which a TLBI could take away, else this CPU is not taken alone; that is so also for
   what it issues later. `test_what_is_issued_later_acts_on_others`.
4. Two of its TLBIs may act in either order, if neither matches a cached table entry: each takes its
   leaves away. If one does, what is below that entry is held for itself once the entry is gone, and
   filled again while it is not; so there is no reduction, also if that one is still to be issued.
   `test_a_tlbi_of_a_table_entry`, `test_a_later_tlbi_of_a_table_entry`.
5. TLBIs of others that are pending here let their issuers go on once they have acted. They are not
   what is taken alone, so others would do more than was looked at: no reduction.
   `test_tlbis_of_others`.
6. States in which the program has gone on, or another TLBI has acted, and the first has not, are
   not visited. In these the CPU holds what it does here, or less. Properties that are *monotone*
   (`Property.monotone`) fail here already if they fail there; others switch the reduction off.
   `test_properties_that_are_not_monotone_switch_it_off`.

*A CPU that holds nothing which a TLBI could take away, mark or wait for, and comes to hold nothing
before this one has acted* (`is_quiet`): anybody's TLBI acts alone, whatever the
CPU's program does meanwhile.

7. There it changes nothing but what is pending. That decides one thing: whether its issuer's DSB is
   over. So it commutes with all that can come before, and every property judges the CPU alike
   before and after. (Of equal ones two are kept, and it does not matter if it is one.)
   `test_who_holds_something_is_not_quiet`.
8. Whether the CPU stays quiet is not read from its program but searched, on the machine on which
   this TLBI does not act (`standing.HELD`): what all CPUs can do before it does, and no more, since
   its issuer's DSB waits. That is what the CPU does alone, in some order with what the others do
   while it stands still, unless these conflict (`persistent_sets`, 1) or a DSB of its own waits for
   others (there, 7): then, and only then, all are searched together.
   `test_who_comes_to_hold_something`, `test_who_comes_to_hold_something_by_another`,
   `test_who_comes_to_hold_something_once_others_let_it_go_on`,
   `test_what_comes_after_the_dsb_is_no_matter`.
9. Other TLBIs that are pending on this CPU, or come, act at once in that look-ahead: their issuers
   may go on. That is exact on a quiet CPU (7). `test_issuers_of_other_tlbis_go_on`.
10. A TLBI that acts is no program's step, so every cycle of states contains the same steps that go
    back as before, and no move is postponed for ever (`persistent_sets`, 5).
    `test_a_quiet_cpu_that_spins`.

Not reduced: machines on which TLBs are shared; TLBIs of others on a CPU that holds something; under
stage 2 TLBIs of a CPU's own (of one by IPA and one of stage 1 the order matters, R30).
"""

from __future__ import annotations

from typing import NamedTuple

from simbbm.arm64.agents import DVM
from simbbm.arm64.context import Shared
from simbbm.arm64.cpu import CpuState, Effect, Pending
from simbbm.arm64.execution.decoding import decoded
from simbbm.arm64.execution.instructions import waits_for_tlbis
from simbbm.arm64.translation.tlb import Tlbi
from simbbm.core.points import ControlPoint
from simbbm.core.system import Move


class Own(NamedTuple):
    """The TLBI of a CPU that is enough there, and what its program may do before it acts."""

    move: int
    """The index of the move in which it acts, among those of the CPU."""
    later: tuple[Tlbi, ...]
    """The TLBIs that its program may issue before."""


def first_of_own(shared: Shared, pe: CpuState, moves: tuple[Move, ...], number: int) -> Own | None:
    """The one of its own TLBIs that is enough among a CPU's `moves`; None: there is none."""
    if len(moves) < 2 or not pe.pending_tlbis or shared.ablated("dsb-waits-for-tlbi"):
        return None
    if pe.mmu.regime.vttbr:
        return None
    if pe.copies or any(pending.issuer != number for pending in pe.pending_tlbis):
        return None
    others = [move for move in moves if move.kind not in DVM]
    later = _issued(pe.point) if others else ()
    if later is None or len(others) > 1 or not all(map(_issues, others)):
        return None
    pending_tlbis = tuple(pending.tlbi for pending in pe.pending_tlbis)
    if not set(pending_tlbis).isdisjoint(later):
        return None
    for tlbi in (*pending_tlbis, *later):
        if any(tlbi.matches_table(entry, shared.geometry) for entry in pe.mmu.tables):
            return None
    return Own(next(k for k, move in enumerate(moves) if move.kind in DVM), later)


def is_quiet(pe: CpuState) -> bool:
    """Whether a CPU has nothing that a TLBI or IC could invalidate, mark, or wait for."""
    return pe.mmu.holds_nothing and not (pe.buffer.stores or pe.copies or pe.text)


SEVERAL = Tlbi("several", broadcast=True, page=-1)
"""In place of several TLBIs of one CPU that are pending on a quiet one."""


def as_one(shared: Shared, pe: CpuState, issuer: int) -> CpuState:
    """A quiet CPU on which several TLBIs of one issuer are pending: they are one (7).

    It does nothing, as they do; and the issuer's DSB waits until it has acted, as for the last of
    them. ValueError if the CPU holds something, and several were taken for one.
    """
    own = [p for p in pe.pending_tlbis if p.issuer == issuer]
    if not is_quiet(pe):
        if any(p.tlbi == SEVERAL for p in own):
            raise ValueError("a CPU comes to hold something while several TLBIs are pending on it")
        return pe
    if len(own) < 2:
        return pe
    rest = (p for p in pe.pending_tlbis if p.issuer != issuer)
    pending_tlbis = tuple(sorted((*rest, Pending(issuer, SEVERAL))))
    return shared.cpus.change(pe, pending_tlbis=pending_tlbis)


def _issues(move: Move) -> bool:
    assert isinstance(move.effect, Effect)
    return move.effect.tlbi is not None


def _issued(point: ControlPoint) -> tuple[Tlbi, ...] | None:
    """The TLBIs that a program issues before a DSB that waits for them, or its end.

    None if anything else comes before.
    """
    found: list[Tlbi] = []
    met = set[ControlPoint]()
    while (op := point.op) is not None:
        head, _, option = op.mnemonic.partition(".")
        if head == "dsb" and waits_for_tlbis(option):
            break
        operands = decoded(point).operands
        if head != "tlbi" or point in met or operands is None:
            return None
        met.add(point)
        found.append(operands[0])
        point = point.after(None)
    return tuple(found)
