"""Checks that every run ends: ranks that no step makes larger, level by level.

Of the steps that are left at a level, each keeps the rank of the shared state or makes it smaller;
where it keeps it, likewise for the rank of every CPU beside shared states of that rank. In a run
without end all these stay the same from some point on. So a step that makes one of the shared
state, or of the CPU that takes it (or is called by it), smaller is not taken any more then, and is
left out at the next level. When none is left but polls that change nothing, there is no such run,
since in no state everybody waits.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from simbbm.explore.certificate.counted import Fault
from simbbm.explore.certificate.file import Level

ALONE = -1
"""In place of a local state: nobody but the boot CPU takes the step."""


class Moved(NamedTuple):
    """A step that is no poll that changes nothing, by the numbers of states."""

    shared: int
    shared_after: int
    local: int
    local_after: int
    others: tuple[tuple[int, int], ...]
    """What it may do to each other CPU."""


def require_named(levels: Iterable[Level], shared: int, others: int) -> None:
    """Raise Fault if there are ranks of more or fewer states than there are."""
    for level in levels:
        if len(level.shared) != shared or any(not 0 <= n < others for _, n, _ in level.locals):
            raise Fault("ranks are not those of the states that it names")


def require_end(levels: Iterable[Level], steps: Iterable[Moved]) -> None:
    """Raise Fault unless no step is left after the last level."""
    left = list(steps)
    for level in levels:
        ranks = {(at, local): rank for at, local, rank in level.locals}
        left = [step for step in left if _stays(level.shared, ranks, step)]
    if left:
        raise Fault(f"{len(left)} steps use up nothing: runs may have no end")


def _stays(shared: list[int], ranks: dict[tuple[int, int], int], step: Moved) -> bool:
    """Whether a step keeps the ranks of the shared state and of the CPU that takes it."""
    try:
        at, then = shared[step.shared], shared[step.shared_after]
    except IndexError:
        raise Fault("a shared state without rank") from None
    if then > at:
        raise Fault("a step makes the rank of a shared state larger")
    if then < at:
        return False
    own = [ranks.get((at, local), 0) for local in (step.local, step.local_after)]
    others = ((ranks.get((at, one), 0), ranks.get((at, two), 0)) for one, two in step.others)
    if own[1] > own[0] or any(after > before for before, after in others):
        raise Fault("a step makes the rank of a CPU larger")
    return own[0] == own[1]
