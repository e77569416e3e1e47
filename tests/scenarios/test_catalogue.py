"""The catalogue of known mistakes, first part: mutants of the repaint itself."""

from __future__ import annotations

from typing import Any

import pytest

from simbbm import discovery
from simbbm.arm64.descriptor import INVALID, TABLE
from simbbm.arm64.machine import Arm64
from simbbm.arm64.state import Machine
from simbbm.arm64.translation.walks import Fault
from simbbm.explore.search.prove import Prover
from simbbm.linux.kernel import Kernel
from simbbm.linux.pgtable import PTE_PRESENT_INVALID
from simbbm.model import Model
from simbbm.scenario import Scenario
from tests.scenarios.everything import SHIPPED, expected_failures, failures, one_in, walk

STEMS = ("catalogue", "catalogue_walk", "catalogue_tables")
ALL = {s.id: s for s in discovery.select(STEMS)}
MUTANTS = {s.name: s for s in ALL.values() if s.twin_of}
NUMBERS = {9, 15, 17, 19, 24, 25, 26, 40, 41, 42, 44, 45, 46, 47, 48, 50}

SIZE, FAULT, PANIC, LARGE, STUCK = (
    "VIOLATED:no_size_change_seen",
    "VIOLATED:no_fault_on_live_map",
    "VIOLATED:no_panic",
    "VIOLATED:all_ptes_at_end",
    "STUCK:terminates",
)

SMALLER: dict[str, dict[str, Any]] = {
    # Of a mutant that is caught: something that its smallest machine cannot do without.
    "m15_read_once_reads_early": {"window": 1},
    "m24_flag_page_rox": {"flag_page": "rw"},
    "m24_flag_page_unmapped": {"flag_page": "rw"},
    "m09_m17_no_tlbi_at_all": {"layout": "pages"},
    "m09_m19_flush_behind_kernel": {"layout": "pages"},
    "m09_m19_wrong_stride": {"layout": "pmd"},
    "m40_pud_counts_once": {"layout": "pmd"},
    "m40_m48_pud_counts_once": {"layout": "pmd"},
    "m40_m47_alias_not_counted": {"layout": "pmd"},
    "m41_split_keeps_cont": {"layout": "pmd"},
    "m42_continue_at_tables": {"layout": "pages"},
    "m44_region_missed": {"layout": "pmd"},
    "m45_kstart_too_low": {"layout": "sides"},
    "m45_kend_too_high": {"layout": "sides"},
    "m40_m45_kstart_too_high": {"layout": "pmd"},
    "m46_invalid_block_resurrected": {"layout": "pmd"},
    "m48_error_without_release": {"tables": 3},
    "m50_torn_descriptor": {"layout": "contpte"},
}
ON_ANY = {"m25_wait_at_kernel_address", "m26_wait_uses_stack", "m45_kend_of_the_image"}
"""Caught on the smallest machine that there is: two CPUs, nothing to split."""

NEED_DELAYS = {
    "m09_m17_no_tlbi_at_all",
    "m09_m19_flush_behind_kernel",
    "m09_m19_wrong_stride",
}
"""Not seen on eager hardware (a window, which one of the others needs, has to be asked for)."""

SAYS = {
    "m15_read_once_reads_early": "its report is not here",
    "m24_flag_page_rox": "level 3 permission fault on a write of flag in increment_flag",
    "m24_flag_page_unmapped": "level 3 translation fault on a read of flag in increment_flag",
    "m25_wait_at_kernel_address": "on a fetch of text+0 in idmap_cpu_set_reserved_ttbr1",
    "m26_wait_uses_stack": "on a write of data+0 in scondary_cpu_wait_in_c",
    "m40_pud_counts_once": "cpu0 panics: Failed to split linear map",
    "m41_split_keeps_cont": "2 pages of a contiguous group from lm.contpmd+0 on",
    "m42_continue_at_tables": "2 pages of a contiguous group from lm.contpte+0 on",
    "m44_region_missed": "level 2 block lm.far+0",
    "m45_kstart_too_low": "level 2 block lm.head+0",
    "m45_kend_too_high": "level 2 block lm.tail+0",
    "m45_kend_of_the_image": "cpu0 panics: Failed to split linear map",
    "m48_error_without_release": "cpu1 waits in scondary_cpu_wait/wait_for_zero.wfe",
    "m50_torn_descriptor": "cpu0 may walk from the live root pgd to lm.pmd+0",
}

BAD = {name: s for name, s in MUTANTS.items() if not s.expect.holds}
HARMLESS = {name: s for name, s in MUTANTS.items() if s.expect.holds}


def numbers(name: str) -> set[int]:
    """The numbers of the mistakes that a twin makes."""
    return {int(part[1:]) for part in name.split("_") if part[0] == "m" and part[1:].isdecimal()}


def at_end(scenario: Scenario, **params: Any) -> Machine:
    """The one state in which all runs end."""
    system: Arm64 = Model(scenario, params).system
    ends: list[Machine] = []

    def visit(machine: Machine) -> None:
        if all(cpu.finished for cpu in machine.cpus) and not machine.failure:
            ends.append(machine)

    walk(system, visit)
    assert 1 == len({machine.memory.tables.digest for machine in ends})
    return ends[0]


def tables_linked(machine: Machine) -> int:
    """How many tables some descriptor points to."""
    tables = machine.memory.tables.by_address.values()
    return sum(d.kind == TABLE for table in tables for d in table.entries)


def test_every_number_is_there_and_says_where_it_comes_from() -> None:
    assert NUMBERS == {n for name in MUTANTS for n in numbers(name)}
    for name, scenario in MUTANTS.items():
        assert len(numbers(name)) > 1 or scenario.story.endswith(")."), name
    assert set(ALL) <= {s.id for s in SHIPPED}


@pytest.mark.parametrize("scenario", ALL.values(), ids=ALL)
def test_it_fails_on_some_schedule_as_declared_and_in_no_other_way(scenario: Scenario) -> None:
    assert expected_failures(scenario) == failures(scenario)


@pytest.mark.parametrize("scenario", one_in(4, MUTANTS.values()))
def test_a_third_cpu_changes_nothing(scenario: Scenario) -> None:
    assert expected_failures(scenario) == failures(scenario, cpus=3)


@pytest.mark.parametrize("name", SAYS)
def test_the_nearest_counterexample_is_about_the_mistake(name: str) -> None:
    proof = Prover(Model(BAD[name])).prove()

    assert proof.certified
    assert SAYS[name] in proof.message


@pytest.mark.parametrize("name", SMALLER)
def test_defaults_are_the_smallest_machine(name: str) -> None:
    assert not failures(BAD[name], **SMALLER[name])


def test_smallest_machines_have_two_cpus() -> None:
    assert BAD.keys() == SMALLER.keys() | ON_ANY
    for scenario in MUTANTS.values():
        assert 2 == scenario.parameters_from({})["cpus"]
    for name in ON_ANY:
        assert "pages" == BAD[name].parameters_from({})["layout"]


@pytest.mark.parametrize("name", BAD)
def test_hardware_without_delays_hides_what_is_about_hardware(name: str) -> None:
    eager = failures(BAD[name], hardware="eager")

    assert eager == (set() if name in NEED_DELAYS else expected_failures(BAD[name]))


@pytest.mark.parametrize("name", HARMLESS)
@pytest.mark.parametrize(
    "params",
    [
        pytest.param({"cpus": 3}, marks=pytest.mark.quality),
        {"noabort": "all"},
        pytest.param({"window": 4}, marks=pytest.mark.quality),
    ],
    ids=str,
)
def test_what_is_harmless_is_so_on_a_mixed_map(name: str, params: dict[str, Any]) -> None:
    assert not failures(HARMLESS[name], layout="mixed", **params)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("good", {"layout": "sides"}),
        ("good", {"layout": "regions"}),
        ("good", {"layout": "invalid"}),
        ("good", {"walk_cache": "no"}),
        ("reported", {"window": 4, "layout": "pmd"}),
    ],
)
@pytest.mark.parametrize("cpus", [2, 3])
def test_good_holds_with_what_the_mutants_need(
    name: str, params: dict[str, Any], cpus: int
) -> None:
    assert not failures(ALL[f"catalogue::{name}"], cpus=cpus, **params)


def test_walk_caches_are_what_the_secondaries_invalidation_is_for() -> None:
    without_tlbi = MUTANTS["m09_no_tlbi_without_walk_caches"]

    for layout in ("pmd", "contpmd", "pud", "contpte", "mixed"):
        assert not failures(without_tlbi, layout=layout)
    assert {SIZE} == failures(without_tlbi, walk_cache="yes")


def test_either_invalidation_suffices_without_walk_caches() -> None:
    assert {SIZE} == failures(MUTANTS["m09_m17_no_tlbi_at_all"])
    assert not failures(MUTANTS["m17_no_final_tlbi"], walk_cache="no")
    assert not failures(MUTANTS["m09_no_tlbi_without_walk_caches"])


def test_relaxed_wait_is_harmless_until_something_is_read_after_it() -> None:
    relaxed, early = MUTANTS["m15_read_once_spin"], MUTANTS["m15_read_once_reads_early"]

    assert relaxed.edits.replace[0] in early.edits.replace
    assert not failures(relaxed, window=16)
    assert not failures(early, window=1)
    assert {PANIC} == failures(early, window=2)


@pytest.mark.parametrize(("layout", "needed"), [("pmd", 1), ("contpmd", 2), ("pud", 3)])
def test_the_merged_protocol_panics_exactly_if_there_are_too_few_tables(
    layout: str, needed: int
) -> None:
    good, hangs = ALL["catalogue_tables::good"], MUTANTS["m48_error_without_release"]
    for tables in range(needed + 1):
        enough = tables == needed
        params: dict[str, Any] = {"cpus": 2, "layout": layout, "tables": tables}
        assert (set() if enough else {PANIC}) == failures(good, **params)
        assert (set() if enough else {STUCK}) == failures(hangs, **params)


def test_tables_put_aside_run_out_before_anybody_is_parked() -> None:
    preallocated = ALL["catalogue_tables::preallocated"]
    params: dict[str, Any] = {"cpus": 2, "layout": "pud", "tables": 2}
    system: Arm64 = Model(preallocated, params).system
    found = walk(system)

    assert {PANIC} == found.ends.keys()
    assert not any("stop_machine" in label for label in system.spec.automaton.labels)


@pytest.mark.parametrize("layout", ["pmd", "contpmd", "pud", "contpte", "sides", "invalid"])
def test_tables_are_counted_exactly(layout: str) -> None:
    """One less than were counted would not do, and no more were counted."""
    params: dict[str, Any] = {"cpus": 2, "layout": layout}
    k: Kernel = ALL["catalogue_tables::preallocated"].setup(params).cpus[0].args[0]
    end = at_end(ALL["catalogue_tables::preallocated"], **params)
    before = Model(ALL["catalogue_tables::good"], params).system.initial()
    counted = end.memory.data.get(k.flag_idmap + k.scratch - k.flag, 0)

    assert counted == tables_linked(end) - tables_linked(before)


def test_splitting_the_kernels_alias_costs_a_table() -> None:
    params: dict[str, Any] = {"cpus": 2, "layout": "sides"}
    as_merged = at_end(ALL["catalogue::good"], **params)
    split_too = at_end(MUTANTS["m47_alias_not_excluded"], **params)

    assert tables_linked(as_merged) + 1 == tables_linked(split_too)


@pytest.mark.parametrize(("layout", "part"), [("regions", "hole"), ("invalid", "invalid")])
def test_nothing_is_mapped_where_no_memory_is_or_it_was_made_invalid(
    layout: str, part: str
) -> None:
    setup = ALL["catalogue::good"].setup({"layout": layout})
    page = next(region.first for region in setup.regions if region.name == f"lm.{part}")
    system: Arm64 = Model(ALL["catalogue::good"], {"layout": layout}).system
    start = system.initial()

    (result,) = system.shared.view(start.cpus[0], start.memory).lookup(page)
    assert Fault("translation", 2) == result


def test_an_invalid_block_becomes_a_table_of_invalid_pages() -> None:
    end = at_end(ALL["catalogue::good"], cpus=2, layout="invalid")
    k: Kernel = ALL["catalogue::good"].setup({"cpus": 2, "layout": "invalid"}).cpus[0].args[0]
    tables = end.memory.tables.by_address
    made = tables[k.free_tables + k.entries].entries

    assert {(INVALID, PTE_PRESENT_INVALID)} == {(d.kind, d.software) for d in made}
    assert [2, 3] == [d.output for d in made]
    assert any(d.output == k.free_tables + k.entries for t in tables.values() for d in t.entries)
