"""Stress: one answer, whatever the number of workers; honest when something goes wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from simbbm import discovery
from simbbm.campaign.chunks import Job, run_chunk
from simbbm.campaign.events import Interrupted
from simbbm.campaign.planner import Chunk, ChunkPlanner
from simbbm.campaign.processes import available_cpus
from simbbm.campaign.stress import Progress, StressRequest, StressResult, _result, stress
from simbbm.check.verdict import Verdict
from simbbm.core.errors import ScenarioError, UsageError
from simbbm.explore.runs.run import run_one
from simbbm.explore.witness.recording import witness_of
from simbbm.model import Model
from tests.campaign.finder import find

TOYS = "tests.campaign.finder:find"


def campaign(scenario_id: str, **more: Any) -> StressResult:
    finder = TOYS if scenario_id.startswith("toys") else "simbbm.discovery:find"
    more.setdefault("jobs", 2)
    return stress(StressRequest(scenario_id=scenario_id, finder=finder, **more))


def answer(result: StressResult) -> dict[str, Any]:
    """What may not depend on the machine, the load or the workers."""
    fields = ("seconds", "lost_workers")
    return {f: getattr(result, f) for f in result.__struct_fields__ if f not in fields}


@pytest.mark.parametrize(
    ("scenario_id", "stop"),
    [
        ("bbm_minimal::good", "first"),
        ("toys::fails", "first"),
        ("toys::fails_in_two_ways", "never"),
    ],
)
def test_the_number_of_workers_changes_nothing(scenario_id: str, stop: str) -> None:
    results = [campaign(scenario_id, runs=600, seed=5, stop=stop, jobs=jobs) for jobs in (1, 2, 3)]
    assert answer(results[0]) == answer(results[1]) == answer(results[2])


def test_a_campaign_is_the_sum_of_its_runs() -> None:
    result = campaign("toys::fails_in_two_ways", runs=500, seed=5, stop="never", strategy="random")
    alone = [run_one(Model(find("toys::fails_in_two_ways")), "random", 5, n) for n in range(500)]
    failing = [n for n, run in enumerate(alone) if run.verdict == "VIOLATED"]
    assert (result.runs, result.steps) == (500, sum(run.steps for run in alone))
    assert result.first_failure == failing[0]
    assert result.failure == alone[failing[0]].outcome
    assert (result.verdict, result.property) == (Verdict.VIOLATED, alone[failing[0]].property)
    assert result.failures == {
        (Verdict.VIOLATED, name): sum(run.property == name for run in alone)
        for name in ("other", "rare")
    }


def test_stopping_at_the_first_failure_counts_the_runs_up_to_it() -> None:
    result = campaign("toys::fails", runs=100_000, seed=5)
    assert result.first_failure is not None
    assert result.runs == result.first_failure + 1
    assert result.failures == {(Verdict.VIOLATED, "rare"): 1}
    upto = campaign("toys::fails", runs=result.first_failure + 1, seed=5, stop="never")
    assert (upto.digest, upto.steps) == (result.digest, result.steps)


def test_the_first_failure_can_be_run_again() -> None:
    result = campaign("bbm_minimal::no_invalidation", runs=50, seed=8)
    scenario = discovery.find("bbm_minimal::no_invalidation")
    assert result.first_failure is not None
    witness = witness_of(Model(scenario), result.strategy, 8, result.first_failure)
    assert result.failure is not None
    assert witness.digest == result.failure.digest
    assert (witness.verdict, witness.property) == (result.verdict, result.property)


def test_every_run_done_is_sampled_and_says_what_that_means() -> None:
    result = campaign("bbm_minimal::good", runs=400, strategy="pct:depth=2")
    assert (result.verdict, result.runs, result.runs_requested) == (Verdict.SAMPLED, 400, 400)
    assert (result.property, result.first_failure, result.failures) == (None, None, {})
    (bound,) = result.pct
    assert bound.runs_counted + bound.runs_too_long == 400
    assert bound.n >= 4
    assert "Not a proof" in bound.text


def test_the_estimate_is_of_the_first_thousand_runs_whoever_makes_them() -> None:
    job = Job(TOYS, "toys::holds", (), "default", 3, 100, stop_first=True)
    counts = [
        sum(s.runs for s in run_chunk(job, Chunk(*c)).tally.samples)
        for c in ((990, 1010), (1000, 1100))
    ]
    assert counts == [10, 0]
    results = [campaign("toys::holds", runs=runs, seed=3) for runs in (1000, 1500)]
    assert results[0].estimate == results[1].estimate
    assert results[0].estimate is not None
    assert results[0].estimate.runs == 1000


def test_a_failure_says_how_many_surprises_it_took() -> None:
    late = campaign(
        "linear_map_split::m10_no_dsb_after_tlbi", runs=300, strategy="surprise:budget=1"
    )
    assert (late.verdict, late.surprises) == (Verdict.VIOLATED, 1)
    other = campaign("bbm_minimal::live_change", runs=10, strategy="random")
    assert (other.verdict, other.surprises) == (Verdict.VIOLATED, None)


def test_runs_that_hit_max_steps_are_inconclusive() -> None:
    result = campaign("bbm_minimal::good", runs=40, max_steps=10)
    assert (result.verdict, result.inconclusive) == (Verdict.INCONCLUSIVE, 40)


def test_other_seeds_other_digests() -> None:
    assert len({campaign("toys::holds", runs=20, seed=seed).digest for seed in (1, 2)}) == 2


def test_time_alone_is_sampled_and_its_runs_can_be_asked_for_again() -> None:
    for seconds in (0.5, 5.0, 20.0):  # workers take their time to start on a loaded machine
        timed = campaign("toys::holds", time=seconds)
        if timed.runs:
            break
    assert timed.verdict is Verdict.SAMPLED
    assert timed.runs_requested is None
    again = campaign("toys::holds", runs=timed.runs)
    assert (again.digest, again.steps) == (timed.digest, timed.steps)


def test_time_that_ends_before_the_runs_is_inconclusive() -> None:
    result = campaign("toys::slow|0.004", runs=1_000_000, time=0.5)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.runs < 1_000_000
    assert result.seconds < 10


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_run_that_hangs_does_not_hold_up_the_time(jobs: int) -> None:
    for seconds in (0.5, 5.0, 20.0):  # it has to come to that run
        result = campaign("toys::hangs", time=seconds, jobs=jobs)
        assert result.seconds < seconds + 15
        if result.verdict is Verdict.INCONCLUSIVE:
            break
    else:
        pytest.fail("never came to the run that hangs")


def test_a_worker_that_is_killed_costs_nothing_but_time(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    lossy = campaign(f"toys::dies_once|{marker}", runs=400, seed=3)
    assert marker.exists()
    assert (lossy.verdict, lossy.lost_workers) == (Verdict.SAMPLED, 1)
    assert answer(lossy) == answer(campaign("toys::holds", runs=400, seed=3))


def test_a_run_that_always_kills_its_worker_is_inconclusive() -> None:
    result = campaign("toys::dies", runs=400, seed=3)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.lost_workers >= 3
    assert 0 < result.runs < 400


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_of_the_scenario_is_raised_as_it_was(jobs: int) -> None:
    with pytest.raises(ScenarioError) as caught:
        campaign("toys::complains", runs=100_000, jobs=jobs)
    assert (caught.value.message, caught.value.hint) == ("a program is wrong", "mend it")


def test_an_unknown_scenario_parameter_or_strategy_is_a_usage_error() -> None:
    for wrong in (
        {"scenario_id": "bbm_minimal::nothing"},
        {"scenario_id": "bbm_minimal::good", "params": {"colour": "red"}},
        {"scenario_id": "bbm_minimal::good", "strategy": "best"},
    ):
        with pytest.raises(UsageError):
            campaign(**wrong, runs=10)
    with pytest.raises(UsageError, match="without an end"):
        campaign("bbm_minimal::good")


def test_parameters_reach_the_workers() -> None:
    result = campaign("bbm_minimal::live_change", runs=20, params={"noabort": "all"})
    assert result.verdict is Verdict.SAMPLED


def test_progress_is_told() -> None:
    told: list[Progress] = []
    request = StressRequest(scenario_id="toys::holds", runs=500, jobs=2, finder=TOYS)
    result = stress(request, told.append)
    assert [p.runs for p in told] == sorted(p.runs for p in told)
    assert (told[-1].runs, told[-1].runs_requested) == (500, 500)
    assert 0 < told[0].seconds <= told[-1].seconds <= result.seconds


def test_all_cores_are_used_unless_a_number_is_given() -> None:
    assert 1 <= available_cpus() <= (os.cpu_count() or 1)


def test_hash_seeds_change_nothing() -> None:
    program = (
        "from simbbm.campaign.stress import *\n"
        "if __name__ == '__main__':\n"
        "    r = stress(StressRequest(scenario_id='bbm_minimal::good', runs=100, jobs=2))\n"
        "    print(r.digest, r.steps, r.pct)\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-W", "error", "-c", program],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("0", "random")
    }
    assert len(outputs) == 1
    assert outputs != {""}


def test_a_campaign_that_was_stopped_says_why_it_has_no_answer() -> None:
    interrupted, short = (ChunkPlanner(10, 1, stop_first=True) for _ in range(2))
    interrupted.handle(Interrupted())

    for planner, why in ((interrupted, "interrupted"), (short, "only 0 of 10 runs were done")):
        result = _result(planner, "random", 0.0, None, 100)
        assert ("INCONCLUSIVE", why) == (result.verdict, result.message)
