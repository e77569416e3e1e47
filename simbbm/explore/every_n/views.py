"""Views of k CPUs, closed under all steps: an over-approximation of all states, for all N.

A configuration of k + 1 local states *may be* if each k of them are a view of its shared state.
Take every step of the machine there, and keep the views of what comes of it; until nothing new
comes. (View abstraction: Abdulla, Haziza and Holik, All for the price of few, VMCAI 2013.)
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import NamedTuple

from simbbm.arm64.state import Machine
from simbbm.arm64.translation.memory import Memory, Unreadable
from simbbm.core.system import Problem
from simbbm.explore.every_n.abstraction import FIRST, Abstraction
from simbbm.explore.every_n.actions import Actions
from simbbm.explore.every_n.parts import Members, Parts
from simbbm.explore.every_n.reading import Guesses
from simbbm.explore.every_n.steps import Steps


class View(NamedTuple):
    """A shared state and k local ones, by number."""

    shared: int
    members: Members


class BadView(NamedTuple):
    """What may go wrong, if the view is real."""

    problem: Problem
    label: str
    """The step that led to it."""


class Cut(Exception):
    """A limit was reached; says which."""


Limit = Callable[[int], str | None]
"""Says why to go no further, when so many configurations have been looked at."""


class Views:
    """The closure of the initial views."""

    def __init__(self, abstraction: Abstraction, guesses: Guesses, k: int) -> None:
        self.abstraction = abstraction
        self.k = k
        self.guesses = guesses
        self.parts = Parts()
        self.steps = Steps(abstraction, self.parts, Actions(abstraction, self.parts, guesses))
        self.of: list[dict[Members, None]] = []
        """The views of each shared state, in the order in which they were met."""
        self.bad: dict[BadView, None] = {}
        self.glued = 0
        self._near: list[dict[int, None]] = []
        """The local states that are in views of each shared state."""
        self._made: list[set[Members]] = []
        """The gluings of each shared state."""
        self._waiting: list[View] = []
        self._again: list[int] = []
        """Shared states in which more moves have to be taken than were (`fewer`)."""

    @property
    def count(self) -> int:
        """How many views there are."""
        return sum(map(len, self.of))

    def close(self, limit: Limit) -> None:
        """Find all views; raise Cut at a limit. It ends where a view is bad."""
        initial = self.abstraction.initial()
        shares = [initial.shared.boot.shares, *(one.shares for one in initial.locals)]
        self.abstraction.counting.require_one_sign(initial.shared.counts, shares)
        self._keep(*self.parts.numbers(initial))
        done = 0
        while (done < len(self._waiting) or self._again) and not self.bad:
            if self._again:
                shared = self._again.pop()
                for members in sorted(self._made[shared]):
                    self._expand(shared, members)
                continue
            view = self._waiting[done]
            done += 1
            for members in self._gluings(view):
                self.glued += 1
                if why := limit(self.glued):
                    raise Cut(why)
                self._expand(view.shared, members)

    def _gluings(self, view: View) -> list[Members]:
        """The new sets of k + 1 that contain this view, each k of which are views."""
        known, made, found = self.of[view.shared], self._made[view.shared], []
        for other in tuple(self._near[view.shared]):
            members = tuple(sorted((*view.members, other)))
            parts = (members[:n] + members[n + 1 :] for n in range(len(members)))
            if members not in made and all(part in known for part in parts):
                made.add(members)
                found.append(members)
        return found

    def _expand(self, shared: int, members: Members) -> None:
        """All steps of a configuration."""
        self.parts.origin = (shared, *members)
        for step in self.steps.of(shared, members):
            if step.problem:
                self.bad.setdefault(BadView(step.problem, step.action.move.label))
            else:
                self._keep(step.shared, step.members)

    def _keep(self, shared: int, members: Members) -> None:
        """Keep the views of a configuration."""
        while len(self.of) <= shared:
            self.of.append({})
            self._near.append({})
            self._made.append(set())
        views = self.of[shared]
        for part in combinations(members, self.k):
            if part not in views:
                views[part] = None
                for member in part:
                    if member not in self._near[shared]:
                        self._near[shared][member] = None
                        if self.steps.fewer.meets(shared, member):
                            self._again.append(shared)
                self._waiting.append(View(shared, part))


def final_problem(views: Views) -> Problem | None:
    """What is wrong in a view of the end; properties judge CPUs one at a time, and tables."""
    abstraction, parts = views.abstraction, views.parts
    for shared, known in enumerate(views.of):
        part = parts.shared[shared]
        if not part.boot.cpu.finished:
            continue
        memory = Memory(part.memory.tables, Unreadable())
        for members in known:
            others = [parts.locals[m].cpu for m in members]
            if not all(cpu.finished for cpu in others):
                continue
            seated = (abstraction.numbered(cpu, FIRST + n, FIRST) for n, cpu in enumerate(others))
            state = Machine(memory, (part.boot.cpu, *seated))
            if problem := abstraction.system.final_problem(state):
                return problem
    return None
