"""The asyncio loop with real workers: killed, interrupted, replaced, and never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future
from pathlib import Path

import pytest

from simbbm.campaign.orchestrator import Work, _abandon, _take_back, conduct
from simbbm.campaign.planner import Chunk, Dropped, Planner
from simbbm.campaign.pool import Pool
from simbbm.campaign.worker import Job, Report
from simbbm.explore.run import MAX_STEPS

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


@pytest.mark.asyncio
async def test_only_what_no_worker_has_begun_is_taken_back() -> None:
    begun: Future[Report] = Future()
    begun.set_running_or_notify_cancel()
    waiting: Future[Report] = Future()
    pending = {
        asyncio.wrap_future(future): Work(Chunk(n, n + 1), future)
        for n, future in enumerate((begun, waiting))
    }
    assert _take_back(pending) == [Dropped(Chunk(1, 2))]
    assert _abandon(pending) == [Dropped(Chunk(0, 1), begun=True)]
    assert pending == {}


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
