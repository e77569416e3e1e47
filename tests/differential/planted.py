"""Mistakes that searches once made, or could: the comparison has to find each of them.

Each is a patch of the code as it is now; with it a small system is given that shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any, NamedTuple

import pytest

from simbbm.arm64 import footprints
from simbbm.arm64.cpu import CpuState
from simbbm.arm64.features import Features
from simbbm.arm64.footprints import Kind, is_own
from simbbm.arm64.rows import FIELD, Row, Rows, State, Step
from simbbm.core.system import Cell, Move
from simbbm.explore.search.reductions import persistent_sets
from simbbm.explore.search.reductions.persistent_sets import PersistentSets
from simbbm.explore.search.reductions.reduced_system import ReducedSystem
from simbbm.explore.search.reductions.standing import Future, Standing
from simbbm.explore.search.reductions.symmetry import Symmetry
from simbbm.hypothesis.systems import Member, System
from tests.differential import planted_orders

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
        state, active = future
        fields = (field for i, field in enumerate(self._rows.fields) if active >> i & 1)
        cpus = tuple(state & field for field in fields)
        return state >> self._rows.memory_at & FIELD, cpus, self._rows.owed(state) & active, active

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

    def fails(self: Standing, future: Future, rows: Mapping[int, Row]) -> bool:
        return not self.rows.fine(future[0], self.rows.rows(future[0]))

    def after(self: Standing, future: Future, step: Step) -> Future:
        """TLBIs act at once on who stands still, and are not pending there."""
        before, active = future
        state = self.rows.after(before, step)
        for i in range(len(self.rows.places)):
            if not active >> i & 1:
                state = self._with_pending(state, i, self.rows.pe(before, i).pending_tlbis)
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
        k = state >> space.rows.memory_at, tuple(told)
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

    def none(*_: Any) -> frozenset[Cell]:
        return frozenset()

    patch.setattr(footprints, "tables_in_view", none)


def goes_round_alone(patch: pytest.MonkeyPatch) -> None:
    """Who goes back to an older control point is taken alone all the same."""

    def never(cpu: CpuState, move: Move) -> bool:
        return False

    patch.setattr(persistent_sets, "_returns", never)


def interrupts_nobody(patch: pytest.MonkeyPatch) -> None:
    """An interrupt by another CPU is thought to concern only who sends it."""
    patch.setattr(footprints, "EVERY_SGI", footprints.own_cell(99))


def takes_who_is_named_for_another(patch: pytest.MonkeyPatch) -> None:
    """CPUs are alike though an interrupt is for one of them."""

    def never(self: Symmetry, number: int) -> None:
        pass

    patch.setattr(Symmetry, "_require_unlike", never)


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
    "interrupts": Planted(
        interrupts_nobody,
        System(
            ((("msr", "icc_sgi1r_el1", "all others"),), (("nop",), ("daifset",))),
            TWO,
            handler="tell",
        ),
    ),
    "who is named": Planted(
        takes_who_is_named_for_another,
        System(((("msr", "icc_sgi1r_el1", "cpu1"),),), (Member(0),) * 2, handler="tell"),
    ),
    "rounds": Planted(goes_round_alone, System(((("nop",), ("panic_if",)), POLL), TWO)),
    "drains before others look": Planted(
        planted_orders.drains_before_others_look,
        System(((*BOTH, ("str", "flag", 1)), TOLD), OUTSIDE, properties=()),
    ),
    "drains before TLBIs": Planted(
        planted_orders.drains_before_tlbis,
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
        planted_orders.drains_whatever_is_linked,
        System(((("str", "pte spare", "new"), ("str", "pblock", "spare")), (("nop",),)), OUTSIDE),
    ),
    "acts before accesses": Planted(
        planted_orders.acts_before_accesses,
        System(
            ((("str", "pte x", "new"), DSB, TLBI_X, TLBI_Y, ISB, DSB, ("ldr", "x")), (("nop",),)),
            OUTSIDE,
            properties=(),
        ),
    ),
    "acts in any order": Planted(
        planted_orders.acts_in_any_order,
        System(
            ((("str", "ptable", "inv"), DSB, ("tlbi", "vaae1is", "page y"), TLBI_X, DSB), ()),
            OUTSIDE,
            properties=(),
        ),
    ),
    "quiet for ever": Planted(
        planted_orders.is_quiet_for_ever,
        System(
            ((("await", "flag", 1), ("msr", "ttbr", "away"), ISB), (TLBI_ALL, *TELL)),
            TWO,
            properties=(),
        ),
    ),
    "holds every TLBI": Planted(
        planted_orders.holds_every_tlbi,
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
        planted_orders.has_no_leaves,
        System(
            (
                (("str", "pte x", "new"), DSB, ("await", "flag", 1), ("ldr", "x")),
                (TLBI_X, *TELL),
            ),
            OUTSIDE,
            properties=(),
        ),
    ),
    "waits for a drain": Planted(
        planted_orders.waits_for_a_drain,
        System(
            (
                (("replace", "pte x", "inv"), ("await", "flag", 1), ISB, ("str", "pte x", "new")),
                (TLBI_X, *TELL),
            ),
            OUTSIDE,
            properties=(),
        ),
    ),
    "holds for itself": Planted(
        planted_orders.holds_for_itself,
        System(
            (
                (("msr", "ttbr", "away in common"), ("str", "pte x", "inv")),
                (("msr", "ttbr", "away in common"), ISB, ("ldr", "x"), ("panic_if", (1, 8))),
            ),
            (Member(0, Features(tlb=1)), Member(1, Features(tlb=1), away=True)),
            hardware="prompt stores",
            properties=(),
        ),
    ),
    "drains before any DSB": Planted(
        planted_orders.drains_before_any_dsb,
        System(((*BOTH, ("dsb", "ishld"), ("str", "flag", 1)), TOLD), OUTSIDE, properties=()),
    ),
}
