"""Delay-bounded scheduling: hardware acts at once and takes no optional move, except b times.

A delay bound (M. Emmi, S. Qadeer, Z. Rakamaric: "Delay-Bounded Scheduling", POPL 2011), where a
delay is one unusual choice of hardware, which a reader of a counterexample has to accept. A
*surprise* is

* an obligatory hardware agent (a drain, a TLBI, a register that takes effect) that is given
  something to do and does not do it at once, however long it then waits; or
* an optional move.

Not a surprise: which CPU's program moves, and which of several possible values it reads. Each time
that hardware gets something to do is an *arrival*. Before the run, b of as many arrivals as the
default run has are drawn, with a delay in steps for each; a delay ends early when nothing else can
move. The programs of the CPUs follow PCT with two change points (see explore/strategies/pct.py):
how they interleave is no surprise, but a bug may depend on it.
"""

from __future__ import annotations

from typing import Any

from simbbm.core.choice import Chooser, Tape
from simbbm.core.errors import UsageError
from simbbm.core.graph import Node
from simbbm.core.system import LAST_RESORT, Move
from simbbm.explore.strategies.menu import Menu, Moves, menu_of
from simbbm.explore.strategies.pct import Priorities, change_points, next_change
from simbbm.explore.strategies.profile import UNKNOWN, Profile

BUDGET_MAX = 10
_CPU_CHANGES = 2
_NEVER = 1 << 62


class SurpriseChooser:
    """One run. Afterwards `surprises` says how many there were."""

    __slots__ = (
        "_arrivals",
        "_change",
        "_changes",
        "_menu",
        "_moves",
        "_priorities",
        "_step",
        "_steps",
        "_tape",
        "_until",
        "_waiting",
        "_waits",
        "surprises",
    )

    def __init__(self, seed: bytes, budget: int, profile: Profile) -> None:
        self._tape = Tape(seed)
        self._steps = profile.steps
        self._priorities = Priorities(self._tape)
        self._changes = change_points(self._tape, min(_CPU_CHANGES, profile.steps), profile.steps)
        self._waits = {
            self._tape.below(profile.arrivals): 1 + self._tape.below(profile.steps)
            for _ in range(budget)
        }
        """The arrivals that are delayed, and for how many steps."""
        self._arrivals = 0
        self._step = 0
        self._waiting: dict[str, int] = {}
        """Hardware agents that are delayed, and the step until which they are."""
        self._menu: Menu | None = None
        """That of the last step, if the same program moves with it before step `_until`."""
        self._moves: Moves = ()
        """The moves of that program."""
        self._until = 0
        self._change = profile.steps - next_change(self._changes, profile.steps + 1)
        """The next step at which something changes."""
        self.surprises = 0

    def choose(self, node: Node[Any]) -> int:
        """Return the next move."""
        menu: Any = node.policy or menu_of(node)
        if menu is self._menu and self._step < self._until:
            moves = self._moves
        else:
            self._menu = None
            name = self._hardware(node, menu) if menu.hardware or self._waiting else None
            moves = menu.moves_of[name or self._program(menu)]
        self._step += 1
        n = len(moves)
        k: int = moves[self._tape.below(n)] if n > 1 else moves[0]
        return k

    def _hardware(self, node: Node[Any], menu: Menu) -> str | None:
        """The first hardware agent whose delay is over."""
        moves_of, waiting = menu.moves_of, self._waiting
        for name in waiting:
            if name not in moves_of:
                waiting = {name: until for name, until in waiting.items() if name in moves_of}
                self._waiting = waiting
                break
        for name in menu.hardware:
            if name not in waiting:
                waiting[name] = self._delayed(node.moves[moves_of[name][0]])
            if waiting[name] <= self._step:
                del waiting[name]
                return name
        return None

    def _delayed(self, move: Move) -> int:
        """The step until which this new move of hardware is delayed.

        Optional moves and the event stream happen only as surprises; the event stream also if
        nothing else can move.
        """
        wait = self._waits.get(self._arrivals)
        self._arrivals += 1
        self.surprises += wait is not None
        if move.optional or move.kind == LAST_RESORT:
            return _NEVER if wait is None else self._step
        return self._step + (wait or 0)

    def _program(self, menu: Menu) -> str:
        """The runnable program of highest priority.

        If all are blocked, the hardware with the earliest deadline.
        """
        programs, waiting = menu.programs, self._waiting
        names = programs.names
        if not names:
            name = min(menu.hardware, key=waiting.__getitem__)
            del waiting[name]
            return name
        if self._step >= self._steps:
            return names[self._tape.below(len(names))]
        priorities = self._priorities
        name = priorities.first_of.get(programs) or priorities.first(programs)
        if self._step >= self._change:
            left = self._steps - self._step
            if left in self._changes:
                priorities.drop(name, self._changes[left])
                name = priorities.first(programs)
            self._change = self._steps - next_change(self._changes, left)
        self._menu = menu
        self._moves = menu.moves_of[name]
        self._until = min(self._change, *waiting.values()) if waiting else self._change
        return name


class Surprise:
    """The strategy `surprise:budget=b`."""

    needs_calibration = True

    def __init__(self, budget: int, profile: Profile = UNKNOWN) -> None:
        if not 0 <= budget <= BUDGET_MAX:
            hint = f"budget is 0..{BUDGET_MAX}"
            raise UsageError(f"surprise:budget={budget}: not allowed", hint)
        self.budget = budget
        self.profile = profile
        self.name = f"surprise:budget={budget}"

    def calibrated(self, profile: Profile) -> Surprise:
        """The same strategy, with the numbers of arrivals and steps of this profile."""
        return Surprise(self.budget, profile)

    def chooser(self, seed: bytes, number: int) -> Chooser:  # noqa: ARG002 - the protocol's
        """One run's surprises."""
        return SurpriseChooser(seed, self.budget, self.profile)
