"""Mistakes of a scenario's author: one line that says how to mend it, and the rest goes on."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from simbbm import discovery
from simbbm.core.programs.blame import meant
from simbbm.host import reading
from simbbm.host.reading import nearest
from tests.cli.commandline import Cli

# What a user writes by mistake, a scenario each

LESS_USUAL = """\
import simbbm as sb


async def writer(cpu):
    await cpu.nop()


def machine(**more):
    regime = sb.Regime((sb.Ttbr(0),), (sb.Ttbr(0),), (sb.Tcr(0, 1, epd0=True),))
    given = {"geometry": sb.SCALED, "cpus": (sb.CpuSetup(writer, regime),), "tables": {}}
    return sb.Setup(**(given | {"properties": (sb.terminates,)} | more))
"""


def scenario_of(name: str, body: str, expect: str = "HOLDS") -> str:
    return f'\n\n@sb.scenario(expect="{expect}")\ndef {name}():\n    """A story."""\n    {body}\n'


WRONG = {
    'return machine(properties=("no_tlb_conflict",))': (
        "{}::wrong: properties: 'no_tlb_conflict' is no Property "
        "(write no_tlb_conflict without quotes: from simbbm import no_tlb_conflict)"
    ),
    'return machine(properties=("mine",))': (
        "{}::wrong: properties: 'mine' is no Property (write Property(name, check=...), or "
        "one that simbbm list --properties names)"
    ),
    "return machine(symbol={})": (
        "{}:11: {}::wrong: TypeError: Setup.__init__() got an unexpected keyword argument 'symbol'"
    ),
    "return sb.CpuSetup(writer, feature=1)": (
        "{}:{line}: {}::wrong: TypeError: CpuSetup.__new__() got an unexpected keyword argument "
        "'feature'"
    ),
}


@pytest.mark.parametrize("body", WRONG)
def test_a_mistake_costs_its_own_scenario_and_is_told(
    simbbm: Cli, tmp_path: Path, body: str
) -> None:
    text = LESS_USUAL + scenario_of("right", "return machine()") + scenario_of("wrong", body)
    own = tmp_path / "own.py"
    own.write_text(text)
    result = simbbm("check", own, "-j", "1")
    expected = WRONG[body].format(own, own, line=len(text.splitlines()))

    assert 2 == result.exit_code
    assert result.stderr.startswith(f"simbbm: {expected}"), result.stderr
    assert 1 == len(result.stderr.splitlines())
    if "unexpected" in expected:
        assert re.search("[dD]id you mean '?(symbols|features)'?\\?", result.stderr)
    assert "ok    right" in result.stdout
    assert "1 of 2 as expected, 1 with an error in the scenario." in result.stdout


def test_an_argument_that_is_near_none_lists_those_that_there_are() -> None:
    told = "nearest() got an unexpected keyword argument 'zzzz'"

    assert "it takes text, known, cutoff" == meant(told, {"nearest": nearest})
    assert "did you mean cutoff?" == meant(told.replace("zzzz", "cutof"), {"r": reading})
    assert meant(told, {}) is None
    assert meant(f"{told}. Did you mean 'text'?", {"nearest": nearest}) is None
    assert meant("'zzzz' is not defined", {"nearest": nearest}) is None


def test_an_expectation_may_name_an_own_property(simbbm: Cli, tmp_path: Path) -> None:
    check = (
        "\n\ndef never_ends(shared, state):\n"
        "    return sb.Problem('mine', 'it ended') if state.cpus[0].finished else None\n"
    )
    body = "return machine(properties=(sb.Property('mine', check=never_ends),))"
    own = tmp_path / "own.py"
    own.write_text(LESS_USUAL + check + scenario_of("own", body, expect="VIOLATED:mine"))

    assert re.search(r"ok    own +VIOLATED:mine", simbbm.ok("check", own, "-j", "1"))
    assert "mine.json" not in simbbm.ok("run", f"{own}::own")


def test_a_file_that_cannot_be_loaded_costs_itself(simbbm: Cli, mine: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    shutil.copy(mine, folder / "a.py")
    (folder / "b.py").write_text(
        "from simbbm_scenarios.bbm_minimal import good, change\n\n"
        't = good.twin("T.", expect="HOLDS", replace={change: "change"})\n'
    )
    (folder / "c.py").write_text("import simbbm.scenario\nimport no_such\n")
    (folder / "d.py").write_text(LESS_USUAL + scenario_of("right", "return machine()"))
    result = simbbm("check", folder, "-j", "1")

    assert 2 == result.exit_code
    assert [
        (
            f"simbbm: {folder}/b.py:3: replace: 'change' is no routine (write replace={{old: new}} "
            "with the functions themselves, imported by name)"
        ),
        f"simbbm: {folder}/c.py:2: ModuleNotFoundError: No module named 'no_such'",
    ] == result.stderr.splitlines()
    assert "3 of 3 as expected, 2 files that cannot be loaded." in result.stdout
    rows = simbbm.rows("check", folder, "-j", "1", code=2)
    assert ["error"] * 2 + ["verdict"] * 3 == [row["type"] for row in rows]
    (folder / "a.py").unlink()
    (folder / "d.py").unlink()
    nothing = simbbm("check", folder)
    assert (2, "") == (nothing.exit_code, nothing.stdout)
    assert [f"{folder}/b.py:3:", f"{folder}/c.py:2:"] == [
        line.split()[1] for line in nothing.stderr.splitlines()
    ]


@pytest.mark.parametrize(
    ("text", "makes"),
    [
        ("import simbbm as sb\n@sb.scenario()\n", True),
        ("from simbbm import (\n    Setup,\n    scenario,\n)\n", True),
        ("from simbbm.scenario import scenario\n", True),
        ("from simbbm_scenarios.bbm_minimal import good\n", True),
        ("import os, simbbm\nx = simbbm.scenario\n", True),
        ("if True:\n    from simbbm import scenario as s\n", True),
        ("from simbbm import check\ncheck('bbm_minimal::good')\n", False),
        ("# import simbbm, for a scenario\n", False),
        ("import simbbmish\nscenario = 1\n", False),
        ("import os  # not simbbm: no scenario\n", False),
    ],
)
def test_what_looks_like_a_file_of_scenarios(tmp_path: Path, text: str, *, makes: bool) -> None:
    file = tmp_path / "file.py"
    file.write_text(text)

    assert makes is discovery.is_like_a_scenario(file)
