"""Bad input of every kind: one line, exit 2, and the rest of what was asked for is done."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from simbbm.core.errors import ScenarioError, UsageError
from simbbm.core.programs.blame import called
from simbbm.litmus.notation import conditions
from simbbm.litmus.notation.conditions import condition
from simbbm.litmus.notation.reader import read_line
from simbbm.litmus.run import Search
from simbbm.litmus.scenario import LitmusSystem, scenario_of
from simbbm.litmus.score import judge
from simbbm.model import Model
from tests.cli.commandline import Cli

MANY = "9" * 5_000
GOOD = "bbm_minimal::good"


@pytest.mark.parametrize(
    "line",
    [
        ("run", GOOD, "--seed", MANY),
        ("run", GOOD, "--seed", "0x" + MANY),
        ("run", GOOD, "--max-steps", MANY),
        ("run", GOOD, "--strategy", f"pct:depth={MANY}"),
        ("run", GOOD, "--strategy", "x" * 5_000),
        ("run", GOOD, "-p", f"noabort={MANY}"),
        ("run", GOOD, "-p", f"noabort=0,{MANY}"),
        ("run", GOOD, "-p", "noabort=\u0663"),
        ("run", GOOD, "-p", f"{MANY}=1"),
        ("run", "linear_map_split::good", "-p", f"cpus={MANY}"),
        ("stress", GOOD, "--runs", MANY),
        ("stress", GOOD, "--runs", "\u0663"),
        ("stress", GOOD, "--time", MANY),
        ("stress", GOOD, "-j", MANY),
        ("stress", GOOD, "-j", "100000"),
        ("explore", GOOD, "--max-memory", f"{MANY}g"),
        ("explore", GOOD, "--max-seconds", f"{MANY}.5s"),
        ("check", GOOD, "--kill-table", "--trials", MANY),
        ("litmus", "x.jsonl", "--window", MANY),
        ("new", ""),
        ("new", ".py"),
        ("new", "x" * 300 + ".py"),
        ("new", "a\nb.py"),
        ("run", ""),
        ("run", "::"),
        ("run", "x" * 300),
        ("run", "x" * 300 + "::x"),
        ("run", "x" * 300 + ".py::x"),
        ("run", "x" * 300 + ".jsonl::x"),
        ("run", "x" * 300 + "/y::x"),
        ("list", "x" * 300),
        ("replay", "x" * 300 + ".json"),
        ("litmus", "x" * 300),
        ("check", "empty"),
        (MANY,),
    ],
    ids=lambda line: " ".join(line)[:40],
)
def test_bad_input_is_one_line_and_not_long(simbbm: Cli, line: tuple[str, ...]) -> None:
    Path("empty").mkdir()
    result = simbbm(*line)

    assert 2 == result.exit_code
    assert 1 == result.stderr.count("\n")
    assert len(result.stderr) < 1_500
    assert "internal error" not in result.stderr


# Folders


def test_a_folder_says_what_it_leaves_out(simbbm: Cli, mine: Path) -> None:
    folder = Path("folder")
    folder.mkdir()
    shutil.copy(mine, folder / "a.py")
    own = 'mine = good.twin("Another one.", expect="HOLDS")\n'
    (folder / "b.py").write_text(f"from simbbm_scenarios.bbm_minimal import good\n{own}")
    (folder / "c.py").write_text("from simbbm_scenarios.bbm_minimal import good\n")
    (folder / "d.py").write_text("raise SystemExit('I am no scenario')\n")
    os.mkfifo(folder / "e.py")
    (folder / "f.py").mkdir()
    result = simbbm("check", "folder", "-j", "1")

    assert 0 == result.exit_code
    assert "3 of 3 as expected." in result.stdout
    assert [
        "simbbm: warning: folder/c.py has no scenarios of its own",
        *(
            f"simbbm: warning: folder/{name}.py is left out: it makes no scenario of simbbm's"
            for name in "def"
        ),
    ] == result.stderr.splitlines()


def test_a_folder_without_scenarios(simbbm: Cli) -> None:
    Path("folder").mkdir()
    assert simbbm.refused("check", "folder").startswith("folder has no scenarios")


# Authors


PROPERTY = """

from simbbm.check.properties import Property


def broken(shared, state):
    {wrong}


@scenario(expect="HOLDS")
def breaks() -> Setup:
    \"\"\"Its property does not work.\"\"\"
    setup = good.build()
    {how}
"""
HOW = {
    "check": 'return replace(setup, properties=(Property("p", check=broken),))',
    "final": 'return replace(setup, properties=(Property("p", final=broken),))',
    "landmark": 'return replace(setup, landmarks={"l": lambda state: broken(None, state)})',
    "build": "return broken(None, None)",
}


@pytest.mark.parametrize("how", HOW)
def test_what_an_author_raises_costs_his_own_scenario(simbbm: Cli, mine: Path, how: str) -> None:
    text = mine.read_text() + PROPERTY.format(wrong="return {}['x']", how=HOW[how])
    mine.write_text(f"from dataclasses import replace\n{text}")
    result = simbbm("check", f"{mine}::breaks", f"{mine}::good", "-j", "1")
    line = 1 + text.splitlines().index("    return {}['x']") + 1

    assert 2 == result.exit_code
    what = {"landmark": "landmark l", "build": f"{mine}::breaks"}.get(how, "property p")
    assert f"simbbm: {mine}:{line}: {what}: KeyError: 'x'\n" == result.stderr
    assert "ok    good" in result.stdout
    if how in ("check", "final", "build"):
        assert f"{mine}:{line}: {what}: KeyError: 'x'" == simbbm.refused(
            "stress", f"{mine}::breaks", "--runs", "9", "-j", "1"
        )


def test_what_we_raise_is_not_blamed_on_an_author() -> None:
    with pytest.raises(ScenarioError, match=r"test_input\.py:\d+: it: TypeError"):
        called("it", raises, TypeError())
    with pytest.raises(TypeError):
        called("it", condition, None)
    for error in (UsageError("x"), MemoryError()):
        with pytest.raises(type(error)):
            called("it", raises, error)


def raises(error: Exception) -> None:
    raise error


def test_a_table_of_another_size_is_an_authors_mistake(simbbm: Cli, mine: Path) -> None:
    """With -O, too: no assertion says so."""
    text = mine.read_text().replace("(leaf(OLD, RW), leaf(TABLES, RW))", "(leaf(OLD, RW),)")
    mine.write_text(text)
    told = simbbm.refused("run", f"{mine}::good")

    assert told.startswith("a table of 1 entries, where the geometry has 2")


def test_a_defect_of_ours_is_an_answer(simbbm: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise KeyError("k")

    monkeypatch.setattr("simbbm.campaign.answers.searches.prove", broken)
    result = simbbm("check", "bbm_minimal::good", "bbm_minimal::live_change", "-j", "1")

    assert 5 == result.exit_code
    assert 2 == result.stderr.count("internal error: KeyError: 'k' at test_input.py:")
    assert "0 of 2 as expected, 2 with an error in simbbm." in result.stdout


# Litmus files


ROW: dict[str, Any] = {
    "name": "T",
    "threads": [["r1 = ld x"]],
    "init": {"map": {"x": "leaf(pa)"}},
    "condition": "0:r1=0",
    "verdict": "allowed",
}


def row(**changes: Any) -> str:
    return json.dumps(ROW | changes)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('"name": "T",', "f:1: not JSON: "),
        ("AArch64 MP", "f:1: not JSON: "),
        ("{", "f:1: not JSON: "),
        ("1.5e3 x", "f:1: not JSON: "),
        ("null", "f:1: Expected `object`, got `null`"),
        ("[" * 100_000, "f:1: nested too deeply"),
        (row(note=[[]]).replace("[[]]", "[" * 5_000), "f:1: nested too deeply"),
        (MANY, "f:1: Integer value out of range"),
        (row(verdct="forbidden"), "f:1: T: there is no key verdct (did you mean verdict?)"),
        (row(Condition="x"), "f:1: T: there is no key Condition (did you mean condition?)"),
        (row(name=""), "f:1: a name is one line, and not empty"),
        (row(name="a\nb"), "f:1: a name is one line, and not empty"),
        (row(threads=[["isb"]] * 17), "f:1: T: 17 threads: more than 16"),
        (row(threads=[["isb"] * 257]), "f:1: T: 257 operations in a thread or handler: more than"),
        (row(threads=[["isb " + " " * 600]]), "f:1: T: P0 op 0: "),
        (row(threads=[["st x = r9"]]), "f:1: T: P0 op 0: `st x = r9`: nobody writes r9 of P0 (P0"),
        (row(threads=[["ctrl r9"]]), "f:1: T: P0 op 0: `ctrl r9`: nobody writes r9 of P0"),
        (row(threads=[["r1 = eq r9 1"]]), "f:1: T: P0 op 0: `r1 = eq r9 1`: nobody writes r9"),
        (row(threads=[["r1 = ld x {addr:r9}"]]), "f:1: T: P0 op 0: `r1 = ld x {addr:r9}`: nobody"),
        (row(threads=[[f"r1 = {MANY}"]]), "f:1: T: P0 op 0: "),
        (row(threads=[["r1 = " + "9" * 40]]), "f:1: T: P0 op 0: "),
        (
            row(init={"map": {"x": "leaf(pa)"}, "mem": {"pa": -1}}),
            "f:1: T: init.mem of pa: -1 is no",
        ),
        (row(init={"map": {"x": "leaf(pa)"}, "mem": {"pa": 1 << 64}}), "f:1: T: init.mem of pa: "),
        (row(init={"map": {"x" * 600: "leaf(pa)"}}), "f:1: T: `xxx"),
        (row(init={"map": {"x": "leaf(pa)"}, "regs": {f"P{MANY}": {}}}), "f:1: T: there is no thr"),
        (row(condition="(" * 400 + "0:r1=0" + ")" * 400), "f:1: T: the condition is nested more"),
        (row(condition="~" * 3_000 + "0:r1=0"), "f:1: T: the condition is nested more than 100"),
        (row(condition="0:r1=0 & " * 200_000), "f:1: T: the condition is longer than 10,000"),
        (row(condition=f"0:r1={'9' * 400}"), "f:1: T: `999"),
    ],
    ids=lambda text: text[:30],
)
def test_a_line_that_is_no_test(line: str, message: str) -> None:
    error = read_line("f", 1, line).error

    assert error is not None
    assert str(error).startswith(message)
    assert len(str(error)) < 400


@pytest.mark.parametrize("text", ["", "\n \n", "\ufeff"])
def test_a_file_without_a_test_is_no_pass(simbbm: Cli, text: str) -> None:
    Path("none.jsonl").write_text(text)
    result = simbbm("litmus", "none.jsonl")

    assert 2 == result.exit_code
    assert "none.jsonl is empty: there is no test in it" in result.stderr


def test_a_mark_of_byte_order_is_no_part_of_a_file(simbbm: Cli, witness: dict[str, Any]) -> None:
    Path("marked.jsonl").write_text(f"\ufeff{row()}\n")
    Path("marked.json").write_text(f"\ufeff{json.dumps(witness)}")

    assert "allowed  " in simbbm.ok("litmus", "marked.jsonl")
    assert "REPRODUCED" in simbbm.ok("replay", "marked.json")


def test_text_in_place_of_a_list_is_refused(simbbm: Cli, mine: Path) -> None:
    text = mine.read_text()
    mine.write_text(f'{text}\nt = good.twin("T.", expect="HOLDS", drop="reader.isb")\n')

    told = simbbm.refused("check", f"{mine}::good")
    assert told.startswith(f"{mine}:{len(text.splitlines()) + 2}: drop='reader.isb' is a text (wri")


def test_what_rows_have_for_information_is_no_mistake() -> None:
    told = read_line("f", 1, row(source="s", provenance="p", min_model="m", comment="c", url="u"))
    assert told.error is None


def test_a_condition_is_read_in_one_pass() -> None:
    text = " & ".join(["~(0:r1=0 | 1:r2=INV)"] * 400)
    assert len(text) < conditions.CONDITION_MAX
    assert 800 == len([*conditions.atoms(condition(text))])
    deep = "(" * 99 + "0:r1=0" + ")" * 99
    assert condition("0:r1=0") == condition(deep)
    for wrong in ("0:r1=0 &", "(0:r1=0", "0:r1=0)", "", "~", "0:r1=0 0:r1=0"):
        with pytest.raises(UsageError, match="cannot be read at"):
            condition(wrong)


@pytest.mark.parametrize(
    ("thread", "told"),
    [
        (["msr ttbr0 = r5"], "P0 op 0: no msr of int to ttbr0_el1, which is given 0"),
        (
            ["r5 = INV", "msr ttbr0 = r5"],
            "P0 op 1: no msr of Descriptor to ttbr0_el1, which is given",
        ),
        (["r5 = INV", "st x = r5"], "P0 op 1: a store of INV to pa"),
        (["r5 = 7", "st pte(x) = r5"], "P0 op 1: a store of 7 to pte(x)"),
        (["r1 = ld x", "st pte(x) = r1"], "P0 op 1: a store of 0 to pte(x)"),
    ],
)
def test_what_a_register_holds_shows_in_a_run_and_costs_one_line(
    simbbm: Cli, thread: list[str], told: str
) -> None:
    bad = row(name="bad", threads=[[*thread, "r1 = ld x"]])
    Path("t.jsonl").write_text(f"{bad}\n{row()}\n")
    result = simbbm("litmus", "t.jsonl")

    assert 2 == result.exit_code
    assert result.stderr.startswith(f"simbbm: t.jsonl:1: bad: {told}")
    assert "allowed reached 1/1, unsupported 0, inconclusive 0, malformed 1" in result.stdout
    assert "# Litmus conformance" in simbbm.ok("litmus", "t.jsonl", "--report", code=2)


def test_a_defect_of_ours_costs_one_test(simbbm: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(line: Any, **options: Any) -> Any:
        if line.name == "bad":
            raise KeyError("k")
        return judge(line, **options)

    monkeypatch.setattr("simbbm.campaign.answers.conformance.judge", broken)
    Path("t.jsonl").write_text(f"{row(name='bad')}\n{row()}\n")
    result = simbbm("litmus", "t.jsonl")

    assert 5 == result.exit_code
    assert "bad: internal error: KeyError: 'k' at test_input.py" in result.stderr
    assert "allowed reached 1/1" in result.stdout


def test_looking_at_outcomes_has_an_end() -> None:
    """A condition is looked at for every outcome; that takes time, too."""
    test = read_line("f", 1, row()).test
    assert test is not None
    machine = Model(scenario_of(test)).system
    assert isinstance(machine, LitmusSystem)
    search = Search(machine, 99, 99.0, eager=True)
    assert (1, True) == (len([*search.endings()]), search.complete)

    search._max_seconds = -1.0

    assert (0, False) == (len([*search.endings()]), search.complete)
