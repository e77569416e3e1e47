"""`simbbm prove` and `simbbm verify`: what they say, and their exit codes."""

from __future__ import annotations

import json
from errno import ENOSPC
from os import strerror
from pathlib import Path
from textwrap import dedent

import pytest

from tests.cli.commandline import Cli

GATHERING = dedent('''
    """They gather."""

    from typing import Annotated

    from simbbm import (
        KERNEL_PAGE, RW, SCALED, Counter, Cpu, CpuSetup, Range, Regime, Setup, Tcr, Ttbr,
        cpu_numbers, leaf, no_tlb_conflict, repeat_until, scenario, terminates,
    )

    WORDS = SCALED.page_words
    FLAG, GO = KERNEL_PAGE * WORDS, KERNEL_PAGE * WORDS + 1


    def equals(value: int, wanted: int) -> bool:
        return value == wanted


    async def boot(cpu: Cpu, n: int) -> None:
        await cpu.wait(FLAG, equals, n)
        await cpu.str(GO, 1)


    async def other(cpu: Cpu, _: int) -> None:
        await cpu.ldaddal(FLAG, 1)
        await cpu.wait(GO, equals, 1)


    async def looks(cpu: Cpu) -> bool:
        return bool(await cpu.ldr(GO) == 1)


    async def polls(cpu: Cpu, _: int) -> None:
        await cpu.ldaddal(FLAG, 1)
        await repeat_until(looks, cpu)


    def machine(cpus: int, program: object) -> Setup:
        regime = Regime((Ttbr(0),), (Ttbr(2 * WORDS),), (Tcr(0, 1, epd0=True),))
        return Setup(
            geometry=SCALED,
            cpus=tuple(
                CpuSetup(program if n else boot, regime, (cpus,)) for n in cpu_numbers(cpus)
            ),
            tables={2 * WORDS: (leaf(0, RW), leaf(2, RW))},
            properties=(no_tlb_conflict, terminates),
            data={0: 1},
            counters={0: Counter("flag")},
        )


    @scenario()
    def good(*, cpus: Annotated[int, Range(2, 16)] = 3) -> Setup:
        """They gather."""
        return machine(cpus, other)


    @scenario()
    def polling(*, cpus: Annotated[int, Range(2, 16)] = 3) -> Setup:
        """They gather, and look again and again."""
        return machine(cpus, polls)


    @scenario()
    def counted(*, cpus: Annotated[int, Range(2, 16)] = 3) -> Setup:
        """Their number is counted."""
        return machine(len(range(cpus)), other)


    lost = good.twin("Nobody counts.", expect="STUCK:terminates", drop=["other.ldaddal"])
''')


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "gathering.py"
    path.write_text(GATHERING)
    return path


def test_a_proof_and_its_certificate(simbbm: Cli, file: Path, tmp_path: Path) -> None:
    certificate = tmp_path / "it.certificate"
    said = simbbm("prove", f"{file}::good", "--certificate", str(certificate))

    assert said.exit_code == 0
    assert "PROVED (as expected)" in said.stdout
    told = (
        "for every number of CPUs from 2 (safety, no deadlock, every run ends; views of 2; scaled"
    )
    assert told in said.stdout
    checked = simbbm("verify", str(certificate))
    assert checked.exit_code == 0
    assert "HOLDS" in checked.stdout
    assert "safety, no deadlock, every run ends" in checked.stdout
    other = simbbm("verify", str(certificate), "--scenario", f"{file}::polling", "--json")
    assert other.exit_code == 1
    row = json.loads(other.stdout)
    assert (row["type"], row["ok"]) == ("certificate", False)


@pytest.mark.parametrize("command", [("prove",), ("explore", "-p", "cpus=all")])
def test_every_order_is_taken_if_asked_for(
    simbbm: Cli, file: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """Of two stores that nobody looks at, either may drain first."""
    steps = ("str(GO + 1, 1)", "str(GO + 2, 1)", 'dsb("ish")', "wait(FLAG")
    boot = "\n".join(f"    await cpu.{step}" for step in steps)
    file.write_text(GATHERING.replace("    await cpu.wait(FLAG", boot, 1))
    certificate = tmp_path / "it.certificate"
    asked = (*command, f"{file}::good", "--json", "--certificate", str(certificate))
    some, every = (json.loads(simbbm(*asked, *more).stdout) for more in ((), ("--no-ample",)))

    assert some["verdict"] == every["verdict"] == "PROVED"
    assert some["shared_states"] < every["shared_states"]
    assert simbbm("verify", str(certificate)).exit_code == 0


def test_a_certificate_of_all_states(simbbm: Cli, file: Path, tmp_path: Path) -> None:
    certificate = tmp_path / "it.certificate"
    said = simbbm("explore", f"{file}::good", "-p", "cpus=2", "--certificate", str(certificate))

    assert said.exit_code == 0
    assert f"certificate: {certificate}; check it with simbbm verify" in said.stdout
    checked = simbbm("verify", str(certificate))
    assert checked.exit_code == 0
    assert "with cpus=2: safety, no deadlock, every run ends" in checked.stdout
    both = simbbm("explore", f"{file}::good", f"{file}::polling", "--certificate", "it")
    assert both.exit_code == 2
    assert "one certificate is for one scenario" in both.stderr


ASKED = (("prove",), ("explore", "-p", "cpus=2"))


@pytest.mark.parametrize("command", ASKED)
def test_a_certificate_that_cannot_be_written_costs_no_answer(
    simbbm: Cli, file: Path, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(ENOSPC, strerror(ENOSPC))

    monkeypatch.setattr("simbbm.cli.certificates.writing.write", full)
    said = simbbm(*command, f"{file}::good", "--certificate", "it")

    assert said.exit_code == 2
    assert "PROVED (as expected)" in said.stdout
    assert "check it with" not in said.stdout
    assert "cannot write it: No space left on device" in said.stderr


@pytest.mark.parametrize("command", ASKED)
def test_a_certificate_without_a_folder_is_refused_before_anything_is_proved(
    simbbm: Cli, file: Path, command: tuple[str, ...]
) -> None:
    said = simbbm(*command, f"{file}::good", "--certificate", "nosuch/it")

    assert said.exit_code == 2
    assert said.stdout == ""
    assert "cannot write nosuch/it: No such file or directory" in said.stderr


def test_a_limit_is_named_as_it_was_given(simbbm: Cli, file: Path) -> None:
    told = simbbm.ok("prove", f"{file}::good", "--max-seconds", "0.001s", code=3)

    assert "--max-seconds 0.001 reached" in told


def test_the_row_says_all(simbbm: Cli, file: Path) -> None:
    row = json.loads(simbbm("prove", f"{file}::good", "--json").stdout)

    assert (row["type"], row["mode"], row["verdict"], row["cpus"]) == (
        "verdict", "prove", "PROVED", "all",
    )  # fmt: skip
    assert row["counters"] == ["flag"]
    assert row["params"] == {"cpus": "all"}
    assert min(row[name] for name in ("views", "shared_states", "local_states", "glued")) > 0


@pytest.mark.parametrize(
    "command", [("prove",), ("explore", "-p", "cpus=all"), ("check", "--every-n")]
)
def test_there_are_three_ways_to_ask(simbbm: Cli, file: Path, command: tuple[str, ...]) -> None:
    said = simbbm(*command, f"{file}::good")

    assert said.exit_code == 0
    assert "for every number of CPUs" in said.stdout


def test_what_is_promised_and_open_is_no_success(simbbm: Cli, file: Path) -> None:
    said = simbbm("prove", f"{file}::polling")

    assert said.exit_code == 3
    assert "not proved: termination" in said.stdout
    assert json.loads(simbbm("prove", f"{file}::polling", "--json").stdout)["not_proved"] == [
        "termination"
    ]


def test_a_report_has_what_was_proved_and_what_was_not(
    simbbm: Cli, file: Path, tmp_path: Path
) -> None:
    names = ("good", "polling", "lost")
    ids = [f"{file}::{name}" for name in names]
    said = simbbm("check", "--every-n", *ids, "--html", str(tmp_path / "report"))
    data = json.loads((tmp_path / "report" / "report.json").read_text())
    entries = data["parts"]["prove"]["entries"]
    page = (tmp_path / "report" / "index.html").read_text()

    assert said.exit_code == 3
    assert [entry["passed"] for entry in entries] == [True, None, True]
    assert [entry["page"] is not None for entry in entries] == [False, False, True]
    assert (tmp_path / "report" / "counterexamples" / f"{entries[2]['page']}.html").is_file()
    assert "For every number of CPUs" in page
    assert f"{entries[0]['row']['views']:,} views" in page
    assert "not proved: termination" in page

    witness = tmp_path / "report" / "counterexamples" / f"{entries[2]['page']}.json"
    shown = simbbm("show", str(witness), "--allow-file", str(file))  # of a run without a step
    assert shown.exit_code == 0
    assert "STUCK terminates after 0 steps" in shown.stdout


def test_a_refusal_is_no_success(simbbm: Cli, file: Path) -> None:
    said = simbbm("prove", f"{file}::counted")

    assert said.exit_code == 3
    assert "refused: " in said.stdout
    assert "cpu_numbers(cpus)" in said.stdout


def test_a_bad_twin_is_shown_on_the_smallest_machine(simbbm: Cli, file: Path) -> None:
    row = json.loads(simbbm("prove", f"{file}::lost", "--json").stdout)

    assert (row["verdict"], row["expected"], row["cpus"]) == ("STUCK", True, 2)
    assert Path(row["witness"]).exists()


@pytest.mark.parametrize("command", [("prove",), ("check", "--every-n")])
def test_a_number_of_cpus_is_a_mistake(simbbm: Cli, file: Path, command: tuple[str, ...]) -> None:
    said = simbbm(*command, f"{file}::good", "-p", "cpus=4")

    assert said.exit_code == 2
    assert "every number" in said.stderr


def test_a_certificate_that_is_none_is_a_mistake(simbbm: Cli, file: Path) -> None:
    said = simbbm("verify", str(file))

    assert said.exit_code == 2
    assert "no certificate" in said.stderr


@pytest.mark.parametrize(
    "option", [("--runs", "100"), ("--seed", "1"), ("-j", "2"), ("--cross-check",)]
)
def test_what_every_n_would_ignore_is_refused(simbbm: Cli, option: tuple[str, ...]) -> None:
    told = simbbm.refused("check", "bbm_minimal::good", "--every-n", *option)

    assert told.startswith("check --every-n takes no --")
