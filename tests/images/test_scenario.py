"""An image of ours is a scenario: proved, broken, and refused where it cannot be run."""

from __future__ import annotations

from pathlib import Path

import pytest

import simbbm
from simbbm.binary.process import Finding
from simbbm.core.errors import EditError
from simbbm.discovery import find
from simbbm.explore.search.prove import Prover
from simbbm.model import Model
from tests.images.small import PAGE, small_image, without

PARK, WAIT = "cpu_install_idmap", "wait_linear_map_split_to_ptes"


def written(path: Path, **functions: str) -> str:
    path.write_bytes(small_image(**functions))
    return f"{path}::linear_map_split"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(tmp_path_factory.mktemp("image") / "vmlinuz")


@pytest.mark.parametrize("cpus", [2, 3])
def test_a_good_kernel_is_proved(good: str, cpus: int) -> None:
    answer = simbbm.explore(good, {"cpus": cpus})

    assert answer.verdict == "PROVED"
    assert answer.details.landmarks["others parked, map half split"] > 0


def test_a_proof_needs_no_reduction(good: str) -> None:
    assert Prover(Model(find(good)), ample=False, symmetry=False).prove().verdict == "PROVED"


@pytest.mark.parametrize(
    ("function", "line", "by", "property_"),
    [
        (WAIT, "tlbi vmalle1", "nop", "no_size_change_seen"),
        (WAIT, "dsb nsh", "dmb nsh", "no_size_change_seen"),
        (WAIT, "msr ttbr1_el1, x3", "nop", "no_size_change_seen"),
        (WAIT, "msr ttbr1_el1, x4", "nop", "no_fault_on_live_map"),
        (WAIT, "add w5, w5, #1", "add w5, w5, #2", "terminates"),
        (WAIT, "sevl", "nop", "terminates"),
        ("split_pmd", "dsb ishst", "nop", "no_fault_on_live_map"),
        ("linear_map_split_to_ptes", "b.ne others", "nop", "no_size_change_seen"),
        (PARK, "sub x0, x0, x2", "nop", "no_fault_on_live_map"),
        ("split_pmd", "bl get_free_pages_noprof", "b panic", "no_panic"),
    ],
)
def test_one_wrong_instruction_is_found(
    tmp_path: Path, function: str, line: str, by: str, property_: str
) -> None:
    bad = written(tmp_path / "bad", **without(function, line, by))
    answer = simbbm.explore(bad)

    assert (answer.property, answer.expected) == (property_, False)
    assert answer.witness is not None
    assert simbbm.replay(answer.witness).result == "REPRODUCED"


def test_a_step_is_dropped_by_its_instruction(good: str) -> None:
    dropped = find(f"{good}~remove~{WAIT}+0xc.tlbi.vmalle1")

    assert Prover(Model(dropped), doubtful=True).prove().property == "no_size_change_seen"


def test_a_step_that_no_instruction_has_is_refused(good: str) -> None:
    with pytest.raises(EditError, match="no instruction"):
        Model(find(f"{good}~remove~{WAIT}+0xc.isb"))


@pytest.mark.parametrize(
    ("by", "told"),
    [
        (
            "mrs x4, tpidr_el1\nmsr tpidr_el1, x4",
            "flush_tlb_kernel_range[+]0x4: msr is no operation",
        ),
        ("adr x1, memstart_addr\nstr x1, [x1]", "a store to memstart_addr, which other CPUs may"),
        ("mov x1, #8\nldr x0, [x1]", "an access to 0x8, where nothing is"),
        ("wait:\nb wait", "no operation within 5,000 instructions"),
        ("b out_of_the_world", "it branched to where no code is"),
    ],
)
def test_what_cannot_be_executed_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str, told: str
) -> None:
    source = by.replace("b out_of_the_world", "mov x1, #8\nbr x1")
    monkeypatch.setattr("simbbm.binary.code.running.INSTRUCTIONS_MAX", 5_000)
    odd = written(tmp_path / "odd", flush_tlb_kernel_range=source)
    with pytest.raises(Finding, match=told):
        simbbm.explore(odd)


def test_pages_of_the_image_are_apart() -> None:
    """What is written, what is executed, and what is executed at physical addresses."""
    assert len(small_image()) > 5 * PAGE
