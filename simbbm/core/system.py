"""Transition systems: the one interface between a machine and the code that runs or searches it.

A state is a value. `moves(state)` lists what can happen next, in one canonical order that depends
on the state alone; `apply(state, move)` is the successor. Everything else (the SimPy engine, random
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
"""Kind of a move that ends waits which nothing else ends, late: WFE's event stream."""


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

    `agent` is the name of what takes it (`cpu2`, `cpu2.drain[flag]`, `dvm.cpu2`). `label` is its
    stable semantic name, unique among the moves of one state. It is made of the fields below, and
    is read by people and kept in witnesses; code reads the fields. An optional move need never
    happen (speculation, spurious wake-ups); an obligatory one eventually does.

    Fairness: an obligation that stays enabled is met eventually. `cpu`, `duty` and `issuer` name
    the obligation; several moves may meet the same one, and which of them is taken is not promised.
    """

    agent: str
    label: str
    cpu: int
    optional: bool
    footprint: Footprint
    effect: object
    duty: str = ""
    """What hardware does, without the CPU's number; empty for a step of the CPU's program."""
    issuer: int = -1
    """The number of the CPU that issued the TLBI, for moves of TLBIs; else -1."""
    early: bool = False
    """It uses a translation or value obtained early. That was a bounded time ago, so no run
    consists of such moves for ever."""
    kind: str = STEP
    """STEP, or the kind of a hardware move."""
    what: str = ""
    """Which of its kind: an operation of a program, a word, a TLBI, an entry."""
    variant: str = ""
    """Of a STEP: which part of the instruction it is, or which of several results it gets."""
    notes: tuple[str, ...] = ()
    """Remarks for readers: a fault, a translation that was made early."""
    enables: bool = False
    """It only enables moves of its own CPU, and changes nothing for other CPUs."""


class Problem(NamedTuple):
    """A violation: the property, what is wrong, and on which CPU."""

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
        """The first *finally* property that fails in `state`, where all programs have finished."""

    def unfinished(self, state: S) -> tuple[str, ...]:
        """The CPUs that have not finished, and what each waits for.

        Empty when all programs are done.
        """

    def recheck(self) -> None:
        """Raise ScenarioError if a program depends on anything but what it has observed."""

    def digest(self, state: S) -> str:
        """32 hexadecimal digits that identify the state by content."""
