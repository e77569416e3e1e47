"""Answers to tasks in order: made in this process, or by workers side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
A = TypeVar("A")


def in_order(
    function: Callable[[T], A],
    unanswered: Callable[..., A],
    every: Sequence[T],
    jobs: int | None,
    few: int = 2,
) -> Iterator[A]:
    """Yield the answers; `jobs` None: as many at a time as there are cores, if it pays.

    Fewer tasks than `few` are over sooner than workers have started. Ctrl-C raises
    KeyboardInterrupt. What a task that was lost is answered with: `campaign/tasks.py:SideBySide`.
    """
    if jobs == 1 or len(every) < (few if jobs is None else 2):
        yield from map(function, every)
        return
    # asyncio and multiprocessing take longer to import than many a task.
    from simbbm.campaign.processes import available_cpus  # noqa: PLC0415
    from simbbm.campaign.tasks import SideBySide  # noqa: PLC0415

    yield from SideBySide(function, unanswered, every, jobs or available_cpus())
