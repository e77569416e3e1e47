"""The asyncio loop between the planner and the pool: the only part of a campaign that does I/O.

Ctrl-C and its like cancel the main task; the campaign then ends with what it has.

Futures of the pool are never cancelled, here or through asyncio: before Python 3.12 a pool that
breaks while one of its futures is cancelled loses its manager thread. A chunk that is not wanted
any more is forgotten; its process ends with the pool.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from operator import itemgetter
from time import monotonic

from simbbm.campaign.planner import Chunk, Done, Dropped, Event, Interrupted, Lost, Planner, TimeUp
from simbbm.campaign.pool import Pool
from simbbm.campaign.worker import Report
from simbbm.host import signals

GRACE_SECONDS = 5.0
"""How long chunks that are running may continue after the time is up: many times TARGET."""


class Desk:
    """The chunks that have been sent to the pool, and a queue of their results."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._pending: dict[Chunk, Future[Report]] = {}
        self._back = asyncio.Queue[tuple[Chunk, Future[Report]]]()
        self._loop = asyncio.get_running_loop()

    def submit(self, chunk: Chunk) -> None:
        """Send a chunk to the pool."""
        future = self._pending[chunk] = self._pool.submit(chunk)
        future.add_done_callback(lambda ended: self._tell(chunk, ended))

    def _tell(self, chunk: Chunk, future: Future[Report]) -> None:
        """Queue a result. Called in the pool's thread, perhaps after the loop has been closed."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._back.put_nowait, (chunk, future))

    async def events(self, seconds: float | None) -> list[Event]:
        """Wait for the next result, but not for longer than `seconds`; return it as events."""
        try:
            async with asyncio.timeout(seconds):
                chunk, future = await self._back.get()
        except TimeoutError:
            return []
        if self._pending.get(chunk) is not future:
            return []  # forgotten, or lost and sent again
        if isinstance(future.exception(), BrokenProcessPool):
            return self._lose()
        del self._pending[chunk]
        return [Done(chunk, *future.result())]

    def _lose(self) -> list[Event]:
        """A worker died, so that the pool is broken and all chunks under way are lost."""
        import structlog  # noqa: PLC0415 - takes longer than a short campaign, and is seldom needed

        events: list[Event] = []
        lost = []
        for chunk, future in sorted(self._pending.items(), key=itemgetter(0)):
            if future.done() and not isinstance(future.exception(), BrokenProcessPool):
                events.append(Done(chunk, *future.result()))
            else:
                lost.append(chunk)
        structlog.get_logger().warning("worker lost", runs_again=[list(chunk) for chunk in lost])
        self._pending.clear()
        self._pool.rebuild()
        return [*events, Lost(tuple(lost))]

    def forget(self, *, begun: bool) -> list[Event]:
        """Stop waiting for chunks: for those that are not running yet, or for all."""
        chunks = [c for c, future in self._pending.items() if begun or not future.running()]
        chunks = [c for c in chunks if not self._pending[c].done()]
        for chunk in chunks:
            del self._pending[chunk]
        return [Dropped(chunk, begun) for chunk in chunks]


async def conduct(
    planner: Planner,
    pool: Pool,
    seconds: float | None = None,
    on_event: Callable[[], object] | None = None,
) -> None:
    """Run a campaign until its planner has an answer; the pool is closed afterwards."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    asked = asyncio.Event()

    def stop() -> None:
        asked.set()
        if task is not None:
            loop.call_soon_threadsafe(task.cancel)

    with signals.told(stop):
        try:
            await _until_answered(planner, Desk(pool), seconds, on_event)
        except asyncio.CancelledError:
            planner.handle(Interrupted())
        finally:
            pool.close()
        if asked.is_set():  # also if that was while it ended
            planner.handle(Interrupted())


async def _until_answered(
    planner: Planner,
    desk: Desk,
    seconds: float | None,
    on_event: Callable[[], object] | None,
) -> None:
    deadline = None if seconds is None else monotonic() + seconds
    chunks = planner.handle()
    while not planner.finished:
        for chunk in chunks:
            desk.submit(chunk)
        left = None if deadline is None else deadline - monotonic()
        if left is None or left > 0:
            events = await desk.events(left)
        elif planner.time_up:
            events = desk.forget(begun=True)
        else:
            events = [TimeUp(), *desk.forget(begun=False)]
            deadline = monotonic() + GRACE_SECONDS
        chunks = planner.handle(*events)
        if on_event and events:
            on_event()
