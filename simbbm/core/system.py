"""What a transition system is: the one interface between a machine and whoever walks it.

A state is a value. `moves(state)` lists what can happen next, in one canonical order that depends
on the state alone; `apply(state, move)` is what then is. Everything else (the SimPy engine, random
walks, exhaustive search, replay) is written against this interface.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, TypeVar

S = TypeVar("S")


Cell = tuple[int, int]
"""A part of a state that moves read and write: its kind, and which of that kind it is."""

STEP = "step"
"""Kind of a move that is a step of a CPU's program; other kinds are what hardware does."""
LAST_RESORT = "event"
"""Kind of hardware that is slow, and ends waits that nothing else ends: WFE's event stream."""


class Footprint(NamedTuple):
    """Which cells a move reads and writes.

    Two moves of different agents that do not touch one another's writes commute.
    """

    reads: frozenset[Cell] = frozenset()
    writes: frozenset[Cell] = frozenset()

    def conflicts(self, other: Footprint) -> bool:
        """Whether the order of two moves may matter."""
        return bool(
            self.writes & other.writes or self.writes & other.reads or self.reads & other.writes
        )


class Move(NamedTuple):
    """One applied change of the machine, by a CPU or by hardware.

    `agent` is whoever takes it (`cpu2`, `cpu2.drain[flag]`, `dvm.cpu2`). `label` is its stable
    semantic name, unique among the moves of one state: made of what follows, and for people and
    witnesses alone. An optional move need never happen (speculation, spurious wake-ups); an
    obligatory one eventually does.

    A move that can be taken all the time is taken some time: that is an obligation of somebody's,
    named by `cpu`, `duty` and `issuer`. Several moves may meet one and the same: which of them is
    nobody's duty.
    """

    agent: str
    label: str
    cpu: int
    optional: bool
    footprint: Footprint
    effect: object
    duty: str = ""
    """What hardware does, in the words of every CPU; empty: the next step of the CPU's program."""
    issuer: int = -1
    """Whose TLBI it is about, if it is about one."""
    early: bool = False
    """It uses what was done in advance, which is never long ago: nobody does so for ever."""
    kind: str = STEP
    """STEP, or what hardware does."""
    what: str = ""
    """Which of its kind: an operation of a program, a word, a TLBI, an entry."""
    variant: str = ""
    """Of a STEP: how far it is, or in which of several ways it goes."""
    notes: tuple[str, ...] = ()
    """What is remarkable about it, for readers."""
    enables: bool = False
    """It only lets its own CPU go on, and changes nothing for anybody else."""


class Problem(NamedTuple):
    """A property that does not hold, and the story a reader needs to understand why."""

    property: str
    message: str
    cpu: int | None = None


class System(Protocol[S]):
    """A transition system over states of type `S`."""

    def initial(self) -> S:
        """The state in which every run starts."""

    def moves(self, state: S) -> tuple[Move, ...]:
        """What can happen next, in canonical order."""

    def apply(self, state: S, move: Move) -> S:
        """The state after one of `moves(state)`."""

    def problem(self, state: S) -> Problem | None:
        """The first property that fails in `state`, in the scenario's order."""

    def final_problem(self, state: S) -> Problem | None:
        """Likewise for what must hold once every program has finished."""

    def unfinished(self, state: S) -> tuple[str, ...]:
        """Who has not finished and what each waits for; empty when every program is done."""

    def recheck(self) -> None:
        """Raise ScenarioError if a program was no function of what it has observed."""

    def digest(self, state: S) -> str:
        """32 hexadecimal digits that identify the state by content."""
