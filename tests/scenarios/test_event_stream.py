"""WFE with an event stream: a lost wake-up is a delay, and is counted."""

from __future__ import annotations

import pytest

from simbbm import discovery
from simbbm.core.graph import Ended
from simbbm.explore.runs.run import run_one
from simbbm.explore.search.fewest import fewest_surprises
from simbbm.explore.search.prove import Prover
from simbbm.model import Model

SMALL = {"cpus": 2, "layout": "pages"}
ON = SMALL | {"event_stream": "yes"}


@pytest.mark.parametrize("twin", ["m29_plain_load_in_wait", "m30_no_sevl"])
def test_with_an_event_stream_a_lost_wakeup_is_a_delay(twin: str) -> None:
    late, good = (
        Prover(Model(discovery.find(f"linear_map_split::{name}"), ON)).prove()
        for name in (twin, "good")
    )

    assert ("PROVED", "PROVED") == (late.verdict, good.verdict)
    assert (True, 0) == (late.landmarks["delayed_wakeups"] > 0, good.landmarks["delayed_wakeups"])


def test_the_event_stream_is_no_way_out_of_what_never_comes() -> None:
    given = ON | {"cpus": 3}
    proof = Prover(Model(discovery.find("linear_map_split::m14_plain_increment"), given)).prove()

    assert "STUCK" == proof.verdict
    assert proof.loop is not None


def test_the_polite_schedule_has_it_come_last() -> None:
    """Else a CPU that waits would look again and again, and nobody else would move."""
    good = discovery.find("linear_map_split::good")
    steps = {name: run_one(Model(good, given), "polite", 0).steps for name, given in CASES.items()}
    lost = run_one(Model(discovery.find("linear_map_split::m30_no_sevl"), ON), "polite", 0)

    assert steps["off"] == steps["on"]
    assert ("HOLDS", True) == (lost.verdict, lost.steps < 2 * steps["on"])


CASES = {"off": SMALL, "on": ON}


def test_it_is_no_surprise_to_wait_for_it() -> None:
    """The failure comes after a wait for the release: cpu0 goes on meanwhile."""
    bad = discovery.find("linear_map_split::m22_ttbr1_not_restored")
    fewest = {
        name: fewest_surprises(
            Model(bad, given).system, Ended.VIOLATED, "no_fault_on_live_map", 20_000
        )
        for name, given in CASES.items()
    }
    good = discovery.find("linear_map_split::good")
    steps = [run_one(Model(good, ON), "surprise:budget=0", seed).steps for seed in range(5)]

    assert {"off": 0, "on": 0} == fewest
    assert max(steps) - min(steps) < 10
