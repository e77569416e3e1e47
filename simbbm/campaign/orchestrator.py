"""The asyncio loop between a planner and a pool: the only part that waits, and knows the time.

Ctrl-C and its like cancel the task; the planner is told, and then ends with what it has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from time import monotonic
from typing import Any, Generic

from simbbm.campaign.events import (
    Done,
    Dropped,
    Event,
    Interrupted,
    Lost,
    Planner,
    Raised,
    TimeUp,
    W,
)
from simbbm.campaign.pool import WorkerLost
from simbbm.core.errors import SimbbmError
from simbbm.host import signals

GRACE_SECONDS = 5.0
"""How long work that has begun may continue after the time is up."""

Call = Callable[[W], tuple[Any, ...]]
"""How work is done: a function and its arguments."""


class Orchestrator(Generic[W]):
    """Carries work from a planner to the workers of a pool, and back what has become of it."""

    def __init__(
        self,
        planner: Planner[W],
        pool: Executor,
        call: Call[W],
        *,
        seconds: float | None = None,
        on_event: Callable[[], object] = lambda: None,
        waiting: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        """`on_event` is called after events; the context `waiting` is entered to wait for them."""
        self._planner = planner
        self._pool = pool
        self._call = call
        self._on_event = on_event
        self._waiting = waiting
        self._pending: dict[W, Future[Any]] = {}
        self._back = asyncio.Queue[tuple[W, Future[Any]]]()
        self._deadline = None if seconds is None else monotonic() + seconds

    async def finish(self) -> None:
        """Go on until the planner has finished, or Ctrl-C; then close the pool."""

        async def all_of_it() -> None:
            try:
                while not self._planner.finished:
                    await self._step()
            finally:
                self._pool.shutdown()

        await self._unless_interrupted(all_of_it())

    async def advance(self) -> None:
        """Wait until something has happened, or Ctrl-C."""
        await self._unless_interrupted(self._step())

    async def _unless_interrupted(self, work: Awaitable[None]) -> None:
        """Do this; Ctrl-C ends it, and the planner is told."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        asked = asyncio.Event()

        def stop() -> None:
            asked.set()
            if task is not None:
                loop.call_soon_threadsafe(task.cancel)

        with signals.told(stop):
            try:
                await work
            except asyncio.CancelledError:
                asked.set()
        if asked.is_set():  # also if that was while it ended
            self._planner.handle(Interrupted())

    async def _step(self) -> None:
        self._give_out(self._planner.handle())
        left = None if self._deadline is None else self._deadline - monotonic()
        if left is None or left > 0:
            with self._waiting():
                events = await self._events(left)
        elif self._planner.time_up:
            events = self._take_back(begun=True)
        else:
            events = [TimeUp(), *self._take_back(begun=False)]
            self._deadline = monotonic() + GRACE_SECONDS
        self._give_out(self._planner.handle(*events))
        if events:
            self._on_event()

    def _give_out(self, every: Sequence[W]) -> None:
        for work in every:
            future = self._pending[work] = self._pool.submit(*self._call(work))
            future.add_done_callback(partial(self._tell, work))

    def _tell(self, work: W, future: Future[Any]) -> None:
        self._back.put_nowait((work, future))

    async def _events(self, seconds: float | None) -> list[Event[W]]:
        """Wait for the next result, but not for longer than `seconds`; return it as an event."""
        try:
            async with asyncio.timeout(seconds):
                work, future = await self._back.get()
        except TimeoutError:
            return []
        if self._pending.get(work) is not future:
            return []  # taken back
        del self._pending[work]
        match future.exception():
            case None:
                return [Done(work, future.result())]
            case WorkerLost() as lost:
                return [Lost(work, str(lost))]
            case SimbbmError() as error:
                return [Raised(work, error)]
            case error:
                raise error

    def _take_back(self, *, begun: bool) -> list[Event[W]]:
        """Stop waiting for what no worker has begun, or for all that has no answer yet."""
        left = [work for work, future in self._pending.items() if not future.done()]
        taken = [work for work in left if self._pending[work].cancel() or begun]
        for work in taken:
            del self._pending[work]
        return [Dropped(work, begun) for work in taken]
