"""Probabilistic concurrency testing, with every agent (hardware included) as a thread.

S. Burckhardt, P. Kothari, M. Musuvathi, S. Nagarakatte: "A Randomized Scheduler with Probabilistic
Guarantees of Finding Bugs", ASPLOS 2010. Agents get random priorities when they are first seen, the
highest that can move does, and at d-1 random steps among the first k the one about to move drops
below all others. A bug of depth d (d ordering constraints suffice for it) is found by a run with a
probability of at least 1 / (n * k**(d-1)), for n agents and k steps.

Two things differ from the paper, and neither weakens that sentence for the runs that are counted:

* After k steps the run goes on as a random walk, so that an agent which could always move cannot
  starve the rest (the same is done by "fair PCT" in Microsoft Coyote). Such a run is not counted.
* An agent with several moves picks one uniformly. The bound is about agents: what a bug needs
  beyond their order, it does not cover.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simbbm.core.choice import Chooser, Tape
from simbbm.core.errors import UsageError
from simbbm.core.graph import Node
from simbbm.explore.strategies.menu import AgentSet, Menu, Moves, menu_of
from simbbm.explore.strategies.profile import Profile

DEPTH_MAX = 10
STEPS_UNCALIBRATED = 100


class PctChooser:
    """One run's priorities. Afterwards `agents` says how many agents it met."""

    __slots__ = (
        "_changes",
        "_draw",
        "_left",
        "_menu",
        "_moves",
        "_next",
        "_priorities",
        "depth",
        "k",
    )

    def __init__(self, seed: bytes, depth: int, k: int) -> None:
        tape = Tape(seed)
        self.depth = depth
        self.k = k
        self._draw = tape.numbers.__next__
        self._left = k
        self._priorities = Priorities(tape)
        self._changes = change_points(tape, min(depth - 1, k), k)
        self._next = next_change(self._changes, k + 1)
        """How many of the k steps are left when something changes."""
        self._menu: Menu | None = None
        """That of the last step: in most steps it is the same again."""
        self._moves: Moves = ()
        """The moves of its first agent."""

    @property
    def agents(self) -> int:
        """How many distinct agents were enabled at some step among the first k."""
        return len(self._priorities)

    def choose(self, node: Node[Any]) -> int:
        """Return the next move."""
        menu: Any = node.policy or menu_of(node)
        left = self._left
        if left == self._next:
            moves = self._at_change(menu)
        elif menu is self._menu:
            self._left = left - 1
            moves = self._moves
        else:
            self._left = left - 1
            priorities = self._priorities
            agents = menu.agent_set
            name = priorities.first_of.get(agents) or priorities.first(agents)
            self._menu = menu
            moves = self._moves = menu.moves_of[name]
        n = len(moves)
        k: int = moves[self._draw() * n >> 16] if n > 1 else moves[0]
        return k

    def _at_change(self, menu: Menu) -> Moves:
        """The moves of the next agent: where priorities change, or after k steps."""
        left = self._left
        if left == 0:
            return menu.agents[self._draw() * len(menu.agents) >> 16]
        priorities, agents = self._priorities, menu.agent_set
        name = priorities.first_of.get(agents) or priorities.first(agents)
        priorities.drop(name, self._changes[left])
        self._menu = None
        self._left = left - 1
        self._next = next_change(self._changes, left)
        return menu.moves_of[priorities.first(agents)]


class Priorities(dict[str, int]):
    """Priorities by agent, drawn on first sight; all above those of change points."""

    __slots__ = ("_tape", "first_of")

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self.first_of: dict[AgentSet, str] = {}
        """Memo of `first`, since the last drop."""

    def __missing__(self, name: str) -> int:
        # 32 bits, made distinct by the order of first sight: a tie would favour the lower agent.
        drawn = next(self._tape.numbers) << 16 | next(self._tape.numbers)
        priority = self[name] = 1 + (drawn << 16) + len(self)
        return priority

    def first(self, agents: AgentSet) -> str:
        """The agent among these with the highest priority."""
        names = agents.names  # Two, mostly: a loop is faster than `max` with a key.
        first, highest = names[0], self[names[0]]
        for name in names[1:]:
            priority = self[name]
            if priority > highest:
                first, highest = name, priority
        self.first_of[agents] = first
        return first

    def drop(self, name: str, priority: int) -> None:
        """Give an agent another priority."""
        self[name] = priority
        self.first_of.clear()


def change_points(tape: Tape, wanted: int, k: int) -> dict[int, int]:
    """Distinct steps among k, counted from the end; each with its priority, in the order drawn.

    That order and not the order in time: of two agents that drop, either may end up lower.
    """
    points: dict[int, int] = {}
    while len(points) < wanted:
        drawn = next(tape.numbers) << 16 | next(tape.numbers)
        points.setdefault(1 + (drawn * k >> 32), -len(points))
    return points


def next_change(changes: Mapping[int, int], left: int) -> int:
    """The first change point after this one, counted from the end; 0 if there is none."""
    return max((point for point in changes if point < left), default=0)


class Pct:
    """The strategy `pct:depth=d`."""

    needs_calibration = True

    def __init__(self, depth: int, k: int = STEPS_UNCALIBRATED) -> None:
        if not 1 <= depth <= DEPTH_MAX:
            raise UsageError(f"pct:depth={depth}: not allowed", f"depth is 1..{DEPTH_MAX}")
        self.depth = depth
        self.k = k
        self.name = f"pct:depth={depth}"

    def calibrated(self, profile: Profile) -> Pct:
        """The same strategy, with the k of this profile."""
        return Pct(self.depth, profile.steps)

    def chooser(self, seed: bytes, number: int) -> Chooser:  # noqa: ARG002 - the protocol's
        """One run's priorities and change points."""
        return PctChooser(seed, self.depth, self.k)
