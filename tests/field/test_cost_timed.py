"""Timed runs: a clock decides, the machine's own moves are taken, and all of it is a schedule."""

from __future__ import annotations

from typing import Any

import pytest

from simbbm import discovery
from simbbm.check.verdict import Verdict
from simbbm.core.choice import Polite, run_seed
from simbbm.core.graph import Node
from simbbm.explore.runs.play import Player
from simbbm.field.cost.latencies import Setting
from simbbm.field.cost.model import read_model
from simbbm.field.cost.timed import LAZY, PARTS, TimedRun, timed_model, timed_run
from simbbm.model import Model

TYPICAL = read_model().typical()


def run(cpus: int = 3, seed: bytes = b"", jitter: float = 0.0, slower: str = "") -> TimedRun:
    """A run of the smallest split, perhaps with one operation that is slower."""
    model = timed_model(LAZY, cpus, "pmd", "scaled")
    costs = TYPICAL | ({slower: 50 * TYPICAL[slower]} if slower else {})
    return timed_run(model, costs, Setting(cpus, 4), jitter=jitter, seed=seed)


def labels(timed: TimedRun) -> list[str]:
    return [moment.move.label for moment in timed.moments]


class Labelled:
    """A chooser that takes moves by their labels."""

    def __init__(self, wanted: list[str]) -> None:
        self.left = iter(wanted)

    def choose(self, node: Node[Any]) -> int:
        wanted = next(self.left)
        return next(k for k, move in enumerate(node.moves) if move.label == wanted)


def test_a_timed_run_is_a_schedule_that_holds_where_everything_is_judged() -> None:
    timed = run(jitter=0.3, seed=run_seed(0, 1))
    params = {"cpus": 3, "layout": "pmd", "tlb": "concrete"}
    player = Player(Model(discovery.find("linear_map_split::good"), params))
    played = player.walk(Labelled(labels(timed)))

    assert played.verdict is Verdict.HOLDS
    assert played.steps == len(timed.moments)
    assert labels(timed) != [*player.walk(Polite()).labels]


def test_a_seed_gives_the_same_run_and_another_one_another() -> None:
    first, again, other = (run(jitter=0.3, seed=seed) for seed in (b"a", b"a", b"b"))
    exact = [[(m.time, m.move.label) for m in timed.moments] for timed in (first, again, other)]

    assert exact[0] == exact[1] != exact[2]
    assert labels(first) != labels(other)


def test_moves_that_others_do_not_touch_take_their_time_side_by_side() -> None:
    times = [moment.time for moment in run().moments]

    assert times == sorted(times)
    assert len({*times}) < len(times)


def test_the_parts_of_the_window_are_all_of_it() -> None:
    timed = run()
    first = next(m for m in timed.moments if "init_idmap_kpti_bbml2_flag.str" in m.move.label)
    before = [m.time for m in timed.moments if m.time < first.time and m.move.agent == "cpu0"]

    assert sum(timed.parts().values()) == timed.moments[-1].time - before[-1]
    assert all(timed.parts()[part] > 0 for part in PARTS)


@pytest.mark.parametrize(
    ("slower", "grows", "stays"),
    [
        ("stopper_wakeup", {"rendezvous"}, {"splitting", "flush", "parking"}),
        ("tlbi_local", {"parking"}, {"splitting", "rendezvous"}),
        ("tlbi_broadcast", {"flush"}, {"splitting", "rendezvous", "parking"}),
        ("tlbi_per_cpu", {"flush"}, {"splitting", "rendezvous", "parking"}),
        ("wfe_wakeup", {"parking", "release"}, {"splitting", "flush", "rendezvous"}),
        ("dsb", {"splitting", "flush", "parking"}, {"rendezvous"}),
        ("line", {"rendezvous", "parking", "release"}, {"splitting"}),
        ("drain", {"splitting"}, set()),
    ],
)
def test_what_is_slower_shows_where_it_is_waited_for(
    slower: str, grows: set[str], stays: set[str]
) -> None:
    usual, slow = run().parts(), run(slower=slower).parts()

    assert {part for part in grows if slow[part] > usual[part]} == grows
    assert {part for part in stays if slow[part] == usual[part]} == stays


def test_tables_are_paid_for_where_they_are_filled() -> None:
    model = timed_model(LAZY, 2, "pmd", "4k")
    one, listed, big = (
        timed_run(model, TYPICAL, setting).parts()
        for setting in (Setting(2, 4), Setting(2, 4, preallocated=True), Setting(2, 64))
    )
    usual, faster, bigger = one["splitting"], listed["splitting"], big["splitting"]
    spared = TYPICAL["allocation"] + 4 * TYPICAL["clear"] - TYPICAL["preallocation"]

    assert usual - faster == spared
    assert bigger - usual == 60 * TYPICAL["clear"]


def test_cpus_that_count_in_one_word_queue_for_it() -> None:
    parking = [run(cpus).parts()["parking"] for cpus in (2, 4, 8)]

    assert parking[2] - parking[1] >= 4 * TYPICAL["line"]
