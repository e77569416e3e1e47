"""What a collector printed, whole and otherwise; and machines described by hand."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from simbbm.core.errors import UsageError
from simbbm.field import collector, taken
from simbbm.field.collected import collected
from simbbm.field.described import described
from simbbm.field.machines import Machine, spans
from tests.field.machines import A725, TABLES, X925, decided, fake_root, modes, write

JULY = "7.3"


@pytest.fixture
def box(tmp_path: Path) -> dict[str, Any]:
    return collector.collect(str(fake_root(tmp_path, [A725, A725, X925])))


def read(box: dict[str, Any]) -> Machine:
    """The machine that a collector's answer tells of."""
    return collected(json.dumps(box).encode(), "box.json")


def test_a_whole_answer(box: dict[str, Any]) -> None:
    machine = read(box)

    assert ("A Board", 0, 4096) == (machine.name, machine.boots, machine.page_size)
    assert 125829120 << 10 == machine.memory
    assert ["repaint"] == modes(machine, [JULY])
    assert all(note.startswith("not read: /") for note in machine.notes)


def test_where_ram_is_counts_more_than_its_total(box: dict[str, Any]) -> None:
    machine = read(box | {"memory": {"bytes": 5, "ranges": [[1 << 32, 2 << 32], [0, 1 << 30]]}})

    assert (1 << 32) + (1 << 30) == machine.memory
    assert ((0, 1 << 30), (1 << 32, 2 << 32)) == machine.ranges


def test_an_offline_cpu_of_which_nothing_is_known_leaves_what_it_cannot_change(
    tmp_path: Path,
) -> None:
    root = fake_root(tmp_path / "one", [X925, None], online="0")
    boots_on_x925 = read(collector.collect(str(root)))
    root = fake_root(tmp_path / "two", [A725, None, X925], online="0,2")
    has_x925 = read(collector.collect(str(root)))
    root = fake_root(tmp_path / "three", [A725, A725, None], online="0-1")
    open_question = decided(read(collector.collect(str(root))), JULY)

    assert ["pages"] == modes(boots_on_x925, [JULY])
    assert ["repaint"] == modes(has_x925, [JULY])
    assert ("blocks", "repaint", "refused") == open_question.possible
    assert "an unknown core must be identified first" in open_question.because
    assert "cpu1: offline, and has no MIDR_EL1" in boots_on_x925.notes


def test_an_offline_cpu_that_lacks_it_was_there_at_boot_or_is_refused(box: dict[str, Any]) -> None:
    box["cpus"][2]["online"] = False
    found = decided(read(box), JULY)

    assert ("repaint", "refused") == found.possible
    assert "whether Cortex-X925 r0p1 comes online at boot, or later" in found.because


@pytest.mark.parametrize(
    ("words", "mode"),
    [(["maxcpus=2"], "refused"), (["maxcpus=3"], "repaint"), (["nosmp"], "refused")],
)
def test_maxcpus_says_who_comes_late(box: dict[str, Any], words: list[str], mode: str) -> None:
    assert [mode] == modes(read(box | {"cmdline": words}), [JULY])


@pytest.mark.parametrize(
    ("changed", "possible"),
    [
        ({"cmdline": ["debug_pagealloc=on"]}, ["pages"]),
        ({"cmdline": ["debug_pagealloc=off"]}, ["repaint"]),
        ({"cmdline": [], "config": {"DEBUG_PAGEALLOC_ENABLE_DEFAULT": "y"}}, ["pages"]),
        ({"cmdline": ["rodata=off"], "config": {"KFENCE": "n"}}, ["blocks", "repaint"]),
        ({"cmdline": ["rodata=off", "rodata=full"]}, ["repaint"]),
        ({"config": {"RODATA_FULL_DEFAULT_ENABLED": "n"}, "cmdline": []}, ["blocks", "repaint"]),
        ({"cmdline": ["rodata=off", "kfence.sample_interval=0"]}, ["repaint"]),
    ],
)
def test_the_command_line_and_the_configuration_count(
    box: dict[str, Any], changed: dict[str, Any], possible: list[str]
) -> None:
    """With rodata=off only a realm may still protect pages, and of that nothing is known."""
    assert possible == [*decided(read(box | changed), JULY).possible]


@pytest.mark.parametrize(
    ("changed", "note"),
    [
        ({"page_size": 8192}, "a page of 8192 bytes is none of arm64's: left out"),
        ({"page_size": -1}, "a page of -1 bytes is none of arm64's: left out"),
        ({"memory": {"bytes": 10**15 * 9}}, "9000000000000000 bytes of RAM cannot be: left out"),
        ({"memory": {"bytes": 0}}, "0 bytes of RAM cannot be: left out"),
        ({"memory": {"ranges": [[0, 10], [5, 20]]}}, "its ranges of RAM cannot be: left out"),
        ({"memory": {"ranges": [[10, 5]]}}, "its ranges of RAM cannot be: left out"),
        ({"memory": {"ranges": [[0, 1 << 60]]}}, "its ranges of RAM cannot be: left out"),
        (
            {"memory": {"bytes": 1 << 34, "ranges": [[0, 1 << 20]]}},
            "its ranges of RAM have less than its MemTotal: left out",
        ),
        (
            {"cmdline": None},
            "no kernel command line: rodata=full and no debug_pagealloc are assumed",
        ),
    ],
)
def test_what_cannot_be_is_left_out_and_said(
    box: dict[str, Any], changed: dict[str, Any], note: str
) -> None:
    machine = read(box | changed)

    assert note in machine.notes
    assert ["repaint"] == modes(machine, [JULY])


@pytest.mark.parametrize("midr", ["0x0", "0x00ffffff", "12345678901234567890", "none", ""])
def test_a_midr_that_is_none_is_no_core(box: dict[str, Any], midr: str) -> None:
    box["cpus"][2]["midr"] = midr
    machine = read(box)

    assert f"cpu2: {midr} is no MIDR_EL1" in machine.notes
    assert ("blocks", "repaint") == decided(machine, JULY).possible


def test_a_cpu_that_is_there_twice_contradicts_itself(box: dict[str, Any]) -> None:
    box["cpus"].append({"cpu": 2, "online": True, "midr": "0x410fd871"})
    machine = read(box)

    assert 3 == len(machine.cpus)
    assert "cpu2: contradicts itself: 0x410fd851 and 0x410fd871" in machine.notes
    assert ("blocks", "repaint") == decided(machine, JULY).possible


def test_a_machine_without_cpu_0_has_no_boot_cpu_that_is_known(box: dict[str, Any]) -> None:
    assert read(box | {"cpus": box["cpus"][1:]}).boots is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "not whole JSON"),
        (b"[]", "Expected `object`, got `array`"),
        (b"{}", "missing required field `type`"),
        (b'{"type":"verdict","cpus":[]}', "Invalid enum value 'verdict'"),
        (b'{"type":"collected"}', "missing required field `cpus`"),
        (b'{"type":"collected","arch":"aarch64","cpus":[]}', "it has no CPU"),
        (b'{"type":"collected","arch":"x86_64","cpus":[{"cpu":0}]}', "x86_64, and not an arm64"),
        (b'{"type":"collected","arch":null,"cpus":[]}', "that it does not say, and not an arm64"),
        (
            b'{"type":"collected","arch":"aarch64","cpus":[{"cpu":"0"}]}',
            "Expected `int`, got `str`",
        ),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"type":"collected","cpus":"\xff"}', "not what a collector prints"),
    ],
)
def test_what_is_no_answer_is_refused_in_one_line(content: bytes, said: str) -> None:
    with pytest.raises(UsageError, match=r"^box\.json: ") as error:
        collected(content, "box.json")

    assert said in error.value.message
    assert "\n" not in error.value.message
    assert "collect" in (error.value.hint or "")


def test_a_file_that_is_cut_short_anywhere_is_never_half_an_answer(box: dict[str, Any]) -> None:
    whole = json.dumps(box).encode()

    for end in range(1, len(whole), 7):
        with pytest.raises(UsageError, match="not whole JSON"):
            collected(whole[:end], "box.json")


def test_a_machine_of_thousands_of_kinds_is_none(box: dict[str, Any]) -> None:
    cpus = [{"cpu": n, "midr": hex(0x41000000 | n << 4)} for n in range(1, 100)]

    with pytest.raises(UsageError, match=r"99 kinds of core"):
        read(box | {"cpus": cpus})


@pytest.mark.parametrize("number", [-1, 4_096, 10**15])
def test_a_number_that_no_cpu_has(box: dict[str, Any], number: int) -> None:
    with pytest.raises(UsageError, match="Expected `int`"):
        read(box | {"cpus": [{"cpu": number, "midr": "0x410fd871"}]})


def test_somebodys_text_stays_in_its_line(box: dict[str, Any]) -> None:
    lack = {"what": "/a\nb", "why": "c" * 500}
    machine = read(box | {"name": "a\nb" + "c" * 500, "unread": [lack] * 100})

    assert machine.name.startswith("a bccc")
    assert 21 == len(machine.notes)
    assert "not read: 80 others" == machine.notes[-1]
    assert all(len(text) < 200 and "\n" not in text for text in (machine.name, *machine.notes))


def test_a_word_of_the_command_line_stays_in_its_line(box: dict[str, Any]) -> None:
    here = read(box | {"cmdline": ["rodata=a\nb"]})
    there = described('rodata = "a\\nb"\n[[cpu]]\ncore = "Cortex-X925"\n', "box.toml", TABLES)

    assert ("a b", "a b") == (here.options.rodata, there.options.rodata)


def test_too_many_cpus(box: dict[str, Any]) -> None:
    cpus = [{"cpu": n, "midr": "0x410fd871"} for n in range(4_097)]

    with pytest.raises(UsageError, match="Expected `int` <= 4095"):
        read(box | {"cpus": cpus})
    assert 4_096 == len(read(box | {"cpus": cpus[:-1]}).cpus)


# Descriptions.

GOOD = """
name = "A box"
boots = "Cortex-A725"
page_size = "4k"
memory = "128g"

[[cpu]]
core = "Cortex-A725 r0p1"
count = 10

[[cpu]]
midr = "0x410fd851"
count = 10
"""


def test_a_description() -> None:
    machine = described(GOOD, "box.toml", TABLES)

    assert ("A box", 0) == (machine.name, machine.boots)
    assert (4096, 128 << 30) == (machine.page_size, machine.memory)
    assert ["0-9", "10-19"] == [spans(numbers) for numbers in machine.kinds().values()]
    assert ["repaint"] == modes(machine, [JULY])


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            "Cortex-A725 r0p1",
            "Cortex-A752 r0p1",
            "no core Cortex-A752 r0p1 (did you mean Cortex-A725?)",
        ),
        ("Cortex-A725 r0p1", "Cortex-A725 r0p99", "no core Cortex-A725 r0p99"),
        ('boots = "Cortex-A725"', 'boots = "Cortex-X4"', "Cortex-X4 boots, and is no CPU of it"),
        ("0x410fd851", "0x0", "0x0 is no MIDR_EL1"),
        ('midr = "0x410fd851"', "", "either core or midr"),
        ('midr = "0x410fd851"', 'midr = "0x410fd851"\ncore = "Cortex-X4"', "either core or midr"),
        ("count = 10", "count = 0", "Expected `int` >= 1"),
        ("count = 10", "count = 1000000000", "Expected `int` <= 4096"),
        ("count = 10", "count = 4096", "more than 4,096 CPUs"),
        ("count = 10", "count = 10\nlate = true", "the CPU that boots cannot be late"),
        ('"4k"', '"8k"', "page_size 8k (it is 4k, 16k, 64k)"),
        ('"128g"', '"lots"', "memory lots is not an amount of memory"),
        ('"128g"', '"99999999999g"', "addresses have 52 bits"),
        ("count", "counts", "unknown field `counts`"),
        ("[[cpu]]", "[[cpus]]", "unknown field `cpus`"),
        ("name = ", "name = = ", "not TOML"),
        ('name = "A box"', "name = 5", "Expected `str | null`, got `int`"),
    ],
)
def test_a_description_that_is_wrong_is_refused_in_one_line(
    before: str, after: str, said: str
) -> None:
    with pytest.raises(UsageError, match=r"^box\.toml: ") as error:
        described(GOOD.replace(before, after), "box.toml", TABLES)

    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_who_boots_is_one_kind_of_core() -> None:
    several = '[[cpu]]\ncore = "Cortex-X4 r0p2"\n[[cpu]]\ncore = "Cortex-X4 r0p3"\n'

    with pytest.raises(UsageError, match="Cortex-X4 boots, and may be one of several kinds"):
        described(f'boots = "Cortex-X4"\n{several}', "box.toml", TABLES)
    assert 1 == described(f'boots = "cortex-x4 R0P3"\n{several}', "box.toml", TABLES).boots


def test_a_cpu_that_comes_late_does_not_boot() -> None:
    late = '[[cpu]]\ncore = "Cortex-X4 r0p3"\nlate = true\n'
    early = late.replace("late = true\n", "")

    with pytest.raises(UsageError, match="the CPU that boots cannot be late"):
        described(late, "box.toml", TABLES)
    assert 1 == described(f'boots = "Cortex-X4"\n{late}{early}', "box.toml", TABLES).boots


def test_too_many_cpus_are_never_made() -> None:
    """Each row may have 4,096: a file of a megabyte would be a hundred million."""
    text = '[[cpu]]\ncore = "Cortex-X4"\ncount = 4096\n' * 1_000

    tracemalloc.start()
    with pytest.raises(UsageError, match="more than 4,096 CPUs"):
        described(text, "box.toml", TABLES)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 << 20


def test_a_file_is_taken_for_what_it_is(box: dict[str, Any], tmp_path: Path) -> None:
    write(tmp_path, "box.json", "\ufeff \n" + json.dumps(box))
    write(tmp_path, "box.toml", GOOD)
    write(tmp_path, "empty", " \n")

    assert "A Board" == taken.machine(str(tmp_path / "box.json"), TABLES).name
    assert "A box" == taken.machine(str(tmp_path / "box.toml"), TABLES).name
    assert "NVIDIA GB10" == taken.machine("GB10", TABLES).name
    with pytest.raises(UsageError, match="empty: it is empty"):
        taken.machine(str(tmp_path / "empty"), TABLES)
    with pytest.raises(UsageError, match="no such file, and no SoC") as error:
        taken.machine("graviton5", TABLES)
    assert "did you mean graviton4?" in (error.value.hint or "")
