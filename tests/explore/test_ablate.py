"""Ablation: steps are taken away and made weaker by their labels, and what follows is searched."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simbbm import discovery
from simbbm.arm64.execution.weaken import As, weaker_forms
from simbbm.arm64.translation.tlb import Tlbi
from simbbm.changes import Change, read_change
from simbbm.cli.ablate_columns import ABSENT
from simbbm.core.errors import UsageError
from simbbm.core.program import Op
from simbbm.core.programs.labels import matches
from simbbm.explore.counterexample.ablate import Ablation, Ablator
from simbbm.explore.runs.replay import Result, model_of, replay
from simbbm.explore.runs.run import run_one
from simbbm.explore.search.breadth_first import Limits
from simbbm.explore.search.prove import Prover, witness_along
from simbbm.model import Model
from tests.scenarios.everything import GOOD, twin

RESULTS = Path(__file__).parents[2] / "simbbm/guide/results.md"
SNAPSHOT = Path(__file__).parents[1] / "snapshots" / "ablate_machines.md"
ROW = re.compile(r"\| `(.+?)` \| (\S+) \| (.+) \|")
SMALL = {"cpus": 2, "layout": "pmd"}
PARK = "wait_linear_map_split_to_ptes#1/idmap_cpu_set_reserved_ttbr1#1"


def ablated(step: str, change: str, **params: object) -> Ablation:
    return Ablator(Model(GOOD, SMALL | params)).ablate(Change(step, change))


def test_every_step_of_the_programs_is_changed() -> None:
    ablator = Ablator(Model(GOOD, SMALL))
    changes = ablator.singles()
    steps = {
        ablator.steps[label]
        for label, op in ablator.automaton.ops.items()
        if op.mnemonic != "forget_events"
    }

    assert steps == {c.step for c in changes if c.change == "remove"}
    assert {"dsb.nsh", "dmb.ish", "tlbi.vmalle1", "wait", "str"} <= {
        c.change.removeprefix("weaken:") for c in changes
    }
    isbs = {step for step in steps if ".isb#" in step}
    assert isbs == {c.step for c in changes if c.change == "delay"}
    assert len(changes) == len(set(changes))


@pytest.mark.parametrize(
    ("step", "name"),
    [
        (f"{PARK}.tlbi.vmalle1#1", "m09_no_tlbi"),
        (f"{PARK}.dsb.nsh#1", "m10_no_dsb_after_tlbi"),
        (f"{PARK}.isb#1", "m11_no_isb_before_tlbi"),
        ("wait_linear_map_split_to_ptes#1/scondary_cpu_wait#1.sevl#1", "m30_no_sevl"),
    ],
)
def test_a_removal_is_what_the_twin_does_by_hand(step: str, name: str) -> None:
    """Same failure, same length: the edits are the same."""
    by_label, by_hand = ablated(step, "remove").proof, Prover(Model(twin(name), SMALL)).prove()

    assert by_label
    assert by_label.run
    assert by_hand.run
    assert (by_label.property, len(by_label.run)) == (by_hand.property, len(by_hand.run))


def test_turns_of_a_loop_are_one_step() -> None:
    """A call at one line is one instruction, however often it is come to; two lines are two."""
    ablator = Ablator(Model(GOOD, SMALL))
    steps = {c.step for c in ablator.singles()}

    assert {"multi_cpu_stop#1/ack_state.ldaddal#1", f"{PARK}.isb#1", f"{PARK}.isb#2"} <= steps
    assert not any("ack_state#" in step for step in steps)
    for step in steps:
        assert any(matches(step, label) for label in ablator.automaton.labels)
    met = [label for label in ablator.automaton.labels if label.endswith("ack_state.ldaddal#1")]
    turns = {label for label in ablator.automaton.labels if "/ack_state" in label}
    assert met
    assert all(
        ablator.steps[label] == "multi_cpu_stop#1/ack_state.ldaddal#1"
        for label in turns
        if label.endswith(".ldaddal#1")
    )


def test_what_is_not_needed_is_proved_redundant() -> None:
    found = ablated("flush_tlb_kernel_range#1/flush_tlb_all#1.tlbi.vmalle1is#1", "remove")

    assert found.result == "redundant"
    assert found.proof
    assert found.proof.verdict == "PROVED"


def test_what_gives_a_value_cannot_be_left_out() -> None:
    found = ablated("cpu_install_idmap#1/cpu_switch_mm#1.mrs.ttbr1_el1#1", "remove")

    assert ("load-bearing", None) == (found.result, found.proof)
    assert found.why.startswith("the program cannot go on without its value: ")


def test_a_limit_is_inconclusive() -> None:
    ablator = Ablator(Model(GOOD, SMALL), Limits(states=50))
    found = ablator.ablate(Change("flush_tlb_kernel_range#1/flush_tlb_all#1.isb#1", "remove"))

    assert found.result == "inconclusive"


def test_an_isb_comes_one_step_later() -> None:
    """After the TLBI it was to come before: too late. After the last step of S7: early enough."""
    late = GOOD.changed(Change(f"{PARK}.isb#1", "delay"))
    labels = run_one(Model(late, SMALL), "polite", seed=0).labels or ()
    own = [x for x in labels if x.startswith("cpu1:") and "idmap_cpu_set_reserved_ttbr1" in x]

    assert [label.partition(".")[2] for label in own[:4]] == [
        "msr.ttbr1_el1",
        "tlbi.vmalle1",
        "tlbi.vmalle1+isb",
        "dsb.nsh",
    ]
    assert ablated(f"{PARK}.isb#1", "delay").result == "load-bearing"
    assert ablated(f"{PARK}.isb#2", "delay").result == "redundant"


def test_relaxed_loads_are_judged_where_loads_may_overtake() -> None:
    found = ablated("smp_cond_load_acquire#1/load_acquire_or_wait#1.ldar#1", "weaken:ldr")

    assert found.params["window"] == 4
    assert found.result == "redundant"


def test_pairs_are_of_what_can_be_spared_alone() -> None:
    ablator = Ablator(Model(GOOD, SMALL))
    one = Change("range_split_to_ptes#1/arch_leave_lazy_mmu_mode#1.dsb.ishst#1", "remove")
    two = Change("flush_tlb_kernel_range#1/flush_tlb_all#1.dsb.ishst#1", "remove")
    three = Change("flush_tlb_kernel_range#1/flush_tlb_all#1.dsb.ish#1", "weaken:dmb.ish")

    assert [(one, two)] == list(ablator.pairs([one, two, three]))
    assert ablator.ablate(one, two).result == "redundant"


def test_an_ablation_has_an_id_and_its_witness_replays() -> None:
    found = ablated(f"{PARK}.tlbi.vmalle1#1", "remove")
    assert found.proof
    assert found.proof.run
    assert found.model
    witness = witness_along(found.model, found.proof.run)
    again = discovery.find(witness.scenario)

    assert f"linear_map_split::good~remove~{PARK}.tlbi.vmalle1#1" == again.id
    assert replay(witness, model_of(witness, again)).result is Result.REPRODUCED


@pytest.mark.parametrize("text", ["weaken:dsb.nsh", "forget~x", "remove"])
def test_what_is_no_change(text: str) -> None:
    with pytest.raises(UsageError, match="no such change"):
        read_change(text)


def test_weaker_forms() -> None:
    tlbi = Op("tlbi.vaae1is", ())

    assert ("dsb.nsh", "dmb.ish") == weaker_forms(Op("dsb.ish"))
    assert () == weaker_forms(Op("nop"))
    assert Op("ldr", (1,)) == As("ldr")(Op("ldar", (1,)))
    whole = tlbi._replace(args=(Tlbi("vaae1", broadcast=True, page=3),))
    assert ("tlbi.vaae1", "tlbi.vaale1is") == weaker_forms(whole)
    local = As("tlbi.vaae1")(whole).args[0]
    leaf = As("tlbi.vaale1is")(whole).args[0]
    assert (Tlbi("vaae1", broadcast=False, page=3), Tlbi("vaale1", broadcast=True, page=3)) == (
        local,
        leaf,
    )


def snapshot() -> tuple[list[str], dict[tuple[str, str], list[str]]]:
    """The machines of the table that is kept; by step and change, what it says of each."""
    head, *lines = SNAPSHOT.read_text().splitlines()
    rows = [m.groups() for line in lines if (m := ROW.match(line))]
    return re.findall(r"`(\S+)`", head), {(s, c): cells.split(" | ") for s, c, cells in rows}


MACHINES = snapshot()[0]


@pytest.mark.parametrize("machine", MACHINES)
def test_rows_of_the_kept_table_are_still_true(machine: str) -> None:
    """Some of them; all of them are looked at by the quality session."""
    ablator = Ablator(Model(discovery.find(machine), SMALL))
    changes = ablator.singles()
    machines, rows = snapshot()
    told = {row: cells[machines.index(machine)] for row, cells in rows.items()}
    known = {(c.step.replace("#1", ""), c.change): c for c in changes}

    assert known.keys() == {row for row, cell in told.items() if cell != ABSENT}
    for row in list(known)[3 + machines.index(machine) :: 23]:
        found = ablator.ablate(known[row])
        wrong = found.proof.property if found.proof else None
        assert (wrong or found.result) == told[row].replace("its value is used", "load-bearing")


def test_the_table_says_redundant_of_some_machine_that_another_needs() -> None:
    """Where a user mm is active, six routines of the idmap's install and removal are needed."""
    machines, rows = snapshot()
    split, user = machines.index("linear_map_split::good"), machines.index("idmap::good")
    flipped = {
        row
        for row, cells in rows.items()
        if cells[split] == "redundant" and cells[user] not in ("redundant", ABSENT)
    }

    assert ("cpu_install_idmap/local_flush_tlb_all.tlbi.vmalle1", "remove") in flipped
    assert ("cpu_uninstall_idmap/local_flush_tlb_all.tlbi.vmalle1", "remove") in flipped


def test_the_page_of_results_shows_the_kept_table() -> None:
    assert RESULTS.read_text().endswith("\n\n" + SNAPSHOT.read_text())
