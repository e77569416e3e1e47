"""An image of ours is a scenario: proved, broken, and refused where it cannot be run."""

from __future__ import annotations

from pathlib import Path

import pytest

import simbbm
from simbbm.arm64.geometry import GEOMETRIES
from simbbm.binary.code.parts import parts
from simbbm.binary.process import Finding
from simbbm.core.errors import EditError
from simbbm.discovery import find
from simbbm.explore.search.prove import Prover, Termination
from simbbm.model import Model
from tests.binary.kernels import SPLIT_PMD
from tests.cli.commandline import Cli
from tests.images.small import PAGES_16K, small_image, without

WAIT = "wait_linear_map_split_to_ptes"


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


def test_a_kernel_that_was_moved_is_the_same(good: str) -> None:
    here, there = (simbbm.explore(good, {"kaslr": moved}) for moved in ("no", "yes"))

    assert (there.verdict, there.details.states) == (here.verdict, here.details.states)


def test_mixed_has_all_leaves_but_a_gibibyte() -> None:
    found = parts("mixed", GEOMETRIES["4k"])

    assert [part.name for part in found] == ["contpte", "pages", "contpmd", "pmd"]
    assert [part.first for part in found] == [0, 512, 8192, 8192 + 16 * 512]


def test_pages_of_16k(tmp_path: Path) -> None:
    good = tmp_path / "16k"
    good.write_bytes(small_image(16384))
    answer = simbbm.explore(f"{good}::linear_map_split")
    assert (answer.verdict, answer.params["cpus"]) == ("PROVED", 2)

    half = PAGES_16K["split_pmd"].replace("#2048", "#1024")
    good.write_bytes(small_image(16384, split_pmd=half))
    assert simbbm.explore(f"{good}::linear_map_split").property == "no_fault_on_live_map"


def test_a_proof_needs_no_reduction(good: str) -> None:
    assert Prover(Model(find(good)), ample=False, symmetry=False).prove().verdict == "PROVED"


@pytest.mark.parametrize(
    ("function", "line", "by", "property_"),
    [
        (WAIT, "tlbi vmalle1", "nop", "no_size_change_seen"),
        (WAIT, "dsb nsh", "dmb nsh", "no_size_change_seen"),
        (WAIT, "msr ttbr1_el1, x4", "nop", "no_fault_on_live_map"),
        (WAIT, "add w5, w5, #1", "add w5, w5, #2", "terminates"),
        (WAIT, "sevl", "nop", "terminates"),
        ("split_pmd", "dsb ishst", "nop", "no_fault_on_live_map"),
        ("linear_map_split_to_ptes", "b.ne others", "nop", "no_size_change_seen"),
        ("split_pmd", "bl get_free_pages_noprof", "b panic", "no_panic"),
    ],
)
def test_one_wrong_instruction_is_found(
    tmp_path: Path, function: str, line: str, by: str, property_: str
) -> None:
    bad = written(tmp_path / "bad", **without(function, line, by))

    assert Prover(Model(find(bad)), doubtful=True).prove().property == property_


def test_a_flush_by_range(tmp_path: Path) -> None:
    """The largest range of 4K, from the linear map on."""
    high = 1 << 14 | 3 << 12 | 31 << 7 | 1 << 4
    doubled = "\n".join(["add x1, x1, x1"] * 32)
    lines = f"mov x1, #{high:#x}\n{doubled}\ntlbi rvaale1is, x1"
    image = written(
        tmp_path / "range", **without("flush_tlb_kernel_range", "tlbi vmalle1is", lines)
    )

    assert simbbm.explore(image).verdict == "PROVED"


def test_the_list_of_witnesses_names_the_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bad = written(tmp_path / "bad", **without(WAIT, "tlbi vmalle1"))
    Cli(tmp_path)("explore", bad)

    (row,) = Cli(tmp_path).rows("witness")
    assert row["image"].startswith("Linux 7.2.13-test, sha256 ")


def test_a_witness_names_its_image_and_is_pursued_on_another(tmp_path: Path) -> None:
    bad = written(tmp_path / "bad", **without(WAIT, "tlbi vmalle1"))
    answer = simbbm.explore(bad)
    assert (answer.property, answer.expected) == ("no_size_change_seen", False)
    witness = answer.witness
    assert witness is not None
    assert witness.image.startswith("Linux 7.2.13-test, sha256 ")
    assert simbbm.replay(witness).how == "exact"

    written(tmp_path / "bad", **without(WAIT, "tlbi vmalle1", split_pmd=f"nop\n{SPLIT_PMD}"))
    again = simbbm.replay(witness)
    assert (again.result, again.how) == ("REPRODUCED", "semantic")
    assert again.why == f"it was recorded on another kernel image: {witness.image}"

    written(tmp_path / "bad")
    assert simbbm.replay(witness).result == "STALE"


def test_a_loop_of_loads_is_a_wait(tmp_path: Path) -> None:
    wfe = "ldr w5, [x4]\n        sevl\n    others:\n        wfe\n        ldaxr w2, [x3]"
    polls = without("linear_map_split_to_ptes", wfe, "ldr w5, [x4]\nothers:\nldar w2, [x3]")
    found = written(tmp_path / "polls", **polls)

    assert simbbm.run(found, strategy="polite").verdict == "HOLDS"
    proof = simbbm.explore(found)
    assert (proof.verdict, proof.details.termination) == ("PROVED", Termination(0, 2))


def test_what_waits_for_another_word_never_ends(tmp_path: Path) -> None:
    wfe = "ldr w5, [x4]\n        sevl\n    others:\n        wfe\n        ldaxr w2, [x3]"
    polls = "mov w5, #7\nothers:\nldar w2, [x3]"
    found = written(tmp_path / "polls", **without("linear_map_split_to_ptes", wfe, polls))

    assert simbbm.explore(found).property == "terminates"


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
