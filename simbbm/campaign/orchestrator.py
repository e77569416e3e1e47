"""The asyncio loop between the planner and the pool: the only part of a campaign that does I/O.

Ctrl-C cancels the main task (asyncio.Runner sees to that); the campaign then ends with what it has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from time import monotonic
from typing import NamedTuple

from simbbm.campaign.planner import Chunk, Done, Dropped, Event, Interrupted, Lost, Planner, TimeUp
from simbbm.campaign.pool import Pool
from simbbm.campaign.worker import Report

GRACE_SECONDS = 1.0
"""How long chunks that are under way may go on after the time is up."""


class Work(NamedTuple):
    """A chunk at the pool. Only the pool's own future knows whether a worker has begun it."""

    chunk: Chunk
    future: Future[Report]


Pending = dict["asyncio.Future[Report]", Work]


async def conduct(
    planner: Planner,
    pool: Pool,
    seconds: float | None = None,
    on_event: Callable[[], object] | None = None,
) -> None:
    """Run a campaign until its planner has an answer; the pool is closed afterwards."""
    pending: Pending = {}
    deadline = None if seconds is None else monotonic() + seconds
    try:
        chunks = planner.handle()
        while not planner.finished:
            for chunk in chunks:
                future = pool.submit(chunk)
                pending[asyncio.wrap_future(future)] = Work(chunk, future)
            if deadline is not None and not planner.time_up and monotonic() >= deadline:
                chunks = planner.handle(TimeUp(), *_take_back(pending))
                deadline += GRACE_SECONDS
                continue
            chunks = planner.handle(*await _events(planner, pool, pending, deadline))
            if on_event:
                on_event()
    except asyncio.CancelledError:
        planner.handle(Interrupted())
    finally:
        for waiting in pending:
            waiting.cancel()
        pool.close()


async def _events(
    planner: Planner, pool: Pool, pending: Pending, deadline: float | None
) -> list[Event]:
    """Wait until something happens; return all that did."""
    timeout = None if deadline is None else max(0.0, deadline - monotonic())
    done, _ = await asyncio.wait(pending, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    if not done and planner.time_up:
        return _abandon(pending)
    if any(isinstance(future.exception(), BrokenProcessPool) for future in done):
        done, _ = await asyncio.wait(pending)  # all of them end: a broken pool keeps nothing
    events: list[Event] = []
    lost = []
    for future in done:
        chunk = pending.pop(future).chunk
        if isinstance(future.exception(), BrokenProcessPool):
            lost.append(chunk)
        else:
            events.append(Done(chunk, *future.result()))
    if lost:
        import structlog  # noqa: PLC0415 - takes longer than a short campaign, and is seldom needed

        structlog.get_logger().warning("worker lost", runs_again=[list(c) for c in sorted(lost)])
        pool.rebuild()
        events.append(Lost(tuple(lost)))
    return events


def _take_back(pending: Pending) -> list[Event]:
    """Take back the chunks that no worker has begun."""
    not_begun = [future for future, work in pending.items() if work.future.cancel()]
    return [Dropped(pending.pop(future).chunk) for future in not_begun]


def _abandon(pending: Pending) -> list[Event]:
    """Stop waiting for what workers are still busy with."""
    events: list[Event] = [Dropped(work.chunk, begun=True) for work in pending.values()]
    for future in pending:
        future.cancel()
    pending.clear()
    return events
