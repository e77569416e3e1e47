"""A pool of worker processes that can die, be rebuilt, and be stopped at once."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sys
import tempfile
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from errno import EMFILE
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import BaseContext

from simbbm.campaign.planner import Chunk
from simbbm.campaign.worker import Job, Report, initialise, run_chunk
from simbbm.core.errors import UsageError
from simbbm.host import signals
from simbbm.host.reading import quoted

FILES_MIN = 24
"""Files that may be open at once: with fewer, worker processes cannot be started."""


FOLDER_MAX = 103 - len("/pymp-12345678/listener-12345678")
"""Bytes of the name of the folder for temporary files: a socket's has at most 103 everywhere."""


class Pool:
    """Worker processes for one job."""

    def __init__(self, job: Job, jobs: int) -> None:
        self._job = job
        self._jobs = jobs
        self._context = worker_context(run_chunk.__module__, "simbbm.discovery")
        self._executor = self._make()

    def _make(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self._jobs, mp_context=self._context, initializer=initialise)

    def submit(self, chunk: Chunk) -> Future[Report]:
        """Run a chunk in a worker. Never raises: of a broken pool the future holds the error."""
        try:
            return self._executor.submit(run_chunk, self._job, *chunk)
        except BrokenProcessPool as error:
            future: Future[Report] = Future()
            future.set_exception(error)
            return future

    def rebuild(self) -> None:
        """Replace the processes after one died, which breaks the whole executor."""
        self.close()
        self._executor = self._make()

    def close(self) -> None:
        """End the processes, whatever they are doing."""
        # Running work cannot be cancelled, and its result is not wanted any more. There is no
        # public way to reach the processes before Python 3.14.
        for process in list((self._executor._processes or {}).values()):  # noqa: SLF001
            process.kill()
        self._executor.shutdown(wait=True, cancel_futures=True)


def available_cpus() -> int:
    """How many processes can run at once."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def worker_context(*preload: str) -> BaseContext:
    """How worker processes are made; `preload` are the modules that they will need.

    They come from a fork server where there is one: plain fork is unsafe under the threads that a
    progress display or a test runner has, and a bare spawn imports everything in every worker.
    """
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < FILES_MIN:
        raise OSError(EMFILE, os.strerror(EMFILE))
    _require_folder()
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*preload])
    _start_fork_server()
    return context


def _require_folder() -> None:
    """Raise UsageError if there is no usable folder for temporary files: sockets are made there."""
    try:
        folder = tempfile.gettempdir()
    except FileNotFoundError:
        raise UsageError(
            "no folder for temporary files can be written to, which worker processes need",
            "set TMPDIR to one that can, and see ulimit -f",
        ) from None
    if len(os.fsencode(folder)) > FOLDER_MAX:
        raise UsageError(
            f"{quoted(folder)}: too long a name for the folder of temporary files",
            "set TMPDIR to a shorter one",
        )


def _start_fork_server() -> None:
    """Start it with signals blocked, which its children inherit.

    Otherwise Ctrl-C would reach a worker before `initialise` makes it ignore signals, and end it
    with a traceback; and a signal to all processes would end them before the parent can report what
    they have found. The tracker of semaphores cleans up when the parent is gone; its warning about
    that would appear on a terminal that others use by then, and is switched off.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals.ENDING)
    sys.warnoptions.append(_QUIET)
    try:
        resource_tracker.ensure_running()  # where it is not running yet, this unblocks signals
        signal.pthread_sigmask(signal.SIG_BLOCK, signals.ENDING)
        forkserver.ensure_running()
    finally:
        sys.warnoptions.remove(_QUIET)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_QUIET = "ignore:resource_tracker:UserWarning"
"""An option -W of the processes that are started."""
