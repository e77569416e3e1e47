"""The control experiment: with hardware that delays nothing, most of the mutants are not seen."""

from __future__ import annotations

import pytest

from simbbm.scenario import Scenario
from tests.scenarios.everything import (
    BIG,
    GOOD,
    TWINS,
    everything,
    expected_failures,
    failures,
    one_in,
    twin,
)

SIZE, FAULT, STUCK, SLEEP = (
    "VIOLATED:no_size_change_seen",
    "VIOLATED:no_fault_on_live_map",
    "STUCK:terminates",
    "VIOLATED:no_sleep_in_atomic",
)

TABLE: dict[str, tuple[set[str], set[str]]] = {
    # twin: how it fails with delayed hardware, and with eager hardware
    "m01_only_boot_cpu_runs_fn": ({SIZE}, set()),
    "m02_first_to_arrive_splits": ({SIZE}, {SIZE}),
    "m02_no_cpu0_test": ({STUCK}, {STUCK}),
    "m03_waits_for_one_less": ({SIZE, STUCK}, {STUCK}),
    "m04_flag_starts_at_zero": ({STUCK}, {STUCK}),
    "m07_count_before_switch": ({SIZE}, set()),
    "m08_count_before_tlbi": ({SIZE}, set()),
    "m09_no_tlbi": ({SIZE}, set()),
    "m10_no_dsb_after_tlbi": ({SIZE}, set()),
    "m11_no_isb_before_tlbi": ({SIZE}, set()),
    "m12_ttbr1_not_switched": ({SIZE}, set()),
    "m14_plain_increment": ({STUCK}, {STUCK}),
    "m16_release_before_flush": (set(), set()),
    "m16_m21_release_unpublished": ({SIZE}, set()),
    "m20_populate_before_fill": ({FAULT}, {FAULT}),
    "m20_no_dsb_before_populate": ({FAULT}, set()),
    "m21_stores_unpublished": ({SIZE}, set()),
    "m22_ttbr1_not_restored": ({FAULT}, {FAULT}),
    "m23_flag_by_kernel_address": ({FAULT}, {FAULT}),
    "m29_plain_load_in_wait": ({STUCK}, {STUCK}),
    "m30_no_sevl": ({STUCK}, {STUCK}),
    "m38_sleeping_allocation": ({SLEEP}, {SLEEP}),
}


def test_table_has_every_twin_and_what_is_expected_of_it() -> None:
    assert {s.name: expected_failures(s) for s in TWINS} == {n: d for n, (d, _) in TABLE.items()}


@pytest.mark.parametrize("scenario", one_in(3, TWINS))
def test_twin_fails_as_expected_only_and_the_model_carries_the_weight(scenario: Scenario) -> None:
    """All states of every twin, twice; both columns are exact.

    Eager hardware drains stores, applies registers and TLBIs at once and walks on demand only: what
    a simulator does that models instructions and nothing between them. It finds the mutants whose
    mistake is in the program's own logic (counting, waking, mapping), in the same way as the real
    model does. It finds none of those that drop or move a barrier, an invalidation or the switch
    away from the live tables: there, every schedule holds. So whatever catches these in the left
    column is the model of delayed hardware and of what TLBs may hold, and nothing else: program,
    properties and search are the same.
    """
    delayed, eager = TABLE[scenario.name]
    layout = "pmd" if scenario.name in BIG else "mixed"

    assert delayed == failures(scenario, cpus=3, layout=layout, hardware="delayed")
    assert eager == failures(scenario, cpus=3, layout="mixed", hardware="eager")


def test_eager_hardware_is_less_than_delayed_hardware() -> None:
    """It catches nothing that the model misses, and has fewer states to do it in."""
    assert all(eager <= delayed for delayed, eager in TABLE.values())
    assert not failures(GOOD, cpus=3, layout="mixed", hardware="eager")
    assert (
        everything(GOOD, cpus=3, layout="mixed", hardware="eager").states
        < everything(GOOD, cpus=3, layout="mixed").states
    )


def test_twins_that_need_delayed_hardware_still_run_to_their_end() -> None:
    """They are not caught because every schedule ends well, not because none ends."""
    for name, (_, eager) in TABLE.items():
        if not eager:
            found = everything(twin(name), cpus=3, layout="mixed", hardware="eager")
            assert found.ends["HOLDS"] > 0
