"""Where one of a CPU's moves is enough, as nobody can tell it from the others: a drain, or a TLBI.

What has to be true of the CPU itself is asked here (`drains`, `invalidations`, with the arguments).
That no other CPU can tell is asked by who takes the move alone: of all that the others can come to
do (`persistent_sets`), or of what they can do now, if their moves are taken beside it
(`every_n/fewer.py`).
"""

from __future__ import annotations

from typing import NamedTuple

from simbbm.arm64.agents import DRAIN
from simbbm.arm64.cpu import CpuState
from simbbm.arm64.footprints import EVERY_PENDING_TLBIS, Kind
from simbbm.arm64.machine import Arm64
from simbbm.arm64.translation.memory import Memory
from simbbm.core.system import Cell, Footprint, Move
from simbbm.explore.search.reductions import drains, invalidations


class First(NamedTuple):
    """A move that is enough."""

    move: int
    """The index of the move among the CPU's."""
    before: Footprint
    """The cells of what may come before it."""


def first_move(
    system: Arm64, pe: CpuState, memory: Memory, moves: tuple[Move, ...], number: int
) -> First | None:
    """The one of a CPU's moves that is enough, as far as the CPU itself goes; None: none is."""
    shared, tables = system.shared, memory.tables.by_address
    path = drains.path(shared, pe, memory, moves)
    if path is not None:
        first = next(k for k, move in enumerate(moves) if move.kind == DRAIN)
        bases = {shared.geometry.table(word) for word in path.stored}
        reads = {(Kind.WORD, word) for word in path.loaded}
        writes = {(Kind.WORD, word) for word in path.stored}
        writes |= {(Kind.TABLE, at) for at in bases if at in tables}
        return First(first, Footprint(frozenset[Cell](reads), frozenset[Cell](writes)))
    own = None if system.common else invalidations.first_of_own(shared, pe, moves, number)
    if own is None:
        return None
    arrives = any(tlbi.broadcast for tlbi in own.later)
    return First(own.move, Footprint(writes=frozenset([EVERY_PENDING_TLBIS] * arrives)))
