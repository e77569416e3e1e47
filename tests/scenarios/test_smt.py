"""The catalogue of known mistakes: what is harmless until CPUs have a TLB in common."""

from __future__ import annotations

from typing import Any

import pytest

from simbbm import discovery
from simbbm.explore.search.prove import Prover
from simbbm.linux.layout import LAYOUTS
from simbbm.model import Model
from simbbm.scenario import Scenario
from tests.explore.test_reductions import walk
from tests.scenarios.everything import expected_failures, failures, names

ALL = tuple(discovery.select(["smt"]))
BAD = tuple(s for s in ALL if not s.expect.holds and s.twin_of == "smt::good")
GOOD = discovery.find("smt::good")
HARMLESS_ALONE = {
    "m16_release_before_flush": "linear_map_split::m16_release_before_flush",
    "m17_no_final_tlbi": "catalogue::m17_no_final_tlbi",
    "m19_flush_behind_kernel": "catalogue::m19_flush_behind_kernel",
    "m19_wrong_stride": "catalogue::m19_wrong_stride",
}


@pytest.mark.parametrize("scenario", ALL, ids=names(ALL))
def test_it_fails_on_some_schedule_as_declared_and_in_no_other_way(scenario: Scenario) -> None:
    layout = "pmd" if scenario is GOOD else scenario.parameters_from({})["layout"]

    assert expected_failures(scenario) == failures(scenario, layout=layout)


@pytest.mark.parametrize("scenario", BAD, ids=names(BAD))
def test_cpus_with_tlbs_of_their_own_do_not_mind(scenario: Scenario) -> None:
    assert not failures(scenario, cnp="no")
    assert discovery.find(HARMLESS_ALONE[scenario.name]).expect.holds


def test_every_mistake_that_is_harmless_alone_is_here() -> None:
    assert {s.name for s in BAD} == set(HARMLESS_ALONE)


def test_siblings_of_the_boot_cpu_have_to_tolerate_what_it_does() -> None:
    among = discovery.find("smt::m16_among_siblings")

    assert not failures(among)
    assert failures(among, cpus=2, noabort="0") == {"VIOLATED:no_size_change_seen"}


def test_the_promise_is_broken_while_a_cpu_parks() -> None:
    found = Prover(Model(discovery.find("smt::cnp_for_reserved_table"))).prove()

    assert found.message.endswith("may have CnP set in TTBR1 for two tables under one ASID")


def test_an_old_block_comes_from_the_boot_cpu() -> None:
    found = Prover(Model(discovery.find("smt::m17_no_final_tlbi"))).prove()

    assert "cpu1 may hold two entries for lm.pmd+0 that differ in size" in found.message


MINUTE = pytest.mark.quality
"""Those that take longest: `nox -s quality` asks of them too."""


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_merged_protocol_holds(layout: str) -> None:
    proof = Prover(Model(GOOD, {"cpus": 2, "layout": layout})).prove()

    assert ("PROVED", None) == (proof.verdict, proof.property)
    assert proof.landmarks["others parked, map half split"] or layout in ("pages", "contpte")


@pytest.mark.parametrize(
    ("name", "params"),
    [
        pytest.param("good", {"cpus": 3, "layout": "pmd"}, marks=MINUTE),
        ("good", {"cpus": 2, "layout": "contpmd", "flush": "pages"}),
        pytest.param("m16_release_before_flush", {"cpus": 3}, marks=MINUTE),
        ("m16_release_before_flush", {"cpus": 2}),
        pytest.param("m16_among_siblings", {}, marks=MINUTE),
        pytest.param("m17_no_final_tlbi", {"cpus": 3}, marks=MINUTE),
        ("m17_no_final_tlbi", {"cpus": 2}),
        ("m19_wrong_stride", {}),
    ],
)
def test_reductions_leave_out_no_end(name: str, params: dict[str, Any]) -> None:
    system = Model(discovery.find(f"smt::{name}"), params).system
    everything, ends = walk(system, symmetry=False, ample=False)
    for symmetry, ample in ((True, False), (False, True), (True, True)):
        states, reduced = walk(system, symmetry=symmetry, ample=ample)
        assert states <= everything
        assert ends.keys() == reduced.keys()
        if ends.keys() == {"HOLDS"}:
            assert ends["HOLDS"] == reduced["HOLDS"]
