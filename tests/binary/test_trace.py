"""Machine code of a kernel of our own is executed: what it asks for, and where it ends."""

from __future__ import annotations

import re

import pytest

from simbbm.binary.booted import booted
from simbbm.binary.formats.image import Image
from simbbm.binary.kernel import Kernel
from simbbm.binary.memory import Memory, NothingThere, Region
from simbbm.binary.process import INSTRUCTIONS_MAX, Finding
from simbbm.binary.trace import AS_WANTED, Trace, trace
from simbbm.core.errors import UsageError
from tests.binary.images import BASE
from tests.binary.kernels import FUNCTIONS, SPLIT_PMD, small_kernel


def traced(cpu: int, **functions: str) -> Trace:
    image = Image("small", small_kernel(extra=functions).image())
    return trace(Kernel(image), cpu)


def asked(found: Trace) -> list[str]:
    return [f"{line.operation} {line.what}".rstrip() for line in found.lines]


def test_the_boot_cpu_splits_and_releases() -> None:
    found = traced(0)

    assert asked(found) == [
        "ldar idmap_kpti_bbml2_flag",
        "ldr __num_online_cpus",
        "dsb ishst",
        "str tables",
        "dsb ishst",
        "isb",
        "dsb ishst",
        "tlbi vmalle1is",
        "dsb ish",
        "isb",
        "stlr idmap_kpti_bbml2_flag",
    ]
    assert found.lines[3].place == "split_pmd+0x1c"
    assert found.executed == 36


def test_a_secondary_parks_and_is_released() -> None:
    assert asked(traced(1)) == [
        "msr ttbr1_el1 0x0",
        "isb",
        "tlbi vmalle1",
        "dsb nsh",
        "isb",
        "ldxr idmap_kpti_bbml2_flag",
        "stxr idmap_kpti_bbml2_flag",
        "sevl",
        "wfe",
        "ldxr idmap_kpti_bbml2_flag",
        "msr ttbr1_el1 0x0",
        "isb",
    ]


def test_52_bits_are_more_levels_of_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    linear = 0xFFF0 << 48
    constants = {
        "pmd_table": linear + 0x4_2000,
        "table_bits": 0x4000_0003 - linear & (1 << 64) - 1,
    }
    monkeypatch.setattr("tests.binary.kernels.CONSTANTS", constants)
    image = Image("small", small_kernel(extra={"split_pmd": SPLIT_PMD}).image())
    kernel = Kernel(image, cpu_features=["LSE", "VA52"])

    assert booted(kernel, 0, 1).registers["tcr_el1"] == 12 << 16 | 12
    assert trace(kernel, 0).outcome.endswith(AS_WANTED)


def test_what_is_written_to_a_ttbr() -> None:
    cnp = FUNCTIONS["wait_linear_map_split_to_ptes"].replace(
        "msr ttbr1_el1, x4",
        "adr x4, reserved_pg_dir\nadr x5, kimage_voffset\nldr x5, [x5]\n"
        "sub x4, x4, x5\nadd x4, x4, #1\nmsr ttbr1_el1, x4",
    )

    assert "msr ttbr1_el1 reserved_pg_dir, cnp" in asked(
        traced(1, wait_linear_map_split_to_ptes=cnp)
    )


def test_runs_of_plain_accesses_are_one_line() -> None:
    stores = "adr x1, swapper_pg_dir\nstr x1, [x1]\nstr x1, [x1, #8]\nstr x1, [x1, #16]\nret"
    line = traced(0, split_pmd=stores).lines[2]

    assert (line.operation, line.what, line.times) == ("str", "tables", 3)


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (SPLIT_PMD, "512 pages, which map the same memory with the same attributes"),
        (SPLIT_PMD.replace("4096", "8192"), r"512 entries, of which 1 is leaf\(0x40002\)"),
        (SPLIT_PMD.replace("x2, #2", "x2, #0"), r"512 entries, of which 0 is leaf"),
        ("ret", "as it was: a leaf at level 2"),
        (FUNCTIONS["split_pmd"], "its tables lead to .*, where nothing is"),
    ],
)
def test_what_became_of_the_block(function: str, told: str) -> None:
    assert re.search(told, traced(0, split_pmd=function).outcome)


@pytest.mark.parametrize(
    ("function", "told"),
    [
        ("nop\nbrk #0x800", r"split_pmd\+0x4: brk #0x800"),
        ("b panic", "panic: panic is reached, which is not executed"),
        ("mov x1, #8\nldr x0, [x1]", r"split_pmd\+0x4: an access to 0x8, where nothing is"),
        ("mov x1, #8\nbr x1", "0x8.*it branched to where no code is"),
        ("mrs x0, mpidr_el1\nwait:\nb wait", f"does not end within {INSTRUCTIONS_MAX:,}"),
    ],
)
def test_what_cannot_be_executed_ends_the_run(
    function: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simbbm.binary.process.INSTRUCTIONS_MAX", 1_000)

    with pytest.raises(Finding, match=told.replace("3,000,000", "1,000")):
        traced(0, split_pmd=function)


def test_a_word_that_is_unknown_is_named() -> None:
    built = small_kernel()
    at = built.symbols["split_pmd"] - BASE + 4
    whole = bytearray(built.image())
    whole[at : at + 4] = (0x4EE28420).to_bytes(4, "little")

    with pytest.raises(Finding, match=r"small: split_pmd\+0x4: 4ee28420 is no instruction"):
        trace(Kernel(Image("small", bytes(whole))), 0)


def test_without_types_nothing_can_be_run() -> None:
    image = Image("small", small_kernel(leave_out=("btf",)).image())

    with pytest.raises(UsageError, match="too little of itself to be run"):
        trace(Kernel(image), 0)


def test_memory_is_the_image_and_what_was_written() -> None:
    built = small_kernel()
    voffset = BASE - 0x1000_0000
    memory = Memory(Image("x", built.image()), voffset, (Region("stack", 0x8000, 64),))
    at = built.symbols["pointers"]

    assert memory.read(at, 8) == BASE + 64
    assert memory.read(at - voffset, 8) == BASE + 64, "by its physical address"
    memory.write(at + 6, 4, 0x11223344)
    assert memory.read(at, 8) == (BASE + 64) & (1 << 48) - 1 | 0x3344 << 48
    assert memory.read(at + 8, 2) == 0x1122
    assert (memory.read(0x8038, 8), memory.region(0x8038)) == (0, "stack")
    with pytest.raises(NothingThere, match="0x8040"):
        memory.read(0x803C, 8)
    with pytest.raises(NothingThere):
        memory.write(0x9000, 1, 1)
