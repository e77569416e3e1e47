"""How worker processes are made: from a fork server where there is one, with signals blocked."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sys
import tempfile
from errno import EMFILE
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import BaseContext

from simbbm.core.errors import UsageError
from simbbm.host import signals
from simbbm.host.reading import quoted
from simbbm.ids import PACKAGE

FILES_MIN = 24
"""Files that may be open at once: with fewer, worker processes cannot be started."""


FOLDER_MAX = 103 - len("/pymp-12345678/listener-12345678")
"""Bytes of the name of the folder for temporary files: a socket's has at most 103 everywhere."""


NEEDED = (
    "simbbm.campaign.chunks",
    "simbbm.campaign.answers.searches_elsewhere",
    "simbbm.campaign.answers.trials",
)
"""What workers import: it is imported once, in the server."""


def available_cpus() -> int:
    """How many processes can run at once."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def worker_context() -> BaseContext:
    """How worker processes are made; they begin with the shipped scenarios that are loaded here.

    They come from a fork server where there is one: plain fork is unsafe under the threads that a
    progress display or a test runner has, and a bare spawn imports everything in every worker.
    """
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < FILES_MIN:
        raise OSError(EMFILE, os.strerror(EMFILE))
    _require_folder()
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    scenarios = sorted(name for name in sys.modules if name.startswith(f"{PACKAGE}."))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*NEEDED, *scenarios])
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

    Otherwise Ctrl-C would reach a worker before `worker.serve` makes it ignore signals, and end it
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
