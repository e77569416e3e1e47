"""The folder of a report: what is in it, whose it is, and what is left when writing fails."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from simbbm.core.errors import UsageError
from simbbm.host.terminal import visible
from simbbm.report.html import folder as folders
from simbbm.report.html.folder import Folder, Page
from simbbm.report.html.index import index
from simbbm.report.html.parts import Entry, Part, Report, ReportRow, constant
from simbbm.report.rows import (
    AblationRow,
    ErrorRow,
    KillRow,
    LitmusRow,
    SummaryRow,
    VerdictRow,
)
from tests.report.elements import Elements

HOSTILE = "</script><img src=x onerror=alert(1)>'\"&\u202e"
ONE, OTHER = "0123456789ab", "ba9876543210"


def verdict(name: str, **more: Any) -> VerdictRow:
    usual: dict[str, Any] = {
        "scenario": name,
        "params": {"cpus": 2},
        "mode": "explore",
        "verdict": "VIOLATED",
        "property": "no_tlb_conflict",
        "expect": "VIOLATED:no_tlb_conflict",
        "states": 12,
        "version": "1",
    }
    return VerdictRow(**usual | more)


def ablation(step: str, scenario: str = "a::good", **more: Any) -> AblationRow:
    usual: dict[str, Any] = {
        "scenario": scenario,
        "params": {"cpus": 2},
        "step": step,
        "change": "remove",
        "result": "load-bearing",
        "verdict": "VIOLATED",
        "property": "no_tlb_conflict",
        "length": 9,
    }
    return AblationRow(**usual | more)


def kill(twin: str, strategy: str, median: float | None, found: int) -> KillRow:
    low = None if median is None else int(median)
    return KillRow(
        strategy=strategy,
        scenario=twin,
        params={},
        median=median,
        low=low,
        high=None,
        trials=8,
        found=found,
        runs=100,
        seed=0,
    )


def litmus(name: str, **more: Any) -> LitmusRow:
    usual: dict[str, Any] = {"verdict": "forbidden", "reached": False, "ok": True}
    return LitmusRow(name=name, **usual | more)


def part(*rows: ReportRow, page: str | None = None, passed: bool | None = None) -> Part:
    return Part(entries=tuple(Entry(row=row, page=page, passed=passed) for row in rows))


def page(name: str) -> dict[str, Page]:
    return {name: Page(f"<a href='../index.html'>{name}</a>", b"{}")}


def tree(path: Path) -> dict[str, bytes]:
    return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}


def dangling(path: Path) -> list[str]:
    links = Elements((path / "index.html").read_text()).links()
    return [link for link in links if not link.startswith("#") and not (path / link).is_file()]


AWAY = (
    '{"schema": "simbbm-report/1", "parts": {"check": {"entries": '
    '[{"row": {"type": "error", "message": "x"}, "page": "../../etc/x"}]}}}'
)
CHECK = part(verdict("a::m1"), page=ONE, passed=True)


def test_parts_of_several_commands_become_one_report(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "site"
    found = Folder(path)
    found.write("stress", part(verdict("a::m2"), page=OTHER), page(OTHER))
    again = Folder(path)
    again.write("check", CHECK, page(ONE))

    assert set(tree(path)) == {
        "report.json",
        "index.html",
        *(f"counterexamples/{n}.{kind}" for n in (ONE, OTHER) for kind in ("html", "json")),
    }
    assert [*Folder(path).report().parts] == ["check", "stress"]
    assert not dangling(path)
    assert f"counterexamples/{ONE}.html" in Elements((path / "index.html").read_text()).links()


def test_a_part_that_is_made_again_replaces_what_it_was_and_its_pages(tmp_path: Path) -> None:
    first = Folder(tmp_path)
    first.write("check", CHECK, page(ONE))
    (tmp_path / "counterexamples" / "notes.txt").write_text("mine")
    (tmp_path / "counterexamples" / f"{OTHER}.html").write_text("of a run that was cut short")
    second = Folder(tmp_path)
    second.write("check", part(verdict("a::good")), {})

    assert set(tree(tmp_path)) == {"report.json", "index.html", "counterexamples/notes.txt"}


def test_the_same_results_give_the_same_bytes(tmp_path: Path) -> None:
    slow, quick = (
        verdict("a::m1", seconds=s, witness=f"/{w}/x.json", message=f"/{w}/lib/mine.py:3: no")
        for s, w in ((9.0, "home"), (1.0, "srv"))
    )
    for name, row in (("one", slow), ("two", quick)):
        found = Folder(tmp_path / name)
        found.write("check", part(constant(row), passed=False), {})

    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    assert "mine.py:3: no" in (tmp_path / "one" / "index.html").read_text()
    Folder(tmp_path / "two").write("check", part(constant(quick), passed=False), {})
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_somebody_elses_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("mine")
    with pytest.raises(UsageError, match="has files in it that are no report of simbbm") as error:
        Folder(tmp_path)
    assert error.value.hint == "name a new folder, or an empty one"
    assert tree(tmp_path) == {"index.html": b"mine"}


def test_files_with_a_dot_are_nobodys(tmp_path: Path) -> None:
    (tmp_path / ".nojekyll").write_text("")
    found = Folder(tmp_path)
    found.write("check", CHECK, page(ONE))
    assert (tmp_path / ".nojekyll").exists()


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{",
        '{"schema": "simbbm-report/2", "parts": {}}',
        '{"schema": "simbbm-report/1", "parts": {"other": {"entries": []}}}',
        AWAY,
    ],
)
def test_what_is_no_report_of_this_version_is_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(UsageError, match=r"report\.json: not a report of this version"):
        Folder(tmp_path)
    assert (tmp_path / "report.json").read_text() == text


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UsageError, match="not a folder"):
            Folder(path)


def test_a_folder_that_cannot_be_written_to_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) != tmp_path)  # as for others
    with pytest.raises(UsageError, match="Permission denied"):
        Folder(tmp_path / "new" / "site")
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("files", range(6))
def test_whenever_it_is_cut_short_no_link_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: int
) -> None:
    before = Folder(tmp_path)
    before.write("check", CHECK, page(ONE))
    left = files

    def full(path: Path, content: bytes) -> None:
        nonlocal left
        if not left:
            raise OSError(28, "No space left on device")
        left -= 1
        path.write_bytes(content)

    new = part(verdict("a::m3"), page=OTHER)
    with monkeypatch.context() as patch:
        patch.setattr(folders, "write", full)
        try:
            before.write("check", new, page(OTHER))
        except OSError:
            assert files < 4
        else:
            assert files >= 4
    assert not dangling(tmp_path)

    after = Folder(tmp_path)
    after.write("check", new, page(OTHER))
    assert not dangling(tmp_path)
    assert {p.stem for p in (tmp_path / "counterexamples").iterdir()} == {OTHER}


def test_what_is_not_as_expected_stands_first() -> None:
    report = Report(
        parts={
            "check": Part(
                entries=(
                    Entry(row=verdict("a::ok"), page=ONE, passed=True),
                    Entry(row=verdict("a::bad", expect="HOLDS"), page=OTHER, passed=False),
                    Entry(row=verdict("a::open", verdict="SAMPLED", property=None)),
                    Entry(row=ErrorRow(message="mine.py:3: no such step", hint="say another")),
                ),
                unfinished="interrupted",
            ),
            "litmus": part(litmus("MP", reached=True, ok=False), page=ONE),
        }
    )
    page = Elements(index(report))
    text = page.text()
    first = text[text.index("Not as expected") : text.index("filter")]

    assert "a::bad: VIOLATED:no_tlb_conflict, expected HOLDS" in first
    assert "mine.py:3: no such step (say another)" in first
    assert "MP: forbidden, reached" in first
    assert "a::ok" not in first
    assert (
        "1 of 3 as expected , 1 without an answer , 1 error , interrupted".replace(" ,", ",")
        in text
    )
    marks = [a["class"] for tag, a in page.tags if tag == "tr" and "data-row" in a]
    assert marks == ["ok", "bad", "open", "bad"]
    assert page.links().count(f"counterexamples/{OTHER}.html") == 2


def test_the_ablation_table_has_a_column_for_each_scenario() -> None:
    one = Elements(index(Report(parts={"ablate": part(ablation("f.dsb"), ablation("f.isb"))})))
    assert "f dsb remove no_tlb_conflict 9 steps" in one.text()

    spared = ablation("f.dsb", "b::good", result="redundant", verdict="PROVED", property=None)
    pair = ablation("f.dsb + f.isb", "b::good")
    several = Elements(index(Report(parts={"ablate": part(ablation("f.dsb"), spared, pair)})))
    assert "dsb remove no_tlb_conflict redundant" in several.text()
    assert "pairs of removals f.dsb + f.isb remove \u2013 no_tlb_conflict" in several.text()


def test_the_kill_table_has_medians_intervals_and_curves() -> None:
    rows = [
        kill("a::m1", "random", 3, 8),
        kill("a::m1", "hardware=eager", None, 0),
        kill("a::m2", "random", None, 3),
        kill("a::m2", "hardware=eager", None, 0),
    ]
    page = Elements(index(Report(parts={"kill-table": part(*rows)})))
    text = page.text()

    assert "a::m1 3 3+ -" in text
    assert "a::m2 > 100 > 100 -" in text
    assert "median of 8 campaigns of up to 100 runs" in text
    curves = [a for tag, a in page.tags if tag == "path" and "curve" in (a.get("class") or "")]
    assert len(curves) == 4  # two, and their keys


def test_searches_show_growth_and_coverage() -> None:
    coverage = {"labels": 7, "never": ["mmu.c.py:3 f: dsb"], "landmarks": {"half split": 0}}
    row = verdict(
        "a::good",
        verdict="PROVED",
        property=None,
        layers=[1, 4, 2],
        transitions=9,
        reductions=["symmetry"],
        coverage=coverage,
    )
    failing = verdict("a::m1", layers=[1, 2], length=2)
    page = Elements(index(Report(parts={"check": part(row, failing, passed=True)})))
    text = page.text()

    growths = [a["viewbox"] for tag, a in page.tags if tag == "svg" and "growth" in str(a)]
    assert growths == ["0 0 3 4"]
    assert "PROVED, 12 states, 9 transitions, reduced by symmetry" in text
    assert "7 steps of the programs were reached 1 were never reached mmu.c.py:3 f: dsb" in text
    assert "0 states: half split" in text


def test_litmus_tests_have_scores_and_failing_ones_come_first() -> None:
    summary = SummaryRow(
        total=2,
        forbidden_ok=1,
        forbidden=2,
        allowed_ok=0,
        allowed=0,
        unsupported=0,
        inconclusive=0,
        malformed=0,
        states=5_000,
        seconds=None,
        feature="ets2",
    )
    rows = (litmus("SB", feature="ets2"), litmus("MP", feature="ets2", reached=True, ok=False))
    text = Elements(index(Report(parts={"litmus": part(*rows, summary)}))).text()

    assert "FEAT_ETS2" in text
    assert "Forbidden and never reached: 1 of 2 ." in text
    assert "5,000 states" in text
    table = text[text.index("published") :]
    assert table.index("MP") < table.index("SB")


def test_no_name_breaks_out_of_its_place() -> None:
    rows: tuple[ReportRow, ...] = (
        verdict(f"{HOSTILE}::{HOSTILE}", message=HOSTILE, params={HOSTILE: HOSTILE}, layers=[1]),
        verdict("b::x", layers=[1], coverage={"never": [HOSTILE], "landmarks": {HOSTILE: 1}}),
        ErrorRow(message=HOSTILE, hint=HOSTILE),
        ablation(f"{HOSTILE}.x", HOSTILE, why=HOSTILE, change=HOSTILE),
        kill(HOSTILE, HOSTILE, 3, 8),
        litmus(HOSTILE, unsupported=HOSTILE, ok=False),
    )
    text = index(Report(parts={"check": part(*rows, passed=False)}))
    page = Elements(text)

    assert not [tag for tag, _ in page.tags if tag == "img"]
    assert [a for tag, a in page.tags if tag == "script"] == [{}]
    assert not [a for _, a in page.tags if any(name.startswith("on") for name in a)]
    assert "\u202e" not in text
    assert page.text().count(visible(HOSTILE)) > 12


def test_nothing_is_fetched() -> None:
    text = index(Report(parts={"check": CHECK}))
    page = Elements(text)
    assert {tag for tag, a in page.tags if "src" in a} == set()
    assert not re.findall(r"https?://|url\((?!#)|@import", text)
    (policy,) = (a["content"] or "" for _, a in page.tags if a.get("http-equiv"))
    assert policy.startswith("default-src 'none'; ")
