"""Persistent sets (`--no-ample`): where the moves of one CPU are enough, as the others' commute.

In a state, all enabled moves of one CPU (its program's and its hardware's) are a persistent set if
all that the other CPUs can do while it stands still commutes with them and enables no other moves
of it (Godefroid, "Partial-Order Methods for the Verification of Concurrent Systems", LNCS 1032,
1996, ch. 4; Valmari, "Stubborn sets for reduced state space generation", 1990). A search that takes
a persistent set in every state reaches every state without moves.

The argument, and the test that is false if a sentence is (in tests/explore/test_persistent_sets.py
unless another file is named; its `assert_persistent` tries the definition itself):

1. Moves of different CPUs commute if neither writes a cell that the other reads or writes, and what
could enable another move of a CPU is among its cells (`footprints`): the word that it polls, its
monitor, the event register, tables that its walks can reach. `test_random_programs`,
   `test_a_store_that_links_...`, `test_who_polls_...`, `test_words_may_have_any_name`; pairwise
   tests/arm64/test_hardware.py.
2. What the others can do is not read from their programs but searched, on the machine in which this
CPU stands still, with the same reduction: every move that is possible in some order is reached (5).
`test_one_word_that_all_use_...` (test_reductions.py).
3. A property that looks at one CPU is one more move of it, which reads what the CPU holds and every
table that its walks can reach, and ends the run. So a look-ahead ends where a property fails on a
CPU that moves, and not where it fails on the one that stands still: TLBIs are never delivered to
that, so the failure may not be real. `test_what_fails_on_a_cpu_that_stands_still_...`,
   `test_who_waits_is_looked_at_all_the_same` (test_reductions.py).
4. A look-ahead is memoised by all that it depends on (`standing.Future`): the CPUs that move,
memory, and of the others their pending TLBIs and, where TLBs are shared, their entries.
   `test_a_look_ahead_knows_...` (two).
5. No move is postponed for ever. Every cycle of states contains a step in which some program
returns to an older control point, or stays; where that is possible, its CPU's moves are not taken
alone (the sticky proviso of Kurshan, Levin, Minea, Peled, Yenigün, "Static partial order
   reduction", TACAS'98). `test_who_goes_round_...` (test_reductions.py).
6. A broadcast TLBI gives every CPU a move. It commutes with the moves of a CPU that holds nothing
it could invalidate, mark or wait for (`is_quiet`), before and after (after a store of its own: with
what that makes of its entries); with others it does not. So TLBIs may complete at once on a CPU
that stands still. `test_a_tlbi_may_act_before_an_isb_...`, `test_a_tlbi_does_not_wait_...`
   (test_reductions.py), `test_who_comes_to_hold_something_by_its_own_store`
   (test_invalidations.py).
7. A CPU that waits in a DSB for TLBIs of its own gets a move when the others complete them, once
all that are pending on itself have. `test_who_waits_for_others_to_complete_...`.
8. Optional moves need not happen: a CPU that may be interrupted is not taken alone. Who sends or
takes an SGI writes a cell that every CPU reads, so it is not either, as long as others move.
   `test_an_sgi_is_of_concern_to_all` (tests/arm64/test_sgis.py).

A run ends at its first violation. If a move that is taken alone ends the run, or one of the others'
does, it does so in every order; so a search that finds no violation has not missed one (it may find
a different one than a full search).

Together with symmetry: Emerson, Jha, Peled, "Combining partial order and symmetry reductions",
TACAS'97. Counterexamples may be longer than the shortest. The whole is compared with a search that
reduces nothing, on random programs, in tests/differential. test_ample.py tests that sets are as
small as they should be, test_ample_cost.py what the look-aheads may cost.

Of several drains of a CPU, and of several TLBIs that are pending on one, often one is enough
(`first_move`: `drains`, `invalidations`, with arguments of their own).

Not reduced: machines with concrete TLBs, listings, programs with a load window, properties that
look at several CPUs at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from simbbm.arm64 import footprints
from simbbm.arm64.agents import DVM
from simbbm.arm64.cpu import CpuState
from simbbm.arm64.footprints import EVERY_PENDING_TLBIS, cpu_footprint, is_own
from simbbm.arm64.rows import FIELD, Row, Rows, State, Step
from simbbm.arm64.translation.memory import Memory
from simbbm.core.system import Cell, Move
from simbbm.explore.search.reductions.first_move import first_move
from simbbm.explore.search.reductions.invalidations import is_quiet
from simbbm.explore.search.reductions.standing import Future, Standing, is_held
from simbbm.explore.search.reductions.symmetry import Symmetry

MAX_LOOKAHEAD = 10_000
"""Limit of states of one look-ahead, for three CPUs; twice as many for each further one.

Where more are needed, looking ahead costs more than it saves (unordered stores, a CPU that nothing
stops): it is given up then.
"""

LOOK_EVERY = 512
"""States of look-aheads between two looks at the limits of the search."""

Cells = tuple[int, int]
"""Cells that are read, and cells that are written, as bit masks."""

ANYTHING: Cells = (-1, -1)
"""Every cell: conflicts with everything."""


class Notes(NamedTuple):
    """What is known of a row (`arm64.rows.Row`): its cells, and whether it may be taken alone."""

    cells: Cells
    serial: int
    """How far its program is."""
    free: bool
    """Whether its moves may be taken alone, if they are independent of the other CPUs' futures."""
    moves: tuple[int, ...]
    """The indices of its moves: of all, but that of a TLBI that does not act (`standing.HELD`)."""
    enough: tuple[int, ...]
    """The indices of those of its moves that are enough then (`drains`, `invalidations`)."""
    quiet: int | None = None
    """The index of a move in which a TLBI acts on a quiet CPU; None: there is none."""


class Choice(NamedTuple):
    """Moves that are enough in a state."""

    cpu: int
    moves: tuple[int, ...]
    """Their indices in the CPU's row."""


class _TooFarError(Exception):
    """A look-ahead is beyond its limit."""


class PersistentSets:
    """Chooses, state by state, the CPU whose moves are a persistent set."""

    def __init__(self, rows: Rows, symmetry: Symmetry) -> None:
        self.rows = rows
        self.system = rows.system
        self.standing = Standing(rows, symmetry)
        cpus = len(self.system.spec.cpus)
        self.everybody = (1 << cpus) - 1
        self.most = MAX_LOOKAHEAD << max(0, cpus - 3)
        self._futures: dict[Future, Cells] = {}
        self._places: dict[Cell, int] = {}
        """Which bit of a mask each cell is. Kept as its place: kept as masks, which are as long as
        their bit is high, the 262,144 words of 512 tables took 4.4 GiB."""
        self._masks: dict[int, int] = {}
        """Masks that are kept, one of each value: they are as long as there are cells."""
        self._views: dict[frozenset[Cell], int] = {}
        """The masks of the tables in views."""
        self.given_up = False
        self.none_is_quiet = False
        """It took too long to find out whether a CPU stays quiet: this is not asked any more."""
        self.look: Callable[[], object] | None = None
        """Called from time to time inside a look-ahead; what it raises ends the search."""
        self._looked = 0

    def chosen(self, state: State) -> Choice | None:
        """The moves that are enough here; None if all have to be taken."""
        if self.given_up:
            return None
        try:
            return self._choose(state, self.everybody, self.rows.some(state, self.everybody))
        except _TooFarError:
            self.given_up = True
            return None

    def _choose(self, state: State, active: int, rows: Mapping[int, Row]) -> Choice | None:
        """The moves that are enough while only the `active` CPUs move.

        TLBIs of quiet CPUs are tried first, then all moves of a CPU: of those whose programs are
        furthest first, and of the boot CPU last, which finds the others parked.
        """
        notes = {i: row.notes or self._notes(state, i, row) for i, row in rows.items()}
        for i, of in notes.items():
            if of.quiet is not None and self._stays_quiet(state, active, i, rows[i], of.quiet):
                return Choice(i, (of.quiet,))
        free = [(i == 0, -of.serial, i) for i, of in notes.items() if of.free]
        free.sort()
        for _, _, i in free:
            cells = notes[i].cells
            if any(_conflict(cells, of.cells) for j, of in notes.items() if j != i):
                continue
            if not _conflict(cells, self._future(state, active & ~(1 << i))):
                return Choice(i, notes[i].enough)
        return None

    def _stays_quiet(self, state: State, active: int, i: int, row: Row, k: int) -> bool:
        """Whether CPU `i` stays quiet until the TLBI of its k-th move has acted."""
        if self.none_is_quiet:
            return False
        held, own = self.standing.held(state, i, row.moves[k].issuer), 1 << i
        try:
            if not self.rows.owed(state, by=active) & own:
                alone = self._future(held, own)
                if alone == ANYTHING:
                    return False
                if not _conflict(alone, self._future(held, active & ~own)):
                    return True
            return self._future(held, active) != ANYTHING
        except _TooFarError:
            self.none_is_quiet = True
            return False

    def _notes(self, state: State, i: int, row: Row) -> Notes:
        """What is known of a CPU's row, found out when it is first asked for."""
        notes = row.notes = self._new_notes(state, i, row)
        return notes

    def _new_notes(self, state: State, i: int, row: Row) -> Notes:
        own, owes = self.rows.pe(state, i), self.rows.owed(state) >> i & 1
        memory = self.rows.memories.parts[state >> self.rows.memory_at & FIELD]
        after = self._afterwards(state, i, row, memory)
        quiet, held = all(map(is_quiet, (own, *after))), is_held(own)
        moves = tuple(k for k, m in enumerate(row.moves) if not (held and m.kind in DVM))
        if held and not quiet:
            return Notes(ANYTHING, own.point.serial, free=False, moves=moves, enough=moves)
        found = cpu_footprint(self.system.shared, own, memory, row.moves, i)
        # TLBIs that other CPUs complete may end its DSB: that would enable another move.
        waits = owes and own.mnemonic.startswith("dsb") and not _owes_itself(own, i)
        again = any(move.optional or _returns(own, move) for move in row.moves)
        free = bool(moves) and not waits and not again
        reads, writes, enough, acts = found.reads, found.writes, moves, None
        if quiet:
            reads -= {EVERY_PENDING_TLBIS}
            if not held and not self.system.common:
                acts = next((k for k, move in enumerate(row.moves) if move.kind in DVM), None)
        if free and self.system.judged.monotone and not held:
            first = first_move(self.system, own, memory, row.moves, i)
            if first:
                enough, before = (first.move,), first.before
                reads, writes = reads | before.reads, writes | before.writes
        walked = footprints.tables_in_view(self.system.shared, own, memory)
        cells = self._mask(reads - walked) | self._walked(walked), self._mask(writes)
        return Notes(cells, own.point.serial, free, moves, enough, acts)

    def _afterwards(self, state: State, i: int, row: Row, memory: Memory) -> Iterator[CpuState]:
        """A CPU after each of its moves."""
        if self.system.common:  # There a step is no number.
            return (self.system.moved(move, memory) for move in row.moves)
        return (self.rows.pe(state + step[0], i) for step in row.steps)

    def _walked(self, tables: frozenset[Cell]) -> int:
        """The mask of the tables in a view: with real ones, hundreds, the same in many rows."""
        mask = self._views.get(tables)
        if mask is None:
            mask = self._views[tables] = self._mask(tables)
        return mask

    def _mask(self, cells: frozenset[Cell]) -> int:
        places = self._places
        own = [places.setdefault(cell, len(places)) for cell in cells if not is_own(cell)]
        mask = bytearray(max(own, default=-1) // 8 + 1)
        for place in own:
            mask[place >> 3] |= 1 << (place & 7)
        return self._kept(int.from_bytes(mask, "little"))

    def _kept(self, mask: int) -> int:
        """The mask, as the one object of its value that is kept."""
        return self._masks.setdefault(mask, mask)

    def _future(self, state: State, active: int) -> Cells:
        """Cells of all moves that the active CPUs can reach, and of what they hold then."""
        return self._found(self.standing.future(state, active)) if active else (0, 0)

    def _found(self, future: Future) -> Cells:
        found = self._futures.get(future)
        return self._look_ahead(future) if found is None else found

    def _look_ahead(self, root: Future) -> Cells:
        """Depth first: each future after its successors."""
        open_: dict[Future, _Visit] = {}
        done: list[Future] = []
        try:
            cyclic = self._explore(root, open_, done)
        except _TooFarError:
            for future in done:  # What is in a cycle is not known yet.
                del self._futures[future]
            raise
        # Futures in a cycle have the same cells: those of its root.
        for future in (*open_, *(done if cyclic else ())):
            self._futures[future] = ANYTHING if open_ else self._futures[root]
        return self._futures[root]

    def _explore(self, root: Future, open_: dict[Future, _Visit], done: list[Future]) -> bool:
        """Look ahead up to where nothing is left, or anything may follow; whether in a cycle."""
        open_[root], cyclic = self._visit(root), False
        while open_:
            future, visit = next(reversed(open_.items()))
            if visit.cells == ANYTHING:
                break  # So it does after all that are open.
            if len(done) + len(open_) > self.most:
                raise _TooFarError
            if visit.left:
                after = self.standing.after(future, visit.left.pop())
                if (found := self._futures.get(after)) is not None:
                    visit.add(found)
                elif after in open_:
                    cyclic = True
                else:
                    open_[after] = self._visit(after)
            else:
                del open_[future]
                reads, writes = visit.cells
                self._futures[future] = self._kept(reads), self._kept(writes)
                done.append(future)
                if open_:
                    next(reversed(open_.values())).add(visit.cells)
        return cyclic

    def _visit(self, future: Future) -> _Visit:
        self._looked += 1
        if self.look and self._looked % LOOK_EVERY == 0:
            self.look()
        state, active = future
        visit = _Visit()
        rows = self.rows.some(state, active)
        for i, row in rows.items():
            visit.add((row.notes or self._notes(state, i, row)).cells)
        if visit.cells == ANYTHING or self.standing.fails(future, rows):
            return visit  # Nothing that follows makes a difference, or a run ends here.
        chosen = self._choose(state, active, rows)
        if chosen is None:
            for row in rows.values():
                visit.left += [row.steps[k] for k in row.notes.moves]
        else:
            steps = rows[chosen.cpu].steps
            visit.left = [steps[k] for k in chosen.moves]
        return visit


class _Visit:
    """A state on the stack of a look-ahead: steps that are left, and cells so far."""

    __slots__ = ("cells", "left")

    def __init__(self) -> None:
        self.left: list[Step] = []
        self.cells: Cells = (0, 0)

    def add(self, cells: Cells) -> None:
        """Join more cells; one value where there are none, since masks are large."""
        reads, writes = self.cells[0] | cells[0], self.cells[1] | cells[1]
        if (reads, writes) != self.cells:
            self.cells = cells if (reads, writes) == cells else (reads, writes)


def _conflict(own: Cells, others: Cells) -> bool:
    return bool(own[1] & (others[0] | others[1]) or own[0] & others[1])


def _owes_itself(pe: CpuState, number: int) -> bool:
    """Whether TLBIs of a CPU are pending on itself: a DSB waits for these first."""
    return any(pending.issuer == number for pending in pe.pending_tlbis)


def _after(move: Move) -> CpuState:
    return move.effect.after  # type: ignore[attr-defined,no-any-return]


def _returns(pe: CpuState, move: Move) -> bool:
    """Whether a program's move leads to an older control point, or stays at the same."""
    if "." in move.agent:
        return False
    return _after(move).point.serial <= pe.point.serial
