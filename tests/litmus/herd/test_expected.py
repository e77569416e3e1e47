"""Verdicts from beside the tests, and agreement with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from simbbm.core.errors import UsageError
from simbbm.litmus.files import read_herd
from simbbm.litmus.herd.expected import read_expected, with_expected
from tests.cli.commandline import Cli

TEST = "AArch64 {name}\n{{ int x; 0:X1=x; 0:X2=1 }}\n P0 ;\n STR W2,[X1] ;\n{condition}\n"
LOG = "Test a Required\nStates 1\nOk\nCondition forall (x=1)\nObservation a Always 1 0\nTime 0.1\n"


def written(folder: Path, text: str) -> Path:
    """A file of verdicts."""
    path = folder / "expected"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("name,verdict\na,forbidden\nb , Allowed\n", {"a": "never", "b": "sometimes"}),
        ("a  Forbid\nb.c+d\tRequired\n# remark\n", {"a": "never", "b.c+d": "always"}),
        (LOG, {"a": "always"}),
        (
            "Observation a Never 0 3\nObservation b Sometimes 1 2\n",
            {"a": "never", "b": "sometimes"},
        ),
    ],
)
def test_every_form_is_read(tmp_path: Path, text: str, found: dict[str, str]) -> None:
    assert read_expected(written(tmp_path, text)) == found


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a,forbidden\nb,perhaps\n", "expected:2: `b,perhaps` says no verdict"),
        ("a,forbidden\na,allowed\n", "expected:2: a has another verdict above"),
        ("\n", "has no verdicts"),
        ("a\n", "expected:1: `a` says no verdict"),
    ],
)
def test_what_is_no_verdict_is_told(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(UsageError, match="verdict") as caught:
        read_expected(written(tmp_path, text))

    assert told in caught.value.message


@pytest.mark.parametrize(
    ("condition", "word", "verdict"),
    [
        ("exists x=1", "never", "forbidden"),
        ("exists x=1", "always", "allowed"),
        ("~exists x=2", "sometimes", "allowed"),
        ("forall x=1", "always", "forbidden"),
        ("forall x=1", "never", "allowed"),
    ],
)
def test_words_are_about_the_condition(condition: str, word: str, verdict: str) -> None:
    line = read_herd("f", TEST.format(name="a", condition=condition))

    (found,) = with_expected([line], {"a": word})

    assert found.verdict_for(ets2=False) == found.verdict_for(ets2=True) == verdict


def files(folder: Path) -> list[Path]:
    """Three tests, of which the second has no verdict of its own."""
    found = []
    for name, condition in (("a", "forall x=1"), ("b", "exists x=1"), ("c", "exists x=2")):
        found.append(folder / f"{name}.litmus")
        found[-1].write_text(TEST.format(name=name, condition=condition))
    return found


def test_agreement_is_counted(simbbm: Cli, tmp_path: Path) -> None:
    right = written(tmp_path, LOG + "Observation b Always 1 0\nObservation c Never 0 1\n")

    out = simbbm.ok("litmus", *files(tmp_path), "--expect", right)

    (every,) = (line.split() for line in out.splitlines() if line.startswith("all "))
    assert every == ["all", "3/3", "0", "0", "0"]


def test_a_wrong_verdict_is_an_unexpected_answer(simbbm: Cli, tmp_path: Path) -> None:
    wrong = written(tmp_path, "a,required\nb,forbidden\n")

    rows = simbbm.rows("litmus", *files(tmp_path), "--expect", wrong, code=1)

    (every,) = (r for r in rows if r["type"] == "litmus-agreement" and r["about"] == "all")
    assert [every[k] for k in ("tests", "agree", "disagree", "unsupported")] == [2, 1, 1, 0]
    assert [r["ok"] for r in rows if r["type"] == "litmus"] == [True, False, None]


def test_verdicts_are_also_for_rows(simbbm: Cli, tmp_path: Path) -> None:
    """And win over the row's own."""
    simbbm.ok("new", "mine.jsonl")
    expected = written(tmp_path, "told,forbidden\n")

    rows = simbbm.rows("litmus", "mine.jsonl", "--expect", expected, code=1)

    assert [r["ok"] for r in rows if r["type"] == "litmus"] == [False, True]


def test_what_is_not_modelled_is_named_and_the_others_are_run(simbbm: Cli, tmp_path: Path) -> None:
    unsupported, malformed, *_ = good = files(tmp_path)
    unsupported.write_text(TEST.format(name="a", condition="exists x=1").replace("STR", "STRB"))
    malformed.write_text("AArch64 b\n{ int x=; }\n P0 ;\n NOP ;\nexists x=1\n")

    rows = simbbm.rows("litmus", *good, code=2)

    lacking, ran = (row for row in rows if row["type"] == "litmus")
    assert lacking["name"] == "a"
    assert ":4:2: STRB: accesses of other sizes are not modelled" in lacking["unsupported"]
    assert (ran["name"], ran["reached"]) == ("c", False)
    (error,) = (row for row in rows if row["type"] == "error")
    assert ":2:9: `;`, where a value should be" in error["message"]
    assert simbbm("litmus", unsupported).exit_code == 1


@pytest.mark.parametrize("name", ["mine.litmus", "mine.jsonl", "strange name.litmus"])
def test_a_first_test_is_written_and_holds(simbbm: Cli, name: str) -> None:
    told = simbbm.ok("new", name)

    assert "now: simbbm litmus " in told
    simbbm.ok("litmus", name)
    assert "exists already" in simbbm.refused("new", name)
