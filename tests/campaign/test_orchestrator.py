"""The asyncio loop with real workers: killed, interrupted, replaced, and never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from simbbm.campaign.orchestrator import Desk, conduct
from simbbm.campaign.planner import Chunk, Done, Dropped, Lost, Planner
from simbbm.campaign.pool import Pool
from simbbm.campaign.tally import Tally
from simbbm.campaign.worker import Job, Report
from simbbm.explore.runs.play import MAX_STEPS

FINDER = "tests.campaign.finder:find"
ROOT = Path(__file__).parents[2]


def pool_for(scenario_id: str, jobs: int = 2) -> Pool:
    return Pool(Job(FINDER, scenario_id, (), "random", 0, MAX_STEPS, stop_first=True), jobs)


def workers(pool: Pool) -> list[int]:
    return list(pool._executor._processes or {})


@pytest.mark.asyncio
async def test_a_campaign_ends_with_its_workers() -> None:
    planner, pool = Planner(300, 2, stop_first=True), pool_for("toys::holds")
    seen: set[int] = set()
    await conduct(planner, pool, on_event=lambda: seen.update(workers(pool)))
    assert planner.complete
    assert planner.total().runs == 300
    assert len(seen) == 2
    assert not workers(pool)


@pytest.mark.asyncio
async def test_workers_that_are_killed_from_outside_are_replaced() -> None:
    planner, pool = Planner(400, 2, stop_first=True), pool_for("toys::slow|0.0002")
    killed: list[int] = []

    def kill_one() -> None:
        if len(killed) < 3 and planner.summed > 30 * len(killed):
            killed.append(workers(pool)[-1])
            os.kill(killed[-1], signal.SIGKILL)

    await conduct(planner, pool, on_event=kill_one)
    assert planner.lost_workers == len(killed) == 3
    assert planner.complete
    alone = Planner(400, 1, stop_first=True)
    await conduct(alone, pool_for("toys::holds", 1))
    assert planner.total().digest == alone.total().digest


@pytest.mark.asyncio
async def test_workers_leave_ctrl_c_to_the_parent() -> None:
    planner, pool = Planner(400, 2, stop_first=True), pool_for("toys::slow|0.0002")

    def interrupt_all() -> None:
        for pid in workers(pool):
            os.kill(pid, signal.SIGINT)

    await conduct(planner, pool, on_event=interrupt_all)
    assert planner.complete
    assert planner.lost_workers == 0


class Shelf:
    """A pool that does nothing with what it gets."""

    def __init__(self, *futures: Future[Report]) -> None:
        self.futures = iter(futures)

    def submit(self, chunk: Chunk) -> Future[Report]:  # noqa: ARG002
        return next(self.futures)


def test_a_worker_is_deaf_to_signals_from_its_first_moment() -> None:
    """Before `initialise` has run; and the parent can hear it again."""
    program = (
        "from concurrent.futures import ProcessPoolExecutor\n"
        "from multiprocessing import get_context\n"
        "from signal import SIG_BLOCK, pthread_sigmask\n"
        "from simbbm.campaign.pool import _start_fork_server\n"
        "_start_fork_server()\n"
        "with ProcessPoolExecutor(1, get_context('forkserver')) as pool:\n"
        "    print(sorted(pool.submit(pthread_sigmask, SIG_BLOCK, []).result()))\n"
        "print(sorted(pthread_sigmask(SIG_BLOCK, [])))\n"
    )
    out = subprocess.check_output([sys.executable, "-c", program], text=True)
    blocked = "[<Signals.SIGHUP: 1>, <Signals.SIGINT: 2>, <Signals.SIGTERM: 15>]"
    assert out.splitlines() == [blocked, "[]"]


@pytest.mark.asyncio
async def test_only_what_no_worker_has_begun_is_taken_back() -> None:
    begun: Future[Report] = Future()
    begun.set_running_or_notify_cancel()
    ended: Future[Report] = Future()
    ended.set_result(Report(Tally(runs=1), 0.5))
    desk = Desk(Shelf(begun, Future(), ended))  # type: ignore[arg-type]
    chunks = [Chunk(n, n + 1) for n in range(3)]
    for chunk in chunks:
        desk.submit(chunk)
    assert desk.forget(begun=False) == [Dropped(chunks[1])]
    assert desk.forget(begun=True) == [Dropped(chunks[0], begun=True)]
    assert await desk.events(10) == [Done(chunks[2], Tally(runs=1), 0.5)]
    assert await desk.events(0.01) == []


@pytest.mark.asyncio
async def test_a_broken_pool_loses_what_was_under_way_and_no_result() -> None:
    broken, ended, other, again = (Future[Report]() for _ in range(4))
    broken.set_exception(BrokenProcessPool())
    shelf = Shelf(broken, ended, other, again)
    shelf.rebuild = lambda: other.set_exception(BrokenProcessPool())  # type: ignore[attr-defined]
    desk = Desk(shelf)  # type: ignore[arg-type]
    chunks = [Chunk(n, n + 1) for n in range(3)]
    for chunk in chunks:
        desk.submit(chunk)
    ended.set_result(Report(Tally(runs=1), 0.5))
    done, lost = await desk.events(10)
    assert done == Done(chunks[1], Tally(runs=1), 0.5)
    assert lost == Lost((chunks[0], chunks[2]))
    desk.submit(chunks[2])
    for _ in range(2):
        assert await desk.events(0.01) == [], "what is said of the future that was lost is old"
    again.set_result(Report(Tally(runs=2), 0.5))
    assert await desk.events(10) == [Done(chunks[2], Tally(runs=2), 0.5)]


@pytest.mark.asyncio
async def test_cancelling_keeps_what_was_found() -> None:
    planner, pool = Planner(None, 2, stop_first=True), pool_for("toys::slow|0.002")
    some = asyncio.Event()
    task = asyncio.create_task(conduct(planner, pool, on_event=some.set))
    await some.wait()
    began = time.monotonic()
    task.cancel()
    await task
    assert time.monotonic() - began < 4
    assert planner.interrupted
    assert planner.total().runs > 0
    assert not workers(pool)


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
