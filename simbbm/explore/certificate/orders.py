"""Where a certificate takes one move of the boot CPU alone: nobody may be able to tell the orders.

What this rests on is argued in `every_n/fewer.py`: the move commutes with what the boot CPU can do
before it (`search/reductions/first_move.py`, which searches use as well), and all that with what
each CPU that there may be beside it can do now. The first is taken over from there; the second is
checked here, of views and of the states of few CPUs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from simbbm.arm64.cpu import CpuState
from simbbm.arm64.footprints import EVERY_PENDING_TLBIS, cpu_footprint, is_own
from simbbm.arm64.machine import Arm64
from simbbm.arm64.translation.memory import Memory
from simbbm.core.system import STEP, Cell, Move
from simbbm.explore.certificate.states import BOOT
from simbbm.explore.search.reductions.first_move import First, first_move
from simbbm.explore.search.reductions.invalidations import is_quiet

Cells = tuple[frozenset[Cell], frozenset[Cell]]
"""What is read, and what is written."""


class Able(NamedTuple):
    """A CPU, and what it can do."""

    number: int
    pe: CpuState
    moves: tuple[Move, ...]
    after: tuple[CpuState, ...]
    """What it is after each move."""


def first_of_boot(system: Arm64, memory: Memory, boot: Able) -> First | None:
    """The move of the boot CPU that is enough as far as that CPU goes; None if none is."""
    for move, after in zip(boot.moves, boot.after, strict=True):
        goes_round = move.kind == STEP and after.point.serial <= boot.pe.point.serial
        if move.optional or goes_round:
            return None
    return first_move(system, boot.pe, memory, boot.moves, BOOT)


def somebody_tells(
    system: Arm64, memory: Memory, boot: Able, first: First, others: Iterable[Able]
) -> bool:
    """Whether what is left out touches what one of these CPUs touches now, or listens to."""
    reads, writes = _cells(system, memory, boot)
    reads, writes = reads | first.before.reads, writes | first.before.writes
    for one in others:
        read, written = _cells(system, memory, one)
        if all(map(is_quiet, (one.pe, *one.after))):
            read -= {EVERY_PENDING_TLBIS}
        if _common(writes, read | written) or _common(reads, written):
            return True
    return False


def _cells(system: Arm64, memory: Memory, one: Able) -> Cells:
    """What a CPU can touch now, and what could enable more of it."""
    found = cpu_footprint(system.shared, one.pe, memory, one.moves, one.number)
    return found.reads, found.writes


def _common(some: frozenset[Cell], others: frozenset[Cell]) -> bool:
    return any(not is_own(cell) for cell in some & others)
