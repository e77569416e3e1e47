"""A name that no code can produce is refused by every command, at once, with the nearest name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from simbbm.explore.search.breadth_first import Search
from tests.cli.commandline import Cli

COMMANDS = (
    ("run",),
    ("stress", "--runs", "5", "-j", "1"),
    ("explore",),
    ("check",),
    ("ablate",),
)


@pytest.fixture
def nothing_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    def search(_: Search) -> None:
        pytest.fail("a search was begun")

    monkeypatch.setattr(Search, "run", search)


def misspelt(mine: Path) -> str:
    mine.write_text(mine.read_text().replace('["move.tlbi.vaae1is"]', '["move.tlbi"]'))
    return f"{mine}::no_tlbi"


@pytest.mark.usefixtures("nothing_is_searched")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_twin_that_drops_what_is_not_there(
    simbbm: Cli, mine: Path, command: tuple[str, ...]
) -> None:
    result = simbbm(command[0], misspelt(mine), *command[1:])

    told = "drops move.tlbi, but no step is called that (nearest: move.tlbi.vaae1is)"
    assert (2, True) == (result.exit_code, told in result.stderr)


@pytest.mark.usefixtures("nothing_is_searched")
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("change", ["remove", "delay", "weaken:dmb.sy"])
def test_an_id_that_changes_what_is_not_there(
    simbbm: Cli, command: tuple[str, ...], change: str
) -> None:
    step = "idmap_cpu_set_reserved_ttbr1.tlbi.vmalle2"
    result = simbbm(command[0], f"linear_map_split::good~{change}~{step}", *command[1:])

    told = "no step is called that (nearest: idmap_cpu_set_reserved_ttbr1.tlbi.vmalle1)"
    assert (2, True) == (result.exit_code, told in result.stderr)


@pytest.mark.parametrize("command", ["replay", "show", "shrink"])
def test_a_witness_of_what_is_not_there(simbbm: Cli, command: str, tmp_path: Path) -> None:
    row = simbbm.row("explore", "bbm_minimal::no_invalidation")
    witness = json.loads(Path(row["witness"]).read_text())
    witness["scenario"] += "~remove~nosuch.isb"
    path = tmp_path / "witness.json"
    path.write_text(json.dumps(witness))

    assert "drops nosuch.isb, but no step is called that" in simbbm.refused(command, path)


def test_what_no_schedule_comes_to_is_neither_proved_nor_as_expected(
    simbbm: Cli, mine: Path
) -> None:
    """Code could do it; nothing does. Good twins are no exception."""
    idle = "\n\nasync def idle(cpu: Cpu) -> None:\n    if X == 0:\n        await cpu.isb()\n"
    text = mine.read_text().replace("    await move(cpu", "    await idle(cpu)\n    await move(cpu")
    twin = 'idles = good.twin("x", expect="HOLDS", drop=["writer.isb"])\n'
    mine.write_text(text.replace("\n\nasync def reader", f"{idle}\n\nasync def reader") + twin)

    for command, *more in COMMANDS[:-1]:
        result = simbbm(command, f"{mine}::idles", *more)
        assert 2 == result.exit_code
        assert "drops writer.isb, but no schedule comes to such a step" in result.stderr
