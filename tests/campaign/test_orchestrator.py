"""The asyncio loop with real workers: killed, interrupted, replaced, and never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from simbbm.campaign.chunks import Job, run_chunk
from simbbm.campaign.events import Done, Dropped, Event, TimeUp
from simbbm.campaign.orchestrator import Orchestrator
from simbbm.campaign.planner import ChunkPlanner
from simbbm.campaign.pool import Pool, WorkerLost
from simbbm.campaign.worker import GROWTH_BYTES
from simbbm.explore.runs.play import MAX_STEPS

FINDER = "tests.campaign.finder:find"
ROOT = Path(__file__).parents[2]


async def conduct(
    planner: ChunkPlanner,
    pool: Pool,
    scenario_id: str,
    on_event: Callable[[], object] = lambda: None,
) -> None:
    """Run a campaign to its end."""
    job = Job(FINDER, scenario_id, (), "random", 0, MAX_STEPS, stop_first=True)
    await Orchestrator(planner, pool, lambda c: (run_chunk, job, c), on_event=on_event).finish()


@pytest.mark.asyncio
async def test_a_campaign_ends_with_its_workers() -> None:
    planner, pool = ChunkPlanner(300, 2, stop_first=True), Pool(2)
    toy = "toys::holds"
    seen: set[int] = set()
    await conduct(planner, pool, toy, lambda: seen.update(pool.pids))
    assert planner.complete
    assert planner.total().runs == 300
    assert len(seen) == 2
    assert not pool.pids


@pytest.mark.asyncio
async def test_workers_that_are_killed_from_outside_are_replaced() -> None:
    planner, pool = ChunkPlanner(400, 2, stop_first=True), Pool(2)
    toy = "toys::slow|0.0002"
    killed: list[int] = []

    def kill_one() -> None:
        if len(killed) < 3 and planner.summed > 30 * len(killed):
            killed.append(pool.pids[-1])
            os.kill(killed[-1], signal.SIGKILL)

    await conduct(planner, pool, toy, kill_one)
    assert planner.lost_workers == len(killed) == 3
    assert planner.complete
    alone = ChunkPlanner(400, 1, stop_first=True)
    await conduct(alone, Pool(1), "toys::holds")
    assert planner.total().digest == alone.total().digest


@pytest.mark.asyncio
async def test_workers_leave_ctrl_c_to_the_parent() -> None:
    planner, pool = ChunkPlanner(400, 2, stop_first=True), Pool(2)
    toy = "toys::slow|0.0002"

    def interrupt_all() -> None:
        for pid in pool.pids:
            os.kill(pid, signal.SIGINT)

    await conduct(planner, pool, toy, interrupt_all)
    assert planner.complete
    assert planner.lost_workers == 0


def test_a_worker_is_deaf_to_signals_from_its_first_moment() -> None:
    """Before `serve` has run; and the parent can hear it again."""
    program = (
        "from concurrent.futures import ProcessPoolExecutor\n"
        "from multiprocessing import get_context\n"
        "from signal import SIG_BLOCK, pthread_sigmask\n"
        "from simbbm.campaign.processes import _start_fork_server\n"
        "_start_fork_server()\n"
        "with ProcessPoolExecutor(1, get_context('forkserver')) as pool:\n"
        "    print(sorted(pool.submit(pthread_sigmask, SIG_BLOCK, []).result()))\n"
        "print(sorted(pthread_sigmask(SIG_BLOCK, [])))\n"
    )
    out = subprocess.check_output([sys.executable, "-c", program], text=True)
    blocked = "[<Signals.SIGHUP: 1>, <Signals.SIGINT: 2>, <Signals.SIGTERM: 15>]"
    assert out.splitlines() == [blocked, "[]"]


class Numbers:
    """A planner of numbers, all given out at once."""

    def __init__(self, *numbers: int) -> None:
        self.left = list(numbers)
        self.events: list[Event[int]] = []
        self.time_up = False

    @property
    def finished(self) -> bool:
        return TimeUp() in self.events and not self.left

    def handle(self, *events: Event[int]) -> list[int]:
        self.events += events
        self.time_up |= TimeUp() in events
        given, self.left = self.left, []
        return given


class Shelf:
    """A pool that does nothing with what it gets."""

    def __init__(self, *futures: Future[str]) -> None:
        self.futures = iter(futures)

    def submit(self, *_: object) -> Future[str]:
        return next(self.futures)

    def shutdown(self) -> None:
        pass


@pytest.mark.asyncio
async def test_only_what_no_worker_has_begun_is_taken_back() -> None:
    begun, waiting, ended = (Future[str]() for _ in range(3))
    begun.set_running_or_notify_cancel()
    planner = Numbers(0, 1, 2)
    shelf: Any = Shelf(begun, waiting, ended)
    orchestrator = Orchestrator(planner, shelf, lambda n: (n,), seconds=0.05)
    ended.set_running_or_notify_cancel()
    await orchestrator.finish()
    assert planner.events == [TimeUp(), Dropped(1)]
    ended.set_result("answer")
    orchestrator._deadline = 0.0
    await orchestrator.advance()
    assert planner.events[2:] == [Dropped(0, begun=True)]
    orchestrator._deadline = None
    for _ in range(2):  # that the other was taken back is heard first
        await orchestrator.advance()
    assert planner.events[3:] == [Done(2, "answer")]


@pytest.mark.asyncio
async def test_a_lost_worker_costs_what_it_was_computing_and_is_replaced() -> None:
    """However it ends; what waits goes to others, and to the one that takes its place."""
    with Pool(2) as pool:
        await asyncio.wrap_future(pool.submit(divmod, 7, 2))
        (first,) = pool.pids
        futures = [
            pool.submit(time.sleep, 600),
            pool.submit(os._exit, 7),
            pool.submit(_memory_error),
            pool.submit(divmod, 7, 2),
        ]
        await asyncio.wrap_future(futures[3])
        os.kill(first, signal.SIGKILL)
        ends = [await asyncio.wait_for(_ended(future), 60) for future in futures]
    assert ends == [
        "WorkerLost: its process was lost (killed by signal 9)",
        "WorkerLost: its process was lost (exit code 7)",
        "WorkerLost: out of memory",
        "(3, 1)",
    ]
    assert not pool.pids


async def _ended(future: Future[Any]) -> str:
    try:
        return str(await asyncio.wrap_future(future))
    except WorkerLost as lost:
        return f"WorkerLost: {lost}"


def _memory_error() -> None:
    raise MemoryError


@pytest.mark.asyncio
async def test_a_worker_that_died_idle_costs_nothing() -> None:
    with Pool(1) as pool:
        assert await asyncio.wrap_future(pool.submit(divmod, 7, 2)) == (3, 1)
        (idle,) = pool.pids
        os.kill(idle, signal.SIGKILL)
        time.sleep(0.5)  # noqa: ASYNC251 - the event loop shall hear nothing of it
        assert await asyncio.wrap_future(pool.submit(divmod, 9, 2)) == (4, 1)
        assert pool.pids
        assert pool.pids != [idle]


@pytest.mark.asyncio
async def test_a_worker_stays_unless_it_has_grown() -> None:
    """Memory that one search keeps does not count against the limit of the next."""
    with Pool(1) as pool:
        pids = [await asyncio.wrap_future(pool.submit(os.getpid)) for _ in range(2)]
        await asyncio.wrap_future(pool.submit(_grow, GROWTH_BYTES))
        after = await asyncio.wrap_future(pool.submit(os.getpid))
    assert pids[0] == pids[1] != after


_hoard: list[bytes] = []


def _grow(size: int) -> None:
    _hoard.append(b"x" * size)


@pytest.mark.asyncio
async def test_cancelling_keeps_what_was_found() -> None:
    planner, pool = ChunkPlanner(None, 2, stop_first=True), Pool(2)
    toy = "toys::slow|0.002"
    some = asyncio.Event()
    task = asyncio.create_task(conduct(planner, pool, toy, some.set))
    await some.wait()
    began = time.monotonic()
    task.cancel()
    await task
    assert time.monotonic() - began < 4
    assert planner.interrupted
    assert planner.total().runs > 0
    assert not pool.pids


PROGRAM = """
import sys
from simbbm.campaign.stress import StressRequest, stress

if __name__ == "__main__":
    request = StressRequest(scenario_id=sys.argv[1], time=60, jobs=2, finder=sys.argv[2])
    result = stress(request, lambda progress: print("progress", flush=True))
    print("interrupted", result.interrupted, result.verdict, result.runs > 0, result.failures)
"""


def begin(scenario_id: str) -> subprocess.Popen[str]:
    """Start a campaign in a process group of its own, as a shell would, and let it get going."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PROGRAM, scenario_id, FINDER],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "progress\n"
    return process


@pytest.mark.parametrize("scenario_id", ["toys::slow|0.002", "toys::hangs"])
def test_ctrl_c_stops_within_a_second_and_says_what_was_found(scenario_id: str) -> None:
    process = begin(scenario_id)
    began = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert time.monotonic() - began < 4, "a second, and some for a loaded machine"
    assert out.splitlines()[-1] == "interrupted True INCONCLUSIVE True {}"
    assert err == ""
    assert process.returncode == 0


@pytest.mark.parametrize("scenario_id", ["toys::slow|0.002", "toys::hangs"])
def test_workers_die_with_their_parent(scenario_id: str) -> None:
    process = begin(scenario_id)
    process.kill()
    # Every process of the campaign has the pipe: its end is the end of the last of them.
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL
