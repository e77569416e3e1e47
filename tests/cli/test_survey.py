"""`simbbm survey`: this machine, others, and all that are known."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from simbbm.cli.app import simbbm as app
from simbbm.cli.commands.field.survey import MachineName
from simbbm.field import collector
from simbbm.field.cost import window
from simbbm.field.cost.tables import Span
from tests.binary.kernels import small_kernel
from tests.cli.commandline import Cli
from tests.field.machines import A725, EVERY, X925, fake_root


@pytest.fixture
def box(tmp_path: Path) -> dict[str, Any]:
    """What a collector prints on a small GB10."""
    return collector.collect(str(fake_root(tmp_path / "root", [A725, A725, X925])))


def test_what_gb10_does(simbbm: Cli) -> None:
    told = simbbm.ok("survey", "gb10")

    assert told.startswith("NVIDIA GB10  20 CPUs, 128 GiB\n")
    assert "    Cortex-A725 r0p1                    cpu 0-9\n" in told
    assert "  booted on Cortex-A725 r0p1, as it does\n" in told
    assert (
        "    6.18 to 7.2   pages    it is not on the list [decoded; 6.19, 7.1 inferred]\n" in told
    )
    assert (
        "    7.3           repaint  it is on the list; Cortex-X925 r0p1 is not on the list" in told
    )
    assert "  if it booted on Cortex-X925 r0p1\n" in told


def test_the_rows(simbbm: Cli) -> None:
    head, *rows = simbbm.rows("survey", "gb10")

    assert ("survey-machine", "NVIDIA GB10", 20) == (head["type"], head["machine"], head["cpus"])
    assert [{"number": 4118414, "cores": ["Cortex-X925 r0p1"]}] == head["errata"]
    assert ["Cortex-A725 r0p1"] * 8 + ["Cortex-X925 r0p1"] * 8 == [r["boot_core"] for r in rows]
    assert [*EVERY] * 2 == [row["kernel"] for row in rows]
    assert [0] * 8 + [10] * 8 == [row["boot_cpu"] for row in rows]
    assert [True] * 8 + [False] * 8 == [row["boots"] for row in rows]
    assert ["pages"] * 7 + ["repaint"] + ["pages"] * 8 == [row["mode"] for row in rows]
    assert ("July 2026", "verified") == (rows[7]["list"], rows[7]["confidence"])
    assert [None, *["BBML2_NOABORT"] * 6, "BBML3"] == [row["capability"] for row in rows[:8]]


def test_what_an_answer_rests_on(simbbm: Cli) -> None:
    head = simbbm.rows("survey", "gb10", "--kernel", "7.3")[0]
    told = simbbm.ok("survey", "gb10", "--kernel", "7.3")

    assert [(source["kind"], source["what"]) for source in head["sources"]] == [
        ("soc", "NVIDIA GB10"),
        ("core", "Cortex-A725"),
        ("core", "Cortex-X925"),
        ("list", "July 2026"),
        ("kernel", "7.3"),
    ]
    assert "    list of July 2026: images of Debian's 7.3-rc7 and 7.3.4; commits" in told
    assert "    Cortex-X925: ID register of a GB10 (r0p1), as posted" in told
    assert "erratum 4118414 (kernels repeat a broadcast TLBI and its DSB): Cortex-X925" in told


def test_how_long_a_repaint_stops_the_machine_is_estimated_on_demand(
    simbbm: Cli, box: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Any, ...]] = []

    def estimate(*args: Any) -> tuple[float, float, float]:
        asked.append(args)
        return 1.0, 2.0, 4.0

    monkeypatch.setattr(window, "window_ms", estimate)
    file = tmp_path / "box.json"
    file.write_text(json.dumps(box))
    line = ("survey", file, "--kernel", "7.3")

    assert [None, None] == [row["window_ms"] for row in simbbm.rows(*line)[1:]]
    assert [[1.0, 2.0, 4.0], None] == [r["window_ms"] for r in simbbm.rows(*line, "--window")[1:]]
    assert "stops the machine for 2 ms (1 to 4), by a model" in simbbm.ok(*line, "--window")
    assert [([Span(0, 125829120 << 10)], "4k", 3)] * 2 == asked
    gb10 = "survey", "gb10", *line[2:], "--window"  # its page size is not known
    _, repaint, pages = simbbm.rows(*gb10)
    assert [None, None, None] == [repaint["window_ms"], pages["window_ms"], pages["windows"]]
    assert ["4k", "16k", "64k"] == [*repaint["windows"]]
    assert "2 ms (1 to 4) with 4K pages, 2 ms (1 to 4) with 16K pages, 2 ms" in simbbm.ok(*gb10)


def test_markdown_is_a_table(simbbm: Cli) -> None:
    told = simbbm.ok("survey", "gb10", "--markdown")
    table = [line for line in told.splitlines() if line.startswith("|")]

    assert told.startswith("### NVIDIA GB10\n")
    assert {7} == {line.count("|") - 1 for line in table}
    assert "| Cortex-A725 r0p1 (as it does) | 7.3 | repaint |" in told


def test_a_name_cannot_break_a_table(simbbm: Cli, tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text('name = "a|b <script>\\u001b[31m"\n[[cpu]]\ncore = "Cortex-X4 r0p3"\n')

    assert simbbm.ok("survey", file, "--markdown").startswith("### a\\|b &lt;script>\\u001b[31m\n")


def test_this_machine(simbbm: Cli, box: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "collect", lambda: box)
    told = simbbm.ok("survey")

    assert told.startswith("A Board  3 CPUs, 4K pages, 120 GiB, Linux 7.3.4-arm64\n")
    assert "    7.3*          repaint " in told
    assert "    not read: /proc/iomem: it has no addresses for who is not root\n" in told


def test_a_machine_that_is_not_arm64_says_what_to_do(
    simbbm: Cli, box: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    cpus = [cpu | {"midr": None} for cpu in box["cpus"]]
    monkeypatch.setattr(collector, "collect", lambda: box | {"arch": "x86_64", "cpus": cpus})

    assert simbbm.refused("survey").startswith(
        "this machine: x86_64, and not an arm64 machine (on one that is: python3 collect.py"
    )


def test_what_is_collected_is_what_is_surveyed(
    simbbm: Cli, box: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(collector, "collect", lambda: box)
    result = simbbm("survey", "--collect")
    file = tmp_path / "box.json"
    file.write_text(result.stdout)

    assert box == json.loads(result.stdout)
    assert "simbbm: not read: /proc/iomem: it has no addresses" in result.stderr
    assert "repaint" in simbbm.ok("survey", file)


def test_the_collector_is_printed_as_it_is(simbbm: Cli) -> None:
    assert Path(collector.__file__).read_text() == simbbm.ok("survey", "--collector")


def test_what_another_machine_says_can_come_through_a_pipe(
    simbbm: Cli, box: dict[str, Any]
) -> None:
    runner = CliRunner()
    result = runner.invoke(app, ["survey", "-", "--kernel", "7.3"], input=json.dumps(box))

    assert 0 == result.exit_code
    assert "A Board  3 CPUs" in result.stdout
    nothing = runner.invoke(app, ["survey", "-"], input="")
    assert "stdin: it is empty" in nothing.stderr


def test_socs_and_files_complete() -> None:
    completed = [c.value for c in MachineName().shell_complete(None, None, "gr")]

    assert ["graviton4", "grace"] == completed
    assert ["file"] == [c.type for c in MachineName().shell_complete(None, None, "box")]


def test_several_machines_of_which_one_cannot_be_read(
    simbbm: Cli, box: dict[str, Any], tmp_path: Path
) -> None:
    whole, cut = tmp_path / "whole.json", tmp_path / "cut.json"
    whole.write_text(json.dumps(box))
    cut.write_text(json.dumps(box)[:400])
    result = simbbm("survey", cut, "gb10", whole)

    assert 2 == result.exit_code
    assert "simbbm: cut.json: not whole JSON" in result.stderr
    assert ["NVIDIA GB10", "A Board"] == [
        line.split("  ")[0] for line in result.stdout.splitlines() if " CPUs, " in line
    ]
    rows = simbbm.rows("survey", cut, "gb10", code=2)
    assert "error" == rows[0]["type"]
    assert "survey-machine" == rows[1]["type"]


def test_an_image_brings_its_own_list(simbbm: Cli, tmp_path: Path) -> None:
    image = tmp_path / "vmlinuz"
    image.write_bytes(small_kernel().image())
    x4 = tmp_path / "x4.toml"
    x4.write_text('[[cpu]]\ncore = "Cortex-X4 r0p3"\n[[cpu]]\ncore = "Cortex-A725 r0p1"\n')
    rows = simbbm.rows("survey", x4, "--kernel", image, "--kernel", "v7.3")[1:]

    assert ["7.2.13-test", "7.3"] * 2 == [row["kernel"] for row in rows]
    assert ["repaint", "blocks", "pages", "blocks"] == [row["mode"] for row in rows]
    assert "decoded" == rows[0]["confidence"]


def test_the_answer_in_general(simbbm: Cli) -> None:
    told = simbbm.ok("survey", "--field")

    assert "September 2025: 6.18 to 7.2\n  take it as they usually boot: 0 of " in told
    assert "July 2026: 7.3\n  take it as they usually boot: 1 of " in told
    assert "    NVIDIA GB10 (DGX Spark, ASUS GX10): repaint, boots on Cortex-A725 r0p1" in told


def test_the_rows_in_general(simbbm: Cli) -> None:
    rows = simbbm.rows("survey", "--field")
    counts = [row for row in rows if row["type"] == "field-summary"]
    answers = {(row["list"], row["soc"]): row for row in rows if row["type"] == "field"}

    assert len(answers) == sum(row["socs"] for row in counts)
    assert [("September 2025", 0), ("July 2026", 1)] == [(c["list"], c["repaint"]) for c in counts]
    for count in counts:
        parts = [count[name] for name in ("repaint", "depends", "never", "unknown")]
        assert count["socs"] == sum(parts)
    assert "never" == answers["September 2025", "gb10"]["answer"]
    assert "repaint" == answers["July 2026", "gb10"]["answer"]
    assert "depends" == answers["July 2026", "mt8196"]["answer"]
    assert "depends" == answers["July 2026", "dimensity-9500"]["answer"]
    assert "unknown" == answers["July 2026", "xiaomi-o1"]["answer"]
    assert ("never", "pages") == tuple(
        answers["July 2026", "apple-m1"][name] for name in ("answer", "mode")
    )


def test_a_table_in_general(simbbm: Cli) -> None:
    told = simbbm.ok("survey", "--field", "--markdown").splitlines()

    assert {8, 7} == {line.count("|") for line in told if line}
    assert "| list | SoCs | repaint | depends | never | unknown |" in told


def test_a_core_of_ones_own(simbbm: Cli, tmp_path: Path) -> None:
    tables, mine = tmp_path / "tables.toml", tmp_path / "mine.toml"
    tables.write_text(
        '[[core]]\nname = "Mine"\nimplementer = 0x51\npart = 0x123\nbbm = 3\n'
        'confidence = "verified"\nsource = "its ID register"\n'
    )
    mine.write_text('[[cpu]]\ncore = "Mine r0p0"\n')
    rows = simbbm.rows("survey", mine, "--tables", tables)[1:]

    assert ["pages"] * 7 + ["blocks"] == [row["mode"] for row in rows]
    assert "no core Mine r0p0" in simbbm.refused("survey", mine)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["gb01"], "gb01: no such file, and no SoC of the tables (did you mean gb10?"),
        (["--kernel", "5.10", "gb10"], "5.10: no kernel of the tables, and no image"),
        (["--kernel", "nofile", "gb10"], "nofile: no such image (or a version: 6.16, 6.17"),
        (["--kernel", sys.executable, "gb10"], "not an arm64 kernel"),
        (["--tables", "nofile", "gb10"], "nofile: cannot be read: No such file"),
        (["--field", "gb10"], "--field stands alone (leave out gb10)"),
        (["--collect", "--collector"], "--collect stands alone (leave out --collector)"),
        (["--field", "--kernel", "7.3"], "--field is about every list of the tables"),
        (["--markdown", "--json", "gb10"], "two ways to print"),
        ([sys.executable], "not UTF-8"),
    ],
)
def test_what_cannot_be_asked(simbbm: Cli, line: list[str], said: str) -> None:
    result = simbbm("survey", *line)

    assert 2 == result.exit_code
    assert 1 == len(result.stderr.splitlines())
    assert said in result.stderr


# From a survey to a proof.


def test_the_protocol_is_proved_for_a_machine(simbbm: Cli) -> None:
    result = simbbm("check", "linear_map_split::good", "--machine", "gb10", "-p", "layout=pmd")

    assert 0 == result.exit_code
    assert "good  PROVED" in result.stdout
    assert "simbbm: its 20 CPUs stand as 3: cpu0 Cortex-A725 r0p1 boots" in result.stderr
    assert "simbbm: -p cpus=3 -p noabort=0,1 -p cpu2=errata=4118414 -p layout=pmd" in result.stderr


def test_a_file_and_a_kernel(simbbm: Cli, box: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "b@x.json"
    file.write_text(json.dumps(box))
    row = simbbm.row("run", "linear_map_split::good", "--machine", f"{file}@7.3", "-p", "cpus=3")

    assert "HOLDS" == row["verdict"]
    assert ("0,1", "4k", "pmd") == tuple(
        row["params"][name] for name in ("noabort", "geometry", "layout")
    )
    assert simbbm.row("run", "linear_map_split::good", "--machine", file)["verdict"] == "HOLDS"
    assert "does not repaint under 7.2" in simbbm.refused(
        "run", "linear_map_split::good", "--machine", f"{file}@7.2"
    )


def test_a_proof_for_every_number_takes_no_cpus_from_a_machine(
    simbbm: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    from simbbm.cli.commands import prove

    given: list[dict[str, str]] = []

    def prove_each(*args: Any, **_: Any) -> int:
        given.append(dict(args[1]))
        return 0

    monkeypatch.setattr(prove, "prove_each", prove_each)
    simbbm.ok("prove", "linear_map_split::good", "--machine", "gb10")
    simbbm.ok("check", "linear_map_split::good", "--machine", "gb10", "--every-n")
    simbbm.ok("explore", "linear_map_split::good", "--machine", "gb10", "-p", "cpus=all")

    assert [{"noabort": "boot"}, {"noabort": "boot"}, {"noabort": "boot", "cpus": "all"}] == given


def test_a_machine_is_for_a_scenario_that_is_named(simbbm: Cli) -> None:
    """Twins that need another layout or number of CPUs would seem to hold."""
    assert "--machine is for scenarios that are named" in simbbm.refused(
        "check", "--machine", "gb10"
    )


@pytest.mark.parametrize(
    ("machine", "said"),
    [
        ("gb01", "gb01: no such file, and no SoC"),
        ("gb10@7.9", "7.9: no kernel of the tables"),
        ("gb10@", "no such image"),
        ("graviton4", "AWS Graviton4 does not repaint under 7.3"),
    ],
)
def test_a_machine_that_cannot_be_looked_at(simbbm: Cli, machine: str, said: str) -> None:
    assert said in simbbm.refused("run", "linear_map_split::good", "--machine", machine)
