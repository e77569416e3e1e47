"""Where the work of a campaign is done: processes here, or a cluster of dask's.

Both are `concurrent.futures.Executor`s, and nothing but time depends on which one it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import CancelledError, Executor, Future
from importlib import import_module
from threading import Lock
from typing import Any, NamedTuple

from simbbm.campaign.pool import Pool, WorkerLost
from simbbm.campaign.processes import available_cpus
from simbbm.core.errors import UsageError
from simbbm.host.reading import quoted

LOCAL, DASK = "local", "dask:"
SECONDS = 10
"""How long a scheduler of dask's may take to answer."""


class Workers(NamedTuple):
    """An executor, and how much of it is done at once."""

    executor: Executor
    jobs: int


def workers(where: str, jobs: int | None) -> Workers:
    """The executor of a name: `local`, or `dask:` and the address of a scheduler."""
    if where == LOCAL:
        jobs = jobs or available_cpus()
        return Workers(Pool(jobs), jobs)
    if not where.startswith(DASK) or where == DASK:
        raise UsageError(f"no executor {quoted(where)}", "there are local and dask:ADDRESS")
    if jobs is not None:
        raise UsageError("-j is for local workers", "a cluster has as many as it has")
    executor = DaskExecutor(where.removeprefix(DASK))
    return Workers(executor, executor.jobs)


class DaskExecutor(Executor):
    """The workers of a dask cluster, which must have simbbm of the same version, and its files."""

    def __init__(self, address: str) -> None:
        """Connect to the scheduler at this address; UsageError if there is none."""
        try:
            distributed: Any = import_module("distributed")
        except ImportError:
            hint = "pip install 'simbbm[distributed]'"
            raise UsageError("dask:ADDRESS needs the package distributed", hint) from None
        try:
            self._client = distributed.Client(address, timeout=SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            said = quoted(address)
            raise UsageError(f"no scheduler of dask's at {said}: {quoted(error)}") from None
        self.jobs = len(self._client.scheduler_info(n_workers=-1)["workers"])
        if not self.jobs:
            self._client.close()
            raise UsageError(f"the scheduler at {quoted(address)} has no workers", "start some")

    def submit(self, function: Callable[..., Any], /, *args: Any) -> Future[Any]:  # type: ignore[override]  # no keywords
        """Have a function called by some worker; the event loop has to run.

        dask calls back in a thread of its own, from where the answer is brought to the loop.
        """
        answer, loop = Future[Any](), asyncio.get_running_loop()
        theirs = self._client.submit(alone, function, *args, pure=False, retries=0)
        answer.set_running_or_notify_cancel()

        def bring(done: Any) -> None:
            try:
                given, error = done.result(), None
            except (Exception, CancelledError) as raised:  # noqa: BLE001 - given to who waits
                given, error = None, raised
            loop.call_soon_threadsafe(_set, answer, given, error)

        theirs.add_done_callback(bring)
        return answer

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - as Executor has it
        """Leave the cluster, which goes on; what was asked is not answered."""
        self._client.close()


_one_at_a_time = Lock()


def alone(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function while no other thread does: what it keeps is the whole process's."""
    with _one_at_a_time:
        return function(*args)


def _set(future: Future[Any], given: Any, error: BaseException | None) -> None:
    if error is None:
        future.set_result(given)
    elif type(error).__module__.partition(".")[0] == "distributed" or isinstance(
        error, CancelledError
    ):
        future.set_exception(WorkerLost(str(error)))
    else:
        future.set_exception(error)
