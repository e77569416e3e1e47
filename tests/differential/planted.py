"""Mistakes that searches once made, or could: the comparison has to find each of them.

Each is a patch of the code as it is now; with it a small system is given that shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from simbbm.arm64 import footprints
from simbbm.arm64.context import Shared
from simbbm.arm64.cpu import CpuState, Pending
from simbbm.arm64.footprints import Kind, is_own
from simbbm.arm64.rows import CPUS, FAILURE, MEMORY, Row, Rows, State, Step
from simbbm.arm64.translation.memory import Memory
from simbbm.arm64.translation.tlb import Tlbi
from simbbm.core.program import Op
from simbbm.core.programs.automaton import ControlPoint
from simbbm.core.system import Cell, Move
from simbbm.explore.search.reductions import drains, invalidations, persistent_sets
from simbbm.explore.search.reductions.persistent_sets import PersistentSets
from simbbm.explore.search.reductions.reduced_system import ReducedSystem
from simbbm.explore.search.reductions.standing import HELD, Future, Standing
from simbbm.hypothesis.systems import Member, System

SELF = -1


class Planted(NamedTuple):
    """A mistake, and a system on which it shows."""

    plant: Callable[[pytest.MonkeyPatch], None]
    shows: System


class _Forgetful(dict[Hashable, Any]):
    """Looks ahead remembered by memory and those that move, and not by who stands still."""

    def __init__(self, rows: Rows) -> None:
        super().__init__()
        self._rows = rows

    def _short(self, future: Future) -> Hashable:
        state, active = future[:-1], future[-1]
        cpus = tuple(cpu for i, cpu in enumerate(state[CPUS:]) if active >> i & 1)
        return state[MEMORY], cpus, self._rows.owed(state) & active, active

    def get(self, future: Any, default: Any = None) -> Any:
        return super().get(self._short(future), default)

    def __getitem__(self, future: Any) -> Any:
        return super().__getitem__(self._short(future))

    def __setitem__(self, future: Any, cells: Any) -> None:
        super().__setitem__(self._short(future), cells)


def ends_where_a_statue_fails(patch: pytest.MonkeyPatch) -> None:
    """A look ahead ends where a property fails on who stands still, and is remembered without."""
    made = PersistentSets.__init__

    def init(self: PersistentSets, *args: Any) -> None:
        made(self, *args)
        self._futures = _Forgetful(self.rows)  # type: ignore[assignment]

    def statue(self: Standing, cpu: int, owed: int) -> int:
        return cpu

    def fails(self: Standing, future: Future) -> bool:
        return not self.rows.fine(future[:-1])

    def after(self: Standing, future: Future, cpu: int, step: Step) -> Future:
        """TLBIs act at once on who stands still, and are not pending there."""
        parts, change = self.rows.cpus.parts, self.rows.system.shared.cpus.change
        active, state = future[-1], [*self.rows.after(future[:-1], cpu, step)]
        for i, old in enumerate(future[CPUS:-1]):
            if not active >> i & 1:
                new = change(parts[state[CPUS + i]], pending_tlbis=parts[old].pending_tlbis)
                state[CPUS + i] = self.rows.cpu(new)
        return self._arranged(state, active)

    patch.setattr(PersistentSets, "__init__", init)
    patch.setattr(Standing, "placeholder", statue)
    patch.setattr(Standing, "fails", fails)
    patch.setattr(Standing, "after", after)


def goes_by_spelling(patch: pytest.MonkeyPatch) -> None:
    """A word is taken for what it is called: cpu1, a CPU's own."""

    def mask(self: PersistentSets, cells: frozenset[Cell]) -> int:
        found = 0
        for kind, number in cells:
            name = self.system.shared.name(number) if kind == Kind.WORD else ""
            own = name[:3] in ("cpu", "dvm") and name[3:].isdecimal()
            if not own and not is_own((kind, number)):
                found |= 1 << self._places.setdefault((kind, number), len(self._places))
        return found

    patch.setattr(PersistentSets, "_mask", mask)


def forgets_the_issuer(patch: pytest.MonkeyPatch) -> None:
    """States are one if they differ in pending TLBIs' issuers of one class alone."""
    successors, steps = ReducedSystem.successors, ReducedSystem.steps

    def first(space: ReducedSystem, state: State) -> State:
        """The first state that was met of those that are taken for this one."""
        classes = {i: -2 - c for c, group in enumerate(space.symmetry.classes) for i in group}
        told = []
        for number, cpu in enumerate(space.rows.machine(state).cpus):
            roles = (
                p._replace(issuer=SELF if p.issuer == number else classes.get(p.issuer, p.issuer))
                for p in cpu.pending_tlbis
            )
            pending_tlbis = tuple(sorted(roles))
            told.append(
                tuple(pending_tlbis if part is cpu.pending_tlbis else part for part in cpu.parts())
            )
        k = state[MEMORY], state[FAILURE], tuple(told)
        met: dict[Hashable, State] = space.__dict__.setdefault("met", {})
        return met.setdefault(k, state)

    def these(space: ReducedSystem, state: State, rows: list[Row]) -> list[tuple[int, State]]:
        return [(k, first(space, after)) for k, after in successors(space, state, rows)]

    def all_steps(space: ReducedSystem, state: State) -> Iterator[Any]:
        return ((move, first(space, after), to) for move, after, to in steps(space, state))

    patch.setattr(ReducedSystem, "successors", these)
    patch.setattr(ReducedSystem, "steps", all_steps)


def forgets_who_walks(patch: pytest.MonkeyPatch) -> None:
    """A move is thought not to depend on the tables that its CPU's walks can come upon."""

    def none(*_: Any) -> Iterable[Cell]:
        return ()

    patch.setattr(footprints, "tables_in_view", none)


def goes_round_alone(patch: pytest.MonkeyPatch) -> None:
    """Who goes back to an older control point is taken alone all the same."""

    def never(cpu: CpuState, move: Move) -> bool:
        return False

    patch.setattr(persistent_sets, "_returns", never)


Follow = Callable[..., drains.Path | None]


def _drains_first(patch: pytest.MonkeyPatch, wrong: Callable[[Follow], Follow]) -> None:
    """Put a wrong path in the place of `drains.path`."""
    patch.setattr(drains, "path", wrong(drains.path))


def drains_before_others_look(patch: pytest.MonkeyPatch) -> None:
    """What a program stores until its DSB, and loads, is thought to be nobody else's."""

    def wrong(path: Follow) -> Follow:
        def alone(*args: Any) -> drains.Path | None:
            found = path(*args)
            return found and found._replace(stored={}, loaded=frozenset())

        return alone

    _drains_first(patch, wrong)


def drains_before_tlbis(patch: pytest.MonkeyPatch) -> None:
    """A TLBI that arrives before a drain is thought to do what it does after it."""

    def wrong(path: Follow) -> Follow:
        def deaf(
            shared: Shared, pe: CpuState, memory: Memory, moves: tuple[Move, ...]
        ) -> drains.Path | None:
            return path(shared, shared.cpus.change(pe, pending_tlbis=()), memory, moves)

        return deaf

    _drains_first(patch, wrong)


def drains_whatever_is_linked(patch: pytest.MonkeyPatch) -> None:
    """A store to a table is thought to commute with one that links the table."""

    def always(*_: Any) -> bool:
        return True

    patch.setattr(drains, "_is_harmless", always)


def drains_before_any_dsb(patch: pytest.MonkeyPatch) -> None:
    """A DSB of loads is thought to wait for stores."""

    def is_dsb(op: Op) -> bool:
        return op.mnemonic.startswith("dsb")

    patch.setattr(drains, "_waits_for_stores", is_dsb)


def acts_before_accesses(patch: pytest.MonkeyPatch) -> None:
    """What comes between two TLBIs of a CPU is thought not to matter to the first."""

    def whatever(_: ControlPoint) -> tuple[Tlbi, ...]:
        return ()

    patch.setattr(invalidations, "_issued", whatever)


def acts_in_any_order(patch: pytest.MonkeyPatch) -> None:
    """A TLBI that takes a table entry away is thought to commute with one of what is below."""
    first = invalidations.first_of_own

    def flat(
        shared: Shared, pe: CpuState, moves: tuple[Move, ...], number: int
    ) -> invalidations.Own | None:
        mmu = replace(pe.mmu, tables=(), views={})
        return first(shared, shared.cpus.change(pe, mmu=mmu), moves, number)

    patch.setattr(invalidations, "first_of_own", flat)


def is_quiet_for_ever(patch: pytest.MonkeyPatch) -> None:
    """A CPU that holds nothing is thought to hold nothing until a TLBI has acted."""

    def stays(*_: object) -> bool:
        return True

    patch.setattr(PersistentSets, "_stays_quiet", stays)


def holds_every_tlbi(patch: pytest.MonkeyPatch) -> None:
    """While one TLBI has not acted, no other acts on the CPU either."""

    def holding(self: Standing, state: State, active: int, cpu: int, issuer: int) -> Future:
        own, held = self.rows.cpus.parts[state[CPUS + cpu]], [*state]
        issuers = dict.fromkeys(pending.issuer for pending in own.pending_tlbis)
        held[CPUS + cpu] = self._pending(own, tuple(Pending(i, HELD) for i in issuers))
        return self.future(held, active)

    patch.setattr(Standing, "holding", holding)


def has_no_leaves(patch: pytest.MonkeyPatch) -> None:
    """A CPU that holds leaves alone is thought to hold nothing."""

    def quiet(pe: CpuState) -> bool:
        return not (pe.mmu.tables or pe.mmu.early_leaves or pe.mmu.early_faults or pe.buffer.stores)

    patch.setattr(persistent_sets, "is_quiet", quiet)


DSB, ISB = ("dsb", "ish"), ("isb",)
TLBI_X, TLBI_Y = ("tlbi", "vaale1is", "page x"), ("tlbi", "vaale1is", "page y")
TLBI_ALL = ("tlbi", "vmalle1is")
TELL = (("str", "flag", 1), DSB)
LEAVE = (("msr", "ttbr", "away"), ISB, ("tlbi", "vmalle1"), ("dsb", "nsh"), ISB)
FLUSH = (("tlbi", "vmalle1is"), DSB)
CHANGE = (("str", "pte x", "inv"), DSB, *FLUSH, ("str", "pte x", "new"), DSB)
TWO = (Member(0), Member(1))
THREE = (Member(0), Member(1), Member(1))
SAW = (("ldr", "flag"), ("panic_if", (1, 1)))
OUTSIDE = (Member(0), Member(1, away=True))
"""The second CPU sees tables and flags alone."""
BOTH = (("str", "count", 1), ("str", "turn", 1))
TOLD = (("await", "flag", 1), ("ldr", "count"))
POLL = (("until", 1, (("ldr", "flag"),)),)

PLANTED = {
    "fails on a statue": Planted(
        ends_where_a_statue_fails, System(((*CHANGE, ("str", "flag", 1)), (*LEAVE, *SAW)), TWO)
    ),
    "spelling": Planted(
        goes_by_spelling, System(((("str", "flag", 1),), SAW), TWO, symbols=(("flag", "cpu1"),))
    ),
    "issuer": Planted(
        forgets_the_issuer,
        System(((("await", "flag", 1),), (*FLUSH, ("str", "flag", 1))), THREE),
    ),
    "walks": Planted(
        forgets_who_walks, System(((*LEAVE, ("str", "pte x", "inv")), (("ldr", "x"),)), TWO)
    ),
    "rounds": Planted(goes_round_alone, System(((("nop",), ("panic_if",)), POLL), TWO)),
    "drains before others look": Planted(
        drains_before_others_look,
        System(((*BOTH, ("str", "flag", 1)), TOLD), OUTSIDE, properties=()),
    ),
    "drains before TLBIs": Planted(
        drains_before_tlbis,
        System(
            (
                (
                    ("str", "pte x", "new"),
                    ("str", "count", 1),
                    ("str", "flag", 1),
                    *(DSB, ("await", "flag2", 1), ISB, ("ldr", "x")),
                ),
                (("await", "flag", 1), *FLUSH, ("str", "flag2", 1)),
            ),
            OUTSIDE,
            properties=(),
        ),
    ),
    "drains whatever is linked": Planted(
        drains_whatever_is_linked,
        System(((("str", "pte spare", "new"), ("str", "pblock", "spare")), (("nop",),)), OUTSIDE),
    ),
    "acts before accesses": Planted(
        acts_before_accesses,
        System(
            ((("str", "pte x", "new"), DSB, TLBI_X, TLBI_Y, ISB, DSB, ("ldr", "x")), (("nop",),)),
            OUTSIDE,
            properties=(),
        ),
    ),
    "acts in any order": Planted(
        acts_in_any_order,
        System(
            ((("str", "ptable", "inv"), DSB, ("tlbi", "vaae1is", "page y"), TLBI_X, DSB), ()),
            OUTSIDE,
            properties=(),
        ),
    ),
    "quiet for ever": Planted(
        is_quiet_for_ever,
        System(
            ((("await", "flag", 1), ("msr", "ttbr", "away"), ISB), (TLBI_ALL, *TELL)),
            TWO,
            properties=(),
        ),
    ),
    "holds every TLBI": Planted(
        holds_every_tlbi,
        System(
            (
                (("nop",),),
                (TLBI_X, *TELL),
                (("await", "flag", 1), TLBI_Y, DSB, ("str", "pte x", "new")),
            ),
            (Member(0), Member(1, away=True), Member(2, away=True)),
            properties=(),
        ),
    ),
    "no leaves": Planted(
        has_no_leaves,
        System(
            (
                (("str", "pte x", "new"), DSB, ("await", "flag", 1), ("ldr", "x")),
                (TLBI_X, *TELL),
            ),
            OUTSIDE,
            properties=(),
        ),
    ),
    "drains before any DSB": Planted(
        drains_before_any_dsb,
        System(((*BOTH, ("dsb", "ishld"), ("str", "flag", 1)), TOLD), OUTSIDE, properties=()),
    ),
}
