"""Where one move of the boot CPU is enough: a drain, or the acting of one of its own TLBIs.

Sixteen stores that drain in any order make 65,536 shared states, and so does a flush page by page.
A search takes one order (`search/reductions/first_move.py`); views can do so, too. In a shared
state in which one move of the boot CPU is enough as far as that CPU goes, that move is taken and
none of its others, *beside all moves of all other CPUs*. The argument, and the test that is false
if a sentence is (tests/explore/every_n/test_fewer.py):

1. Take a state of N CPUs with that shared state. The move, call it d, and all that the others can
   do now are a persistent set, if all that the boot CPU can do before d commutes with d (that is
   what `drains` and `invalidations` argue), and with what the others can do now, and enables
   nothing else there. The cells tell (`arm64/footprints.py`): those of the boot CPU's moves, of
   what may come before d, and of each local state's moves and of what could enable another.
   `test_a_store_that_others_poll`, `test_a_table_that_others_walk`,
   `test_what_others_store_and_the_boot_cpu_loads`.
2. Nothing has to be said of what the others come to do: it is asked again in each state they come
   to. So it matters which local states there may be beside this shared state, and that are those in
   its views. One that comes later and can tell takes the reduction back, and what was left out is
   made up for. `test_somebody_who_can_tell_comes_later`.
3. A CPU that counts changes what is known of counters, of which the boot CPU's drains and TLBIs
   know nothing; a store to a counter, or to what announces one, changes what others have to do with
   it, and is not reduced. `test_a_store_to_a_counter`.
4. So from each state of N CPUs the same states without moves are come to, and what fails on the
   way fails, for properties that are *monotone* (`drains`, 6; `invalidations`, 6). Others switch
   it off. `test_a_property_that_is_not_monotone`.
5. Runs end if those that are left do. Before d the boot CPU can take a bounded number of steps, so
   in a run without end d is taken, or the boot CPU rests from some point on. In both cases d can be
   put first, and it is a run without end of what is left, as far as that point; and so on.
   `test_a_boot_cpu_that_goes_round`.

*TLBIs of the boot CPU on CPUs that hold nothing* that a TLBI could take away, mark or wait for
(`persistent_sets.is_quiet`) are one, once there are two (`as_one`):

6. There a TLBI that acts changes nothing but that it is not pending any more, and that matters to
   nobody until the last one has acted: the boot CPU's DSB waits for all of them. So several pending
   TLBIs are like one that does nothing. `test_tlbis_on_a_cpu_that_holds_nothing`.
7. That is so as long as the CPU holds nothing. One that comes to hold something while several are
   pending is refused, and the proof is begun again without. `test_who_comes_to_hold_something`.
"""

from __future__ import annotations

from typing import NamedTuple

from simbbm.arm64.footprints import EVERY_PENDING_TLBIS, cpu_footprint, is_own
from simbbm.core.system import STEP, Cell, Footprint
from simbbm.explore.every_n.abstraction import BOOT, FIRST
from simbbm.explore.every_n.actions import ALONE, Action, Actions
from simbbm.explore.search.reductions.first_move import first_move
from simbbm.explore.search.reductions.invalidations import is_quiet


class Enough(NamedTuple):
    """A move of the boot CPU that is enough, if nobody else can tell."""

    move: int
    cells: Footprint
    """What the boot CPU touches before it, and what could enable more of it."""


class Fewer:
    """Chooses the boot CPU's moves in each shared state."""

    def __init__(self, actions: Actions) -> None:
        self.actions = actions
        self.wanted = actions.abstraction.reduce
        self._enough: dict[tuple[int, bool], Enough | None] = {}
        """By shared state, and whether others have not completed TLBIs of the boot CPU."""
        self._near: dict[int, dict[int, None]] = {}
        """The local states that there may be beside a shared state."""

    def of_boot(self, shared: int, *, owed: bool) -> list[Action]:
        """Those moves of the boot CPU that are enough."""
        moves = self.actions.of(shared, ALONE, owed=owed)
        if not self.wanted:
            return moves
        if (shared, owed) not in self._enough:
            found = self._asked(shared, moves)
            near = self._near.get(shared, {})
            tells = found and any(self._tells(shared, other, found) for other in near)
            self._enough[shared, owed] = None if tells else found
        enough = self._enough[shared, owed]
        return moves if enough is None else [moves[enough.move]]

    def meets(self, shared: int, local: int) -> bool:
        """A local state comes to be near; whether moves were left out that it can tell apart."""
        self._near.setdefault(shared, {})[local] = None
        for k in ((shared, False), (shared, True)):
            found = self._enough.get(k)
            if found and self._tells(shared, local, found):
                self._enough[k] = None
                return True
        return False

    def reduced(self) -> list[tuple[int, bool]]:
        """The shared states in which moves were left out, and whether TLBIs were owed."""
        return sorted(k for k, enough in self._enough.items() if enough)

    def _asked(self, shared: int, actions: list[Action]) -> Enough | None:
        """The move that is enough as far as the boot CPU goes."""
        abstraction, part = self.actions.abstraction, self.actions.parts.shared[shared]
        moves, pe = tuple(action.move for action in actions), part.boot.cpu
        if any(a.counts or a.move.optional or a.world != actions[0].world for a in actions):
            return None
        steps = [action for action in actions if action.move.kind == STEP]
        if any(step.cpus[BOOT].point.serial <= pe.point.serial for step in steps):
            return None  # It goes round.
        first = first_move(abstraction.system, pe, part.memory, moves, BOOT)
        if first is None or any(abstraction.concerns(cell) for cell in first.before.writes):
            return None
        own = cpu_footprint(abstraction.system.shared, pe, part.memory, moves, BOOT)
        reads, writes = own.reads | first.before.reads, own.writes | first.before.writes
        return Enough(first.move, Footprint(reads, writes))

    def _tells(self, shared: int, local: int, enough: Enough) -> bool:
        """Whether what another CPU can do now has to do with what is left out."""
        part, pe = self.actions.parts.shared[shared], self.actions.parts.locals[local].cpu
        actions = self.actions.of(shared, local, owed=False)
        moves = [action.move for action in actions]
        system = self.actions.abstraction.system
        found = cpu_footprint(system.shared, pe, part.memory, moves, FIRST)
        reads = found.reads
        if all(map(is_quiet, (pe, *(action.cpus[FIRST] for action in actions)))):
            reads -= {EVERY_PENDING_TLBIS}
        return conflict(enough.cells, Footprint(reads, found.writes))


def conflict(one: Footprint, other: Footprint) -> bool:
    """Whether one touches what the other writes."""
    return _meet(one.writes, other.reads | other.writes) or _meet(one.reads, other.writes)


def _meet(some: frozenset[Cell], others: frozenset[Cell]) -> bool:
    return any(not is_own(cell) for cell in some & others)
