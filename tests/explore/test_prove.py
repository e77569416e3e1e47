"""Exhaustive search: proofs, nearest counterexamples, and what a search that was cut short says."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from simbbm.arm64.descriptor import leaf, table
from simbbm.arm64.geometry import SCALED
from simbbm.arm64.machine import Arm64, MachineSpec
from simbbm.arm64.ops import Cpu
from simbbm.arm64.rows import Rows, State, Step
from simbbm.check.verdict import Expectation, Verdict
from simbbm.core.choice import Polite
from simbbm.core.graph import Graph, Node
from simbbm.core.program import repeat_until
from simbbm.explore.runs.replay import Result, model_of, replay
from simbbm.explore.search.attempt import Interrupted, failure_kind
from simbbm.explore.search.breadth_first import INTERRUPTED, Limits, Progress, Search
from simbbm.explore.search.coverage import never_awaited
from simbbm.explore.search.prove import Prover, witness_along
from simbbm.explore.search.reductions.reduced_system import ReducedSystem
from simbbm.model import Model
from simbbm.scenario import Scenario, Setup
from tests.scenarios.everything import (
    CAUGHT,
    GOOD,
    SHIPPED,
    TWINS,
    everything,
    expected_failures,
    one_in,
    twin,
)
from tests.support import FLAG, FLAG2, INV, OTHER, PTES, ROOT, machine

HOLDING = tuple(s for s in SHIPPED if s.expect.holds)
TABLES = {ROOT: (table(PTES), leaf(4), INV, INV), PTES: (INV,) * 4, OTHER: (INV,) * 4}


@dataclass(frozen=True, eq=False)
class Little(Scenario):
    """A scenario of a few programs on the little machine."""

    programs: tuple[tuple[Any, ...], ...] = ()

    def parameters_from(self, given: Mapping[str, Any]) -> dict[str, Any]:
        return dict(given)

    def setup(self, parameters: Mapping[str, Any]) -> Setup:  # noqa: ARG002
        return Setup(geometry=SCALED, cpus=(), tables={}, properties=())

    def machine(self, spec: MachineSpec, setup: Setup) -> Arm64:  # noqa: ARG002
        return machine(*self.programs, tables=TABLES, uniform=True)


def no_setup() -> Setup:
    raise NotImplementedError


def little(*programs: tuple[Any, ...]) -> Little:
    return Little(no_setup, "x", Expectation(), (), id="tests::little", programs=programs)


@pytest.mark.parametrize("scenario", one_in(5, HOLDING))
def test_what_holds_is_proved(scenario: Scenario) -> None:
    proof = Prover(Model(scenario)).prove()

    assert (Verdict.PROVED, None, None) == (proof.verdict, proof.property, proof.run)
    assert proof.states > max(10, proof.labels)  # one CPU that switches guests has 13
    assert all(proof.landmarks.values())
    # Where loads overtake, every order of the others matters; some properties look at two CPUs.
    in_order = scenario.parameters_from({}).get("window", 1) == 1
    uniform = all(p.uniform for p in scenario.setup({}).properties)
    assert (in_order and uniform) == bool(proof.reductions)


@pytest.mark.parametrize("scenario", one_in(8, CAUGHT))
def test_a_bad_twin_has_a_certified_counterexample(scenario: Scenario) -> None:
    """With the default parameters; its run is one of the machine itself, and replays."""
    proof = Prover(Model(scenario)).prove()

    assert f"{proof.verdict}:{proof.property}" in expected_failures(scenario)
    assert proof.certified
    assert proof.run is not None
    witness = witness_along(Model(scenario), proof.run)
    assert (proof.verdict, proof.property) == (witness.verdict, witness.property)
    assert len(proof.run) == witness.steps
    assert replay(witness, model_of(witness, scenario)).result is Result.REPRODUCED


@pytest.mark.parametrize("scenario", one_in(5, TWINS))
def test_no_reduction_finds_a_shorter_one(scenario: Scenario) -> None:
    params = {"cpus": 2, "layout": "pmd"}
    wanted = frozenset(scenario.expect.failures) or None
    plain = Search(
        ReducedSystem(Model(scenario, params).system, symmetry=False, ample=False), wanted=wanted
    ).run()
    proof = Prover(Model(scenario, params)).prove()

    if proof.run is None:
        assert plain.complete
        assert not plain.failures
    else:
        wanted_failures = [f for f in plain.failures if wanted is None or f.kind in wanted]
        assert len(proof.run) == len(wanted_failures[0].walk)


@pytest.mark.parametrize("name", ["m07_count_before_switch", "m10_no_dsb_after_tlbi"])
def test_of_the_shortest_runs_the_politest_is_told(name: str) -> None:
    """It differs less from the polite schedule than as it was met, and none differs less."""
    scenario, params = twin(name), {"cpus": 2, "layout": "pmd"}
    wanted = frozenset(scenario.expect.failures)
    (met,) = (
        Search(ReducedSystem(Model(scenario, params).system, ample=False), wanted=wanted)
        .run()
        .failures
    )
    proof = Prover(Model(scenario, params)).prove()
    assert proof.run is not None
    decisions = len(witness_along(Model(scenario, params), proof.run).decisions)

    assert len(met.walk) == len(proof.run)
    assert decisions < len(witness_along(Model(scenario, params), met.walk).decisions)
    assert decisions == fewest_decisions(Model(scenario, params).system, met.kind, len(met.walk))


def fewest_decisions(system: Arm64, way: tuple[Verdict, str], length: int) -> int | None:
    """Of all runs of this length that fail in this way, by how many decisions the best differs."""
    graph = Graph(system)
    best = {(graph.initial, 0): 0}
    for _ in range(length):
        after: dict[tuple[Node[Any], int], int] = {}
        for (node, cpu), decisions in best.items():
            for k in range(len(node.moves)):
                polite = Polite(cpu)
                new = decisions + (k != polite.default(node))
                polite.observe(node, k)
                place = graph.follow(node, k), polite.cpu
                after[place] = min(new, after.get(place, new))
        best = after
    return min((d for (node, _), d in best.items() if failure_kind(node) == way), default=None)


def test_a_landmark_is_no_state_in_which_others_run_on() -> None:
    """All CPUs may see the split here, so that the twin that parks nobody is proved too."""
    params = {"cpus": 3, "layout": "pmd", "noabort": "all"}
    parked = Prover(Model(GOOD, params)).prove()
    at_large = Prover(Model(twin("m01_only_boot_cpu_runs_fn"), params)).prove()

    assert (Verdict.PROVED, Verdict.PROVED) == (parked.verdict, at_large.verdict)
    assert sum(parked.landmarks.values()) > 0
    assert sum(at_large.landmarks.values()) == 0


def test_without_reductions_every_state_is_visited() -> None:
    params: dict[str, Any] = {"cpus": 2, "layout": "contpmd"}
    proof = Prover(Model(GOOD, params), symmetry=False, ample=False).prove()
    found = everything(GOOD, **params)

    assert ((), found.states, found.transitions) == (
        proof.reductions,
        proof.states,
        proof.transitions,
    )


def test_a_search_goes_on_past_what_nobody_asked_for() -> None:
    late = twin("m03_waits_for_one_less")
    only_stuck = Expectation.parse("STUCK:terminates")
    searched = Search(
        ReducedSystem(Model(late, {"cpus": 3, "layout": "pmd"}).system, ample=False),
        wanted=frozenset(only_stuck.failures),
    ).run()

    assert ["no_size_change_seen", "terminates"] == [f.problem.property for f in searched.failures]
    assert "STUCK:terminates was found" == searched.stopped


CUT_SHORT = {
    "states": Limits(states=300),
    "seconds": Limits(seconds=1e-9),
    "memory": Limits(memory=1 << 20),
}


@pytest.mark.parametrize("scenario", [GOOD, twin("m21_stores_unpublished")], ids=["good", "bad"])
@pytest.mark.parametrize("limit", CUT_SHORT)
def test_a_search_that_is_cut_short_proves_nothing(scenario: Scenario, limit: str) -> None:
    proof = Prover(Model(scenario, {"cpus": 4}), CUT_SHORT[limit]).prove()

    assert Verdict.INCONCLUSIVE is proof.verdict
    assert proof.run is None
    assert f"--max-{limit}" in proof.message
    assert "not every state was visited" in proof.message


def test_what_was_searched_in_vain_is_said_in_steps() -> None:
    proof = Prover(Model(twin("m21_stores_unpublished")), Limits(states=500), ample=False).prove()
    searched = everything(twin("m01_only_boot_cpu_runs_fn"), cpus=2, layout="pmd")

    assert searched.ends
    assert "nothing fails within the first" in proof.message


@pytest.mark.parametrize(
    ("error", "told"), [(KeyboardInterrupt, INTERRUPTED), (MemoryError, "out of memory")]
)
def test_ctrl_c_and_no_memory_are_no_proof(
    monkeypatch: pytest.MonkeyPatch, error: type[BaseException], told: str
) -> None:
    calls, after = count(), Rows._after

    def fails(self: Rows, state: State, step: Step) -> State:
        if next(calls) == 500:
            raise error
        return after(self, state, step)

    monkeypatch.setattr(Rows, "_after", fails)
    prover = Prover(Model(GOOD))
    if error is KeyboardInterrupt:
        with pytest.raises(Interrupted) as cut:
            prover.prove()
        proof = prover.proof(cut.value.attempt)
    else:
        proof = prover.prove()

    assert Verdict.INCONCLUSIVE is proof.verdict
    assert proof.message.startswith(told)


def test_ctrl_c_while_the_nearest_is_looked_for_is_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the reduced search found is kept, and nobody can miss that it was interrupted."""
    searches, layers = count(), Search._layers

    def interrupted(self: Search) -> str | None:
        if next(searches) == 1:
            raise KeyboardInterrupt
        return layers(self)

    monkeypatch.setattr(Search, "_layers", interrupted)
    prover = Prover(Model(GOOD, {"cpus": 2, "layout": "pmd", "noabort": "none"}))
    with pytest.raises(Interrupted) as cut:
        prover.prove()
    proof = prover.proof(cut.value.attempt)

    assert (Verdict.VIOLATED, False) == (proof.verdict, proof.certified)


def test_progress_is_told() -> None:
    told: list[Progress] = []
    Prover(Model(GOOD, {"cpus": 2, "layout": "pmd"}), tell=told.append).prove()

    assert sorted(told, key=lambda now: now.states) == told
    assert told[-1].states > 100


async def look(cpu: Cpu, word: int) -> bool:
    value: int = await cpu.ldr(word)
    return value == 1


async def poll(cpu: Cpu, word: int) -> None:
    await repeat_until(look, cpu, word)


async def store(cpu: Cpu, word: int) -> None:
    await cpu.str(word, 1)


async def ask_and_poll(cpu: Cpu, mine: int, other: int) -> None:
    """Both go round until the other has said something, and say it only then."""
    await repeat_until(look, cpu, other)
    await cpu.str(mine, 1)


LIVELOCKS = {
    "nobody stores": little((poll, FLAG), (store, FLAG2)),
    "each waits for the other": little((ask_and_poll, FLAG, FLAG2), (ask_and_poll, FLAG2, FLAG)),
}


@pytest.mark.parametrize("scenario", LIVELOCKS.values(), ids=LIVELOCKS)
@pytest.mark.parametrize("ample", [True, False])
def test_who_goes_round_for_ever_is_stuck(scenario: Scenario, *, ample: bool) -> None:
    proof = Prover(Model(scenario), ample=ample).prove()

    assert (Verdict.STUCK, "terminates") == (proof.verdict, proof.property)
    assert proof.message.startswith("may go round for ever: cpu0 waits in ")
    assert proof.run is not None
    assert proof.loop is not None
    assert proof.loop < len(proof.run)


def test_a_loop_that_somebody_ends_is_no_livelock() -> None:
    assert Verdict.PROVED is Prover(Model(little((poll, FLAG), (store, FLAG)))).prove().verdict


async def by_number(cpu: Cpu, word: int) -> None:
    if await cpu.mrs_mpidr() == 1:
        await cpu.str(word, 1)
    await cpu.ldr(word)


def test_cpus_that_know_their_number_are_not_taken_for_alike() -> None:
    proof = Prover(Model(little((by_number, FLAG), (by_number, FLAG)))).prove()
    alike = Prover(Model(little((store, FLAG), (store, FLAG)))).prove()

    assert "symmetry" not in proof.reductions
    assert "symmetry" in alike.reductions


async def sometimes(cpu: Cpu, word: int) -> None:
    if await cpu.ldr(word) == 7:
        await cpu.isb()
    await cpu.nop()


def test_steps_that_were_never_reached_are_named() -> None:
    system = machine((sometimes, FLAG), tables=TABLES, uniform=True)
    Search(ReducedSystem(system)).run()

    (missed,) = never_awaited(system.spec.automaton)
    assert missed.startswith("test_prove.py:")
    assert missed.endswith(" sometimes: cpu.isb()")


async def part(cpu: Cpu, word: int) -> None:
    """Not a routine: awaited within its caller's frame."""
    if await cpu.ldr(word) == 7:
        await cpu.isb()


async def awaits_a_part(cpu: Cpu, word: int) -> None:
    await part(cpu, word)


def test_what_is_awaited_within_a_frame_is_looked_at_as_well() -> None:
    system = machine((awaits_a_part, FLAG), tables=TABLES, uniform=True)
    Search(ReducedSystem(system)).run()

    (missed,) = never_awaited(system.spec.automaton)
    assert missed.endswith(" part: cpu.isb()")


def test_every_step_of_the_protocol_is_reached_with_some_parameters() -> None:
    """The steps that one choice of parameters never comes to belong to another one."""
    missed: set[str] | None = None
    for params in (
        {"layout": "mixed", "cpus": 2},
        {"layout": "pmd", "cpus": 2, "flush": "pages"},
        {"layout": "pmd", "cpus": 2, "image": "high"},
        {"layout": "pmd", "cpus": 2, "geometry": "4k"},
    ):
        # What the model panics of, nobody who keeps to the protocol comes to.
        never = {at for at in Prover(Model(GOOD, params)).prove().never if "cpu.panic(" not in at}
        missed = never if missed is None else missed & never

    assert set() == missed


@pytest.fixture(autouse=True)
def _tidy() -> Iterator[None]:
    """Machines are large and refer to themselves."""
    yield
    gc.collect()
