"""`simbbm kernel` on kernels of our own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.binary.images import BASE
from tests.binary.kernels import LIKE_THE_MODEL, small_kernel
from tests.cli.commandline import Cli


@pytest.fixture
def image(tmp_path: Path) -> Path:
    file = tmp_path / "vmlinuz"
    file.write_bytes(small_kernel().image())
    return file


def test_what_an_image_is(simbbm: Cli, image: Path) -> None:
    told = simbbm.ok("kernel", image)

    assert "Linux 7.2.13-test  Image, " in told
    assert "4K pages, 52-bit virtual addresses (48 where the CPU has no more)" in told
    assert "build id 000102030405060708090a0b0c0d0e0f10111213" in told
    assert "symbols from kallsyms, 6 types from BTF" in told
    assert "patched for LSE" in told
    assert "The split: 61 instructions in 7 functions" in told
    assert "Cortex-X4                            r0p3 to r0p15" in told
    assert "AmpereOne                            all" in told
    assert "a finding if it is reached: panic" in told


def test_functions_with_what_they_ask_for(simbbm: Cli, image: Path) -> None:
    rows = simbbm.rows("kernel", image)
    functions = {row["name"]: row for row in rows if row["type"] == "kernel-function"}
    pmd = functions["split_pmd"]

    assert (pmd["path"], pmd["instructions"], pmd["bytes"]) == ("split", 13, 64)
    assert pmd["operations"] == {"dsb ishst": 2, "isb": 1}
    assert functions["scondary_cpu_wait"]["operations"] == {
        "ldxr": 2,
        "stxr": 1,
        "sevl": 1,
        "wfe": 1,
        "msr ttbr1_el1": 1,
        "isb": 1,
    }
    assert functions["idmap_kpti_install_ng_mappings"]["path"] == "kpti"
    assert not any(row["unknown"] for row in functions.values())


def test_the_row_of_the_whole(simbbm: Cli, image: Path) -> None:
    head, *others = simbbm.rows("kernel", image)

    assert (head["release"], head["va_bits"], head["table_levels"]) == ("7.2.13-test", 52, 5)
    assert (head["base"], head["page_size"], head["unknown"]) == (BASE, 4096, 0)
    assert head["allowed"][0] == {
        "cpu": "Cortex-X4",
        "revisions": "r0p3 to r0p15",
        "midr": 0x410FD820,
        "low": 3,
        "high": 15,
    }
    assert [(a["capability"], a["patched"]) for a in head["alternatives"]] == [
        *(("LSE", True), ("VA52", False))
    ]
    called = {r["name"]: r["treatment"] for r in others if r["type"] == "kernel-external"}
    assert called == {"alloc_pages_noprof": "stub", "panic": "finding"}


@pytest.mark.parametrize(
    ("features", "first", "fourth"),
    [("LSE", "nop", "dmb ish"), ("", "b #", "dmb ish"), ("LSE,VA52", "nop", "dsb ish")],
)
def test_instructions_are_those_that_the_machine_runs(
    simbbm: Cli, image: Path, features: str, first: str, fourth: str
) -> None:
    pytest.importorskip("capstone", reason="capstone is not installed")
    wanted = ("kernel", image, "--cpu-features", features, "--disassemble", "multi_cpu_stop")
    rows = simbbm.rows(*wanted)

    assert rows[0]["text"].startswith(first)
    assert (rows[3]["text"], rows[3]["offset"]) == (fourth, 12)
    assert [row["patched"] for row in rows[:2]] == [features.startswith("LSE"), False]
    assert "+0xc" in simbbm.ok(*wanted)


def test_jump_labels_on_the_path(simbbm: Cli, image: Path, tmp_path: Path) -> None:
    file = tmp_path / "switched"
    keys = {"some_key": "split_pmd", "other_key": "panic"}
    file.write_bytes(small_kernel(keys=keys).image())

    (label,) = simbbm.rows("kernel", file)[0]["jump_labels"]

    assert label == {"key": "some_key", "place": "split_pmd", "target": "split_pmd+0x8"}
    assert "some_key                             split_pmd -> split_pmd+0x8" in simbbm.ok(
        "kernel", file
    )
    assert "Jump labels among them: none" in simbbm.ok("kernel", image)
    found = simbbm.rows("compare", image, file)[1]
    assert (found["kind"], found["name"], found["after"]) == ("jump label", "some_key", "split_pmd")


def test_a_call_says_whom(simbbm: Cli, image: Path) -> None:
    pytest.importorskip("capstone", reason="capstone is not installed")

    assert "<alloc_pages_noprof>" in simbbm.ok("kernel", image, "--disassemble", "split_pmd")


def test_what_is_executed_is_shown(simbbm: Cli, image: Path) -> None:
    told = simbbm.ok("kernel", image, "--trace").splitlines()
    rows = simbbm.rows("kernel", image, "--trace")

    assert told[0] == "cpu0: the boot CPU, alone; 36 instructions"
    assert "    split_pmd+0x1c                             str tables" in told
    assert told[12].startswith("    the block: its tables lead to")
    assert [row["instructions"] for row in rows if row["type"] == "kernel-trace"] == [36, 22]
    assert len(rows) == len(told) - 1
    assert {row["cpu"] for row in rows} == {0, 1}


def test_an_image_is_held_against_the_model(simbbm: Cli, tmp_path: Path) -> None:
    file = tmp_path / "vmlinuz"
    file.write_bytes(small_kernel(extra=LIKE_THE_MODEL).image())

    told = simbbm.ok("kernel", file, "--compare").splitlines()
    rows = simbbm.rows("kernel", file, "--compare")

    assert told[0].startswith(
        "cpu0: the boot CPU waits for a secondary, and splits: 16 steps as in"
    )
    assert told[0].endswith("2 explained")
    assert "    [1] num_online_cpus() is loaded in each turn" in "\n".join(told)
    heads = [row for row in rows if row["type"] == "kernel-comparison"]
    assert [(r["cpu"], r["agrees"], r["same"], r["explained"]) for r in heads] == [
        *((0, True, 16, 2), (1, True, 30, 1))
    ]
    assert len(rows) == 2 + 18 + 31
    assert rows[2]["verdict"] == "explained"
    assert (rows[1]["place"], rows[1]["step"]) == ("linear_map_split_to_ptes+0x54", "ldar flag")
    assert rows[1]["model_place"] == "smp_cond_load_acquire/load_acquire_or_wait.ldar"


def test_what_the_model_does_not_do_is_named_and_fails(simbbm: Cli, tmp_path: Path) -> None:
    changed = LIKE_THE_MODEL | {
        "split_pmd": LIKE_THE_MODEL["split_pmd"].replace("dsb ishst", "dmb ish"),
        "cpu_uninstall_idmap": "ret",
    }
    (tmp_path / "vmlinuz").write_bytes(small_kernel(extra=changed).image())

    done = simbbm("kernel", "vmlinuz", "--compare")

    assert done.exit_code == 1
    assert "split_pmd+0x50: dmb ish, which the model does not do" in done.stdout
    assert (
        "split_pmd+0x54: before it the model does dsb ishst "
        "(split_to_ptes_pmd_entry/split_pmd.dsb.ishst), the image does not" in done.stdout
    )
    assert "at the end: the model does isb (" in done.stdout


def test_an_image_that_kaslr_has_moved(simbbm: Cli, image: Path) -> None:
    far = ("--kaslr-offset", "0x2a12340000,0x210000")
    head, *_ = simbbm.rows("kernel", image, *far)

    assert head["base"] == BASE + 0x2A12340000
    assert head["assumed"][0].startswith(
        "KASLR moves it up by 0x2a12340000, and in physical memory"
    )
    assert simbbm.ok("kernel", image, *far, "--trace") == simbbm.ok("kernel", image, "--trace")


def test_what_cannot_be_executed_is_named(simbbm: Cli, tmp_path: Path) -> None:
    file = tmp_path / "vmlinuz"
    built = small_kernel()
    at = built.symbols["split_pmd"] - BASE + 8
    whole = bytearray(built.image())
    whole[at : at + 4] = (0x4EE28420).to_bytes(4, "little")  # a SIMD instruction
    file.write_bytes(whole)

    assert "split_pmd+0x8: 4ee28420 no instruction that simbbm knows" in simbbm.ok("kernel", file)
    assert simbbm.rows("kernel", file)[0]["unknown"] == 1


def test_without_types_nothing_is_patched(simbbm: Cli, tmp_path: Path) -> None:
    file = tmp_path / "vmlinuz"
    file.write_bytes(small_kernel(leave_out=("btf",)).image())

    told = simbbm.ok("kernel", file)

    assert "structures are not known" in told
    assert "patched for nothing optional" in told


def test_symbols_from_a_system_map(simbbm: Cli, tmp_path: Path) -> None:
    built = small_kernel()
    (tmp_path / "map").write_text(
        "".join(f"{at:016x} T {name}\n" for name, at in built.symbols.items())
    )
    whole = built.image()
    (tmp_path / "vmlinuz").write_bytes(whole.replace(b"0\x001\x002\x00", b"0\x002\x001\x00"))

    assert "--system-map" in simbbm.refused("kernel", "vmlinuz")
    assert "symbols from map" in simbbm.ok("kernel", "vmlinuz", "--system-map", "map")


def test_wrong_input_is_refused_in_a_line(simbbm: Cli, image: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello\n" * 100)
    (tmp_path / "old").write_bytes(small_kernel(banner=b"Linux version 6.17.1 (x)\n\0").image())
    (tmp_path / "none").write_bytes(
        small_kernel(leave_out=("linear_map_split_to_ptes",), extra={"x": "ret"}).image()
    )
    for given, message in (
        (("nothing",), "nothing: cannot be read: No such file or directory"),
        (("text",), "text: not an arm64 kernel (wanted: an arm64 Image"),
        (("old",), "Linux 6.17.1 never splits its linear map (Linux 6.18 is the first that does)"),
        (("none",), "no linear_map_split_to_ptes among its symbols"),
        ((image, "--cpu-features", "LSF"), "no capability LSF (did you mean LSE?)"),
        ((image, "--system-map", "text"), "text: not the System.map of this image"),
        ((image, "--disassemble", "f"), "the kernel has no function f"),
        ((image, "--trace", "--compare"), "only one of --compare, --trace and --disassemble"),
        ((image, "--kaslr-offset", "far"), "--kaslr-offset far: no offset (for example 0x"),
        ((image, "--kaslr-offset", "0,0,0"), "--kaslr-offset 0,0,0: no offset"),
        ((image, "--kaslr-offset", "0x1000"), "a KASLR offset of 0x1000: wanted a multiple of"),
    ):
        assert message in simbbm.refused("kernel", *given)


def test_disassembly_says_what_it_needs(
    simbbm: Cli, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "capstone", None)

    told = simbbm.refused("kernel", image, "--disassemble", "split_pmd")

    assert told == (
        "--disassemble needs capstone, which is not installed (pip install 'simbbm[disassembly]')"
    )
