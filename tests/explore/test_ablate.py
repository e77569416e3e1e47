"""Ablation: steps are taken away and made weaker by their labels, and what follows is searched."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simbbm import discovery
from simbbm.arm64.tlb import Tlbi
from simbbm.arm64.weaken import As, weaker_forms
from simbbm.core.automaton import exact_pattern, matches
from simbbm.core.errors import UsageError
from simbbm.core.program import Op
from simbbm.explore.ablate import Ablation, Ablator, Change, read_change, with_change
from simbbm.explore.prove import Prover, witness_along
from simbbm.explore.replay import Result, replay
from simbbm.explore.run import run_one
from simbbm.explore.search import Limits
from tests.scenarios.everything import GOOD, twin

README = Path(__file__).parents[2] / "README.md"
SNAPSHOT = Path(__file__).parents[1] / "snapshots" / "ablate_good.md"
ROW = re.compile(r"\| `(.+)` \| (\S+) \| (\S+) \| (.*?) ?\| (\d*) ?\|")
SMALL = {"cpus": 2, "layout": "pmd"}
PARK = "wait_linear_map_split_to_ptes#1/idmap_cpu_set_reserved_ttbr1#1"


def ablated(step: str, change: str, **params: object) -> Ablation:
    return Ablator(GOOD, SMALL | params).ablate(Change(step, change))


def test_every_step_of_the_programs_is_changed() -> None:
    ablator = Ablator(GOOD, SMALL)
    changes = ablator.singles()
    steps = {exact_pattern(label) for label in ablator.automaton.ops}

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
        ("wait_linear_map_split_to_ptes#1/wait_until_released#1.sevl#1", "m30_no_sevl"),
    ],
)
def test_a_removal_is_what_the_twin_does_by_hand(step: str, name: str) -> None:
    """Same failure, same length: the edits are the same."""
    by_label, by_hand = ablated(step, "remove").proof, Prover(twin(name), SMALL).prove()

    assert by_label
    assert by_label.run
    assert by_hand.run
    assert (by_label.property, len(by_label.run)) == (by_hand.property, len(by_hand.run))


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
    ablator = Ablator(GOOD, SMALL, Limits(states=50))
    found = ablator.ablate(Change("flush_tlb_kernel_range#1/flush_tlb_all#1.isb#1", "remove"))

    assert found.result == "inconclusive"


def test_an_isb_comes_one_step_later() -> None:
    """After the TLBI it was to come before: too late. After the last step of S7: early enough."""
    late = with_change(GOOD, Change(f"{PARK}.isb#1", "delay"))
    labels = run_one(late, SMALL, "polite", seed=0, record=True).labels or ()
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
    found = ablated("boot_cpu_part#1/wait_for_secondaries#1.wait.acquire#1", "weaken:wait")

    assert found.params["window"] == 4
    assert found.result == "redundant"


def test_pairs_are_of_what_can_be_spared_alone() -> None:
    ablator = Ablator(GOOD, SMALL)
    one = Change("range_split_to_ptes#1/arch_leave_lazy_mmu_mode#1.dsb.ishst#1", "remove")
    two = Change("flush_tlb_kernel_range#1/flush_tlb_all#1.dsb.ishst#1", "remove")
    three = Change("flush_tlb_kernel_range#1/flush_tlb_all#1.dsb.ish#1", "weaken:dmb.ish")

    assert [(one, two)] == list(ablator.pairs([one, two, three]))
    assert ablator.ablate(one, two).result == "redundant"


def test_an_ablation_has_an_id_and_its_witness_replays() -> None:
    found = ablated(f"{PARK}.tlbi.vmalle1#1", "remove")
    assert found.proof
    assert found.proof.run
    witness = witness_along(found.scenario, found.params, found.proof.run)
    again = discovery.find(witness.scenario)

    assert f"linear_map_split::good~remove~{PARK}.tlbi.vmalle1#1" == again.id
    assert replay(witness, again).result is Result.REPRODUCED


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


def test_exact_patterns_name_one_occurrence() -> None:
    first, second = "boot/stop/ack.ldaddal#1", "boot/stop/ack#2.ldaddal#1"

    assert "stop#1/ack#1.ldaddal#1" == exact_pattern(first)
    assert matches(exact_pattern(first), first)
    assert not matches(exact_pattern(first), second)
    assert not matches(exact_pattern(second), first)


def snapshot() -> list[tuple[str, ...]]:
    """Step, change, result, property and length of every row that is kept."""
    return [m.groups() for line in SNAPSHOT.read_text().splitlines() if (m := ROW.match(line))]


@pytest.mark.parametrize("nth", range(4))
def test_rows_of_the_kept_table_are_still_true(nth: int) -> None:
    """Some of them; all of them are looked at by the quality session."""
    ablator = Ablator(GOOD, {})
    changes = ablator.singles()
    rows = snapshot()

    assert [(c.step.replace("#1", ""), c.change) for c in changes] == [row[:2] for row in rows]
    for i in range(3 + 7 * nth, len(rows), 29):
        if "split_pmd.dsb.ishst" in rows[i][0]:
            continue  # 600,000 states
        found = ablator.ablate(changes[i])
        length = str(len(found.proof.run)) if found.proof and found.proof.run else ""
        assert (found.result, length) == (rows[i][2], rows[i][4])


def test_the_readme_shows_the_kept_table() -> None:
    assert README.read_text().endswith("\n\n" + SNAPSHOT.read_text())
