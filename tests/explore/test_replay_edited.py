"""Replay of edited programs: by label, as goals, and where neither leads back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from simbbm import discovery
from simbbm.arm64.descriptor import Descriptor
from simbbm.arm64.ops import Cpu
from simbbm.changes import edits
from simbbm.core.graph import Graph
from simbbm.core.program import routine
from simbbm.core.system import STEP, Footprint, Move
from simbbm.explore.runs.goal import Goal
from simbbm.explore.runs.marks import is_like, kind, mark
from simbbm.explore.runs.replay import Replay, Result, model_of, replay
from simbbm.explore.runs.semantic import Semantic, follow
from simbbm.explore.runs.walk import Walk
from simbbm.explore.witness.recording import Decision, Witness, from_token, load, token, witness_of
from simbbm.linux import mmu_context, pgtable
from simbbm.model import Model
from simbbm.scenario import Scenario
from tests.explore.toys import Toy

CORPUS = Path(__file__).parent / "corpus"
GOOD = discovery.find("linear_map_split::good")
BAD = (
    "m07_count_before_switch",
    "m10_no_dsb_after_tlbi",
    pytest.param("m20_no_dsb_before_populate", marks=pytest.mark.quality),
)


@routine
async def local_flush_tlb_all(cpu: Cpu) -> None:
    """With local operations in between, one of them of a kind that is there already."""
    await cpu.nop()
    await cpu.dsb("nshst")
    await cpu.mrs("ttbr0_el1")
    await cpu.tlbi("vmalle1")
    await cpu.dsb("nsh")
    await cpu.isb()
    await cpu.isb()


async def _padded(cpu: Cpu, entryp: int, entry: Descriptor) -> None:
    """With local operations in front."""
    await cpu.mrs_mpidr()
    await cpu.nop()
    await cpu.str(entryp, entry)


@routine
async def set_pud(cpu: Cpu, pudp: int, pud: Descriptor) -> None:
    await _padded(cpu, pudp, pud)


@routine
async def set_pmd(cpu: Cpu, pmdp: int, pmd: Descriptor) -> None:
    await _padded(cpu, pmdp, pmd)


@routine
async def __set_pte(cpu: Cpu, ptep: int, pte: Descriptor) -> None:
    await _padded(cpu, ptep, pte)


def edited(scenario: Scenario) -> Scenario:
    """The scenario, its programs with local operations more."""
    changes = {
        mmu_context.local_flush_tlb_all: local_flush_tlb_all,
        pgtable.set_pud: set_pud,
        pgtable.set_pmd: set_pmd,
        vars(pgtable)["__set_pte"]: __set_pte,
    }
    return replace(scenario, edits=scenario.edits.merged(edits(changes)))


def recorded(name: str, form: str = "json") -> tuple[Witness, Scenario]:
    """A counterexample that is kept, and its scenario."""
    path = CORPUS / f"linear_map_split.{name}.{form}"
    witness = load(path) if form == "json" else from_token(path.read_text())
    scenario = discovery.find(witness.scenario)
    # As it would be recorded now: steps have other names since.
    fresh = replay(witness, model_of(witness, scenario)).refreshed or witness
    if form == "sb1":
        return witness, scenario
    return (fresh if form == "json" else from_token(token(fresh))), scenario


def check_reproduced(result: Replay, witness: Witness, scenario: Scenario, how: str) -> Witness:
    """Hold a replay against what was recorded; return the refreshed witness, which is exact."""
    assert (result.result, result.how) == (Result.REPRODUCED, how)
    assert (result.verdict, result.property) == (witness.verdict, witness.property)
    fresh = result.refreshed
    assert fresh is not None
    assert (fresh.message, fresh.steps) == (result.message, result.steps)
    for again in (fresh, from_token(token(fresh))):
        exact = replay(again, model_of(again, scenario))
        assert (exact.result, exact.how, exact.refreshed) == (Result.REPRODUCED, "exact", None)
        assert (exact.digest, exact.message) == (result.digest, result.message)
    return fresh


@pytest.mark.parametrize("form", ["json", "sb2"])
@pytest.mark.parametrize("name", BAD)
def test_local_operations_may_come_and_go(name: str, form: str) -> None:
    witness, scenario = recorded(name, form)
    padded = edited(scenario)
    fresh = check_reproduced(
        replay(witness, model_of(witness, padded)), witness, padded, "semantic"
    )

    back = from_token(token(fresh))
    check_reproduced(replay(back, model_of(back, scenario)), witness, scenario, "semantic")


def test_a_token_of_version_1_has_no_marks_and_is_followed_by_distance() -> None:
    witness, scenario = recorded("m01_only_boot_cpu_runs_fn", "sb1")
    assert {decision.instead_of for decision in witness.decisions} == {""}
    padded = edited(scenario)
    check_reproduced(replay(witness, model_of(witness, padded)), witness, padded, "semantic")


def test_one_more_cpu_is_advanced_while_others_are_held_back() -> None:
    """The TLBI of m10 must stay on its way until the new CPU has parked as well."""
    witness, scenario = recorded("m10_no_dsb_after_tlbi")
    more = msgspec.structs.replace(witness, params=witness.params | {"cpus": 4})
    fresh = check_reproduced(replay(more, model_of(more, scenario)), witness, scenario, "goal")
    assert any(d.label.startswith("cpu3") or "cpu3" in d.instead_of for d in fresh.decisions)


def test_entries_may_have_moved() -> None:
    """The goal-directed replay takes a label for any of its kind; the other one does not."""
    witness, scenario = recorded("m21_stores_unpublished")
    moved = tuple(
        msgspec.structs.replace(d, label=d.label.replace("drain[new", "drain[new7"))
        for d in witness.decisions
    )
    assert moved != witness.decisions
    system = Model(scenario, witness.params).system
    by_label = follow(moved, Graph(system), Semantic())
    as_goals = follow(moved, Graph(system), Goal(moved))

    assert {m.decision.label for m in by_label.missed} == {
        d.label for d in moved if "drain[new7" in d.label
    }
    assert not as_goals.missed


@pytest.mark.parametrize("name", BAD)
def test_on_the_fixed_protocol_it_is_stale(name: str) -> None:
    witness, _ = recorded(name)
    fixed = msgspec.structs.replace(witness, scenario=GOOD.id)
    for scenario in (GOOD, edited(GOOD)):
        result = replay(fixed, model_of(fixed, scenario))
        assert (result.result, result.refreshed) == (Result.STALE, None)
        assert result.verdict == "HOLDS"
        assert result.step is not None
        assert result.expected
        assert result.got


def test_stale_names_the_first_label_that_is_gone() -> None:
    witness, _ = recorded("m10_no_dsb_after_tlbi")
    gone = Decision(witness.decisions[3].step, "cpu1:nowhere.isb", 1, "cpu0:nowhere.isb")
    decisions = (*witness.decisions[:3], gone, *witness.decisions[4:])
    result = replay(
        w := msgspec.structs.replace(witness, scenario=GOOD.id, decisions=decisions),
        model_of(w, GOOD),
    )

    assert (result.result, result.how) == (Result.STALE, "goal")
    assert (result.step, result.expected) == (gone.step, "cpu1:nowhere.isb")
    assert any(label.startswith("cpu") for label in result.got)


def test_a_decision_that_the_program_has_lost_is_left_out() -> None:
    witness, scenario = recorded("m10_no_dsb_after_tlbi")
    lost = Decision(witness.decisions[0].step - 1, "cpu0:gone.nop", 1, "cpu0:other.nop")
    more = msgspec.structs.replace(witness, decisions=(lost, *witness.decisions))
    check_reproduced(replay(more, model_of(more, scenario)), witness, scenario, "semantic")


def test_that_a_run_holds_is_followed_exactly_or_not_at_all() -> None:
    witness = witness_of(Model(discovery.find("bbm_minimal::good")), "random", 1)
    step = witness.decisions[0].step
    gone = msgspec.structs.replace(witness, decisions=(Decision(step, "cpu1:gone.isb", 1),))
    result = replay(gone, model_of(gone, discovery.find("bbm_minimal::good")))

    assert (result.result, result.how, result.step) == (Result.DIVERGED, "exact", step)


class Waiting(Toy):
    """A toy whose labels are written like a machine's: `cpu0:0`, and `cpu0.walk` for hardware.

    What is optional changes the state too.
    """

    def apply(self, state: tuple[str, ...], move: Move) -> tuple[str, ...]:
        return (*state, move.agent)

    def _move(self, agent: str, label: str) -> Move:
        name = label if agent in self.optional else label.replace(".", ":")
        kind = STEP if agent == f"cpu{agent[3]}" else "hardware"
        cpu, optional = int(agent[3]), agent in self.optional
        return Move(agent, name, cpu, optional, Footprint(), agent, kind=kind)


def way_to(label: str, toy: Toy, mentioned: tuple[str, ...]) -> list[str] | None:
    """The labels by which a goal is reached."""
    goal = Goal(tuple(Decision(0, name, 1) for name in mentioned))
    walk = goal.reach(Walk(Graph(toy)), label)
    return None if walk is None else [node.moves[k].label for node, k in walk.path]


def test_a_goals_own_cpu_goes_first_then_those_that_nobody_mentions() -> None:
    steps = {"cpu0": 1, "cpu1": 3, "cpu2": 1, "cpu3": 1}

    def waits_for(*before: str) -> Waiting:
        return Waiting(
            steps, waits=lambda state, agent: agent == "cpu1" and not {*before} <= {*state}
        )

    assert way_to("cpu1:2", waits_for(), ("cpu0:0", "cpu1:2")) == ["cpu1:0", "cpu1:1"]
    # cpu0 is what the polite schedule would take: it is held back to the last.
    unmentioned = way_to("cpu1:0", waits_for("cpu3"), ("cpu0:0", "cpu1:0", "cpu2:0"))
    assert unmentioned == ["cpu3:0"]
    mentioned = way_to("cpu1:0", waits_for("cpu2"), ("cpu0:0", "cpu1:0", "cpu2:0"))
    assert mentioned == ["cpu3:0", "cpu2:0"]
    assert way_to("cpu1:0", waits_for("cpu0"), ("cpu0:0", "cpu1:0")) is None


def test_what_is_optional_is_never_done_to_get_somewhere() -> None:
    def waits_for(what: str) -> Waiting:
        return Waiting(
            {"cpu0": 1, "cpu1": 1, "cpu2": 1},
            optional=("cpu2.walk",),
            waits=lambda state, agent: agent == "cpu1" and what not in state,
        )

    assert way_to("cpu1:0", waits_for("cpu2"), ("cpu0:0", "cpu1:0")) == ["cpu2:0"]
    assert way_to("cpu1:0", waits_for("cpu2.walk"), ("cpu0:0", "cpu1:0")) is None


def test_alike_is_what_differs_in_which_one_it_is() -> None:
    assert kind("cpu0.drain[pmd@8[1]]") == kind("cpu0.drain[pmd@0[0]]")
    assert kind("cpu0:a/b#2.str#3") == kind("cpu0:a/b.str")
    assert kind("cpu0.drain[new0[1]]") == kind("cpu0.drain[new12[0]]")
    assert kind("dvm.cpu1 vaale1is lm.pmd+1 from cpu0: acts") == kind(
        "dvm.cpu1 vaale1is lm.pmd+0 from cpu0: acts"
    )
    different = ["cpu0:a.str", "cpu1:a.str", "cpu0:a.msr.ttbr0_el1", "cpu0:a.msr.ttbr1_el1"]
    assert len({mark(label) for label in different}) == len(different)
    assert mark(mark("cpu0:a.str")) == mark("cpu0:a.str#2")
    assert is_like("cpu0:a.str", mark("cpu0:a.str#2"))
    assert not is_like("cpu0:a.str", "cpu1:a.str")
    assert not is_like("", "")
