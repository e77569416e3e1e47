"""`simbbm show --as`: every form of the table, into files and pipes, and what is refused."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace

from simbbm.cli.commands.witnesses.show import command
from simbbm.report.forms import FORMS
from tests.cli.commandline import Cli


def test_the_command_has_its_choices_from_the_table(simbbm: Cli) -> None:
    (choice,) = (p.type for p in command.params if p.name == "form")

    assert [*FORMS] == [*choice.choices]  # type: ignore[attr-defined]
    told = " ".join(simbbm.ok("show", "--help").split())
    assert all(f"{name}: {form.about}" in told for name, form in FORMS.items())


def test_forms_go_to_files_and_pipes(simbbm: Cli) -> None:
    witness = simbbm.row("explore", "bbm_minimal::live_change")["witness"]
    sayable = simbbm.row("explore", "tlb_range::shifted_by_page")["witness"]
    for form in FORMS:
        its = sayable if form == "litmus" else witness
        simbbm.ok("show", its, "--as", form, "-o", f"a.{form}")
        printed = simbbm("show", its, "--as", form)
        assert Path(f"a.{form}").read_bytes() == printed.stdout_bytes
    assert Trace.FromString(Path("a.perfetto").read_bytes()).packet


def test_a_trace_for_a_tool_searches_nothing(simbbm: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a failure needs takes searches: only forms that say it wait for them."""
    witness = simbbm.row("explore", "bbm_minimal::live_change")["witness"]
    module = import_module("simbbm.explore.counterexample.explain")
    monkeypatch.setattr(module, "explain", None)

    for form in ("ftrace", "perfetto"):
        simbbm.ok("show", witness, "--as", form, "-o", "trace")
        assert Path("trace").stat().st_size > 1_000


def test_a_missing_package_is_named_before_anything_is_done(
    simbbm: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simbbm.report.forms.find_spec", lambda _: None)
    monkeypatch.setattr("simbbm.cli.commands.witnesses.replay.read", None)

    assert (
        "--as perfetto needs the package perfetto (pip install 'simbbm[perfetto]')"
        == simbbm.refused("show", "any.json", "--as", "perfetto")
    )


def test_a_terminal_gets_no_bytes(simbbm: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simbbm.cli.commands.witnesses.show.width", lambda: 80)

    told = simbbm.refused("show", "any.json", "--as", "perfetto")
    assert "--as perfetto is no text for a terminal (add -o FILE)" == told


def test_lines_that_a_tool_reads_stay_whole_on_a_narrow_terminal(
    simbbm: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    witness = simbbm.row("explore", "bbm_minimal::live_change")["witness"]
    wide = simbbm.ok("show", witness, "--as", "mermaid")
    monkeypatch.setattr("simbbm.host.terminal.width", lambda: 40)

    assert wide == simbbm.ok("show", witness, "--as", "mermaid")
