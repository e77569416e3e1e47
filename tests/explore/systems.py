"""Transition systems that are written down as a table of moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from simbbm.core.system import STEP, Footprint, Move, Problem


class Go(NamedTuple):
    """A move: who, what (empty: its program's next step), and to which state."""

    cpu: int
    to: str
    duty: str = ""
    optional: bool = False
    early: bool = False


@dataclass
class Table:
    """States are words; `table` has the moves of each, the first is where every run starts."""

    table: Mapping[str, Sequence[Go]]

    def initial(self) -> str:
        return next(iter(self.table))

    def moves(self, state: str) -> tuple[Move, ...]:
        return tuple(
            Move(
                f"cpu{go.cpu}{go.duty}",
                f"cpu{go.cpu}{go.duty}:{go.to}",
                go.cpu,
                go.optional,
                Footprint(),
                go.to,
                go.duty,
                early=go.early,
                kind=go.duty.strip(".") or STEP,
            )
            for go in self.table[state]
        )

    def apply(self, state: str, move: Move) -> str:  # noqa: ARG002
        return str(move.effect)

    def problem(self, state: str) -> Problem | None:  # noqa: ARG002
        return None

    def final_problem(self, state: str) -> Problem | None:  # noqa: ARG002
        return None

    def unfinished(self, state: str) -> tuple[str, ...]:  # noqa: ARG002
        return ()

    def recheck(self) -> None:
        """Nothing: there are no programs."""

    def digest(self, state: str) -> str:
        return state
