"""What a counterexample owes to hardware: which freedoms it used, and which it needs."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import pytest

from simbbm import discovery
from simbbm.arm64.descriptor import leaf
from simbbm.arm64.features import DELAYED, Features, Hardware
from simbbm.explore.counterexample.explain import explain
from simbbm.explore.counterexample.explanation import Allowances
from simbbm.explore.runs.replay import model_of
from simbbm.explore.search.prove import Prover, witness_along
from simbbm.explore.witness.recording import Witness, witness_of
from simbbm.hypothesis.systems import Member, System
from simbbm.model import Model
from simbbm.scenario import Scenario
from tests.explore.test_reductions import walk
from tests.scenarios.everything import TWINS, failures, on_hardware, one_in, twin
from tests.support import FLAG, INV, NEW, OLD, PX, X, little

PARAMS: dict[str, Any] = {"cpus": 2, "layout": "pmd"}
WALK, CACHE, TTBR, TLBI, DRAIN = (
    "speculative walk",
    "walk cache",
    "late TTBR",
    "asynchronous TLBI",
    "late drain",
)
NEEDS = {
    "m01_only_boot_cpu_runs_fn": (WALK,),
    "m07_count_before_switch": (WALK,),
    "m09_no_tlbi": (WALK, CACHE),
    "m10_no_dsb_after_tlbi": (WALK, CACHE, TLBI),
    "m11_no_isb_before_tlbi": (WALK, CACHE, TTBR),
    "m12_ttbr1_not_switched": (WALK,),
    "m20_no_dsb_before_populate": (DRAIN,),
    "m21_stores_unpublished": (DRAIN, WALK),
    "m22_ttbr1_not_restored": (),
    "m30_no_sevl": (),
}
"""Which freedoms each mistake lets do harm: its story, in a word or two."""
FAILING = tuple(s for s in TWINS if not s.expect.holds and s.name != "m14_plain_increment")
"""Those that fail with two CPUs."""


@cache
def counterexample(scenario: Scenario) -> Witness:
    proof = Prover(Model(scenario, PARAMS)).prove()
    assert proof.run is not None
    return witness_along(Model(scenario, PARAMS), proof.run)


@cache
def of(scenario: Scenario, states: int = 20_000) -> Allowances:
    explained = explain(w := counterexample(scenario), model_of(w, scenario), states)
    assert explained is not None
    return explained.allowances


@pytest.mark.parametrize("name", NEEDS)
def test_a_mistake_needs_the_freedom_that_it_fails_to_rein_in(name: str) -> None:
    assert NEEDS[name] == of(twin(name)).needed == of(twin(name)).used
    assert () == of(twin(name)).undecided


@pytest.mark.parametrize("scenario", one_in(10, FAILING))
def test_what_is_needed_is_used_and_fails_on_no_hardware_without(scenario: Scenario) -> None:
    """Held against all states without reductions, and against eager hardware."""
    found, witness = of(scenario), counterexample(scenario)
    way = f"{witness.verdict}:{witness.property}"
    for name in found.used:
        poorer = on_hardware(scenario, partial(Hardware.without, freedom=name))
        assert (name in found.needed) == (way not in failures(poorer, **PARAMS))

    assert {*found.needed} <= {*found.used}
    if way in failures(scenario, hardware="eager", **PARAMS):
        assert () == found.needed


def test_who_uses_the_boot_cpus_entries_needs_a_tlb_in_common() -> None:
    assert (WALK, "TLB in common") == of(discovery.find("smt::m17_no_final_tlbi")).needed


def test_a_flag_that_nobody_asked_for_needs_hardware_that_sets_it() -> None:
    """Nobody accesses x, and its access flag is found set."""
    steps = ("ldr", "pte x"), ("panic_if", (1, "new"))
    members = (Member(0, Features(hardware_af=True)),)
    scenario = System((steps,), members, entries=(("pte x", "cold"),), properties=()).scenario()
    model = Model(scenario)
    proof = Prover(model).prove()
    assert proof.run is not None
    witness = witness_along(Model(scenario), proof.run)

    assert witness.property == "no_panic"
    found = explain(witness, Model(scenario), 1_000)
    assert found is not None
    assert found.allowances.needed == ("hardware AF",)


def test_what_was_not_decided_is_said() -> None:
    few = of(twin("m10_no_dsb_after_tlbi"), 10)

    assert () == few.needed
    assert {WALK, CACHE, TLBI} == {*few.undecided} == {*few.used}


def test_a_run_that_holds_is_not_explained() -> None:
    good = twin("m16_release_before_flush")

    w = witness_of(Model(good, PARAMS), "polite", 0)
    assert explain(w, model_of(w, good)) is None


@pytest.mark.parametrize("name", [WALK, CACHE, TTBR, TLBI, DRAIN, "early translation"])
@pytest.mark.parametrize(
    "threads",
    [
        ((("ldr", FLAG), ("ldr", FLAG)), (("str", FLAG, 1),)),
        ((("ldr", X), ("ldr", X)), (("str", PX, leaf(NEW)),)),
        ((("ldr", X), ("ldr", FLAG), ("ldr", X)), (("str", PX, INV), ("tlbi", "vmalle1is"))),
    ],
)
def test_persistent_sets_keep_every_ending_on_hardware_with_less_freedom(
    name: str, threads: tuple[tuple[tuple[Any, ...], ...], ...]
) -> None:
    """Each order of what the two CPUs do is another outcome."""
    hardware = DELAYED.without(name)
    everything, reduced = (
        walk(
            little(*threads, x=leaf(OLD), uniform=True, hardware=hardware),
            symmetry=False,
            ample=ample,
        )
        for ample in (False, True)
    )

    outcomes, kept = (
        {tuple(cpu.point.value for cpu in state.cpus) for state in ends["HOLDS"]}
        for _, ends in (everything, reduced)
    )
    assert len(outcomes) > 1
    assert outcomes == kept
