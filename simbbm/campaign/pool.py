"""Worker processes that stay, and compute one answer each at a time.

A worker that dies costs the answer that it was computing, and nothing else: another one takes its
place when there is something to compute. All of it happens in the event loop of whoever asks.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple

from simbbm.campaign.processes import worker_context
from simbbm.campaign.worker import Reply, Word, serve
from simbbm.host.defects import defect


class WorkerLost(Exception):
    """A worker ended without the answer that it was computing."""


class _Asked(NamedTuple):
    """Something to be computed, and where the answer goes."""

    future: Future[Any]
    function: Callable[..., Any]
    args: tuple[Any, ...]


class _Worker:
    """A worker process, the pipe to it, and what it is computing."""

    def __init__(self, context: Any, loop: asyncio.AbstractEventLoop) -> None:
        pipe, theirs = context.Pipe()
        self.pipe: Connection = pipe
        self.process: BaseProcess = context.Process(target=serve, args=(theirs,), daemon=True)
        self.asked: _Asked | None = None
        self._loop = loop
        try:
            self.process.start()
        except OSError:
            self.pipe.close()
            raise
        finally:
            theirs.close()

    def listen(self, read: Callable[[_Worker], object]) -> None:
        """Have `read` called whenever it has sent something, or has ended."""
        self._loop.add_reader(self.pipe, read, self)

    def ask(self, asked: _Asked) -> None:
        """Send it something to compute; raise OSError if it has ended."""
        self.pipe.send((asked.function, asked.args))
        self.asked = asked

    def end(self) -> None:
        """End the process, whatever it is doing."""
        self._loop.remove_reader(self.pipe)
        self.pipe.close()
        self.process.kill()
        self.process.join()


class Pool(Executor):
    """Up to `jobs` workers. `on_word` is called with what they say before they have an answer."""

    def __init__(self, jobs: int, on_word: Callable[[Any], object] | None = None) -> None:
        self._jobs = jobs
        self._on_word = on_word
        self._context = worker_context()
        self._workers: list[_Worker] = []
        self._waiting = deque[_Asked]()

    @property
    def pids(self) -> list[int]:
        """The process numbers of the workers that there are now."""
        return [worker.process.pid for worker in self._workers if worker.process.pid]

    def submit(self, function: Callable[..., Any], /, *args: Any) -> Future[Any]:  # type: ignore[override]  # no keywords
        """Have a function called by the next worker that is free; the event loop has to run.

        The future gets the answer; or the SimbbmError that was raised, WorkerLost, or the OSError
        that kept a worker from being started. It can be cancelled until the function is called.
        """
        asked = _Asked(Future(), function, args)
        self._waiting.append(asked)
        self._give_out()
        return asked.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - as Executor has it
        """End all workers, whatever they are doing; what they were asked is not answered."""
        self._waiting.clear()
        while self._workers:
            self._workers.pop().end()

    def _give_out(self) -> None:
        """Ask those who are free, as long as there is something to ask."""
        while self._waiting:
            worker = next((w for w in self._workers if w.asked is None), None)
            if worker is None and len(self._workers) >= self._jobs:
                return
            asked = self._waiting.popleft()
            if not asked.future.running() and not asked.future.set_running_or_notify_cancel():
                continue
            try:
                worker = worker or self._another()
            except OSError as error:
                asked.future.set_exception(error)
                continue
            try:
                worker.ask(asked)
            except OSError:  # it ended while it had nothing to do
                self._end(worker)
                self._waiting.appendleft(asked)

    def _another(self) -> _Worker:
        worker = _Worker(self._context, asyncio.get_running_loop())
        self._workers.append(worker)
        worker.listen(self._read)
        return worker

    def _end(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.end()

    def _read(self, worker: _Worker) -> None:
        """Take what a worker has sent, or that it has ended."""
        try:
            sent = worker.pipe.recv()
        except (EOFError, OSError):
            worker.process.join()
            why = f"its process was lost ({_how(worker.process.exitcode)})"
            sent = Reply(lost=why, last=True)
        except Exception as error:  # noqa: BLE001 - raised by whoever waits for the answer
            sent = Reply(error=defect(error))
        if isinstance(sent, Word):
            if self._on_word:
                self._on_word(sent.text)
            return
        asked, worker.asked = worker.asked, None
        if sent.last:
            self._end(worker)
        if asked is not None:
            _answer(asked.future, sent)
        self._give_out()


def _answer(future: Future[Any], reply: Reply) -> None:
    if reply.lost:
        future.set_exception(WorkerLost(reply.lost))
    elif reply.error:
        future.set_exception(reply.error)
    else:
        future.set_result(reply.answer)


def _how(code: int | None) -> str:
    return f"killed by signal {-code}" if code is not None and code < 0 else f"exit code {code}"
