"""`--html DIR`: one report for check, ablate, litmus and stress, and what keeps it from that."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from simbbm.campaign import tasks
from simbbm.cli import pages
from simbbm.report.html import folder as folders
from simbbm.report.html.folder import Folder
from tests.cli.commandline import Cli
from tests.litmus.rows import row
from tests.report.elements import Elements

TWIN, OTHER = "bbm_minimal::live_change", "bbm_minimal::no_invalidation"
MP = (["st x = 1", "st y = 1"], ["r0 = ld y", "r1 = ld x"])
MAP = {"x": "leaf(pa1)", "y": "leaf(pa2)"}


def tree(path: Path) -> dict[str, bytes]:
    return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}


def page_at(path: Path) -> Elements:
    return Elements(path.read_text(encoding="utf-8"))


def links_from(page: Path) -> list[Path]:
    """The files that a page leads to."""
    away = (link for link in page_at(page).links() if not link.startswith("#"))
    return [(page.parent / link.partition("#")[0]).resolve() for link in away]


def check_links(path: Path) -> None:
    """Every file can be reached, and every link leads to one of them."""
    met, waiting = set[Path](), [(path / "index.html").resolve()]
    while waiting:
        page = waiting.pop()
        assert page.is_file(), page
        met.add(page)
        if page.suffix == ".html":
            waiting += [p for p in links_from(page) if p not in met]
    assert {str(p.relative_to(path.resolve())) for p in met} == set(tree(path))


def test_all_commands_make_one_report(simbbm: Cli, tmp_path: Path) -> None:
    site = tmp_path / "site"
    tests = tmp_path / "two.jsonl"
    wrong = row(*MP, condition="1:r0=1 & 1:r1=0", map=MAP, name="MP", verdict="forbidden")
    tests.write_text(json.dumps(wrong) + "\n")

    simbbm.ok("check", "bbm_minimal", "--html", site)
    simbbm.ok("ablate", "bbm_minimal::good", "--html", site)
    simbbm.ok("stress", TWIN, "--runs", "20", "--html", site)
    simbbm.ok("check", TWIN, "--kill-table", "--trials", "6", "--runs", "9", "--html", site)
    simbbm.ok("litmus", tests, "--html", site, code=1)
    text = page_at(site / "index.html").text()

    check_links(site)
    assert "Verdicts 4 of 4 as expected" in text
    assert "Runs to detection 1 bad twin" in text
    assert "Samples 1 of 1 as expected" in text
    assert "Litmus tests 0 of 1 as published" in text
    assert "Not as expected MP: forbidden, reached" in text
    assert "load-bearing" in text
    assert len([*(site / "counterexamples").glob("*.html")]) > 8


def test_a_counterexample_is_a_page_with_its_witness(simbbm: Cli, tmp_path: Path) -> None:
    site = tmp_path / "site"
    kept = Path(simbbm.row("check", TWIN, "--html", site)["witness"])
    (page,) = (site / "counterexamples").glob("*.html")
    shown = page_at(page)

    assert page.stem == kept.stem
    assert page.with_suffix(".json").read_bytes() == kept.read_bytes()
    assert TWIN in shown.text()
    assert set(shown.links()) >= {"../index.html", f"{page.stem}.json"}
    assert "REPRODUCED" in simbbm.ok("replay", page.with_suffix(".json"))
    token = shown.text().partition("simbbm replay ")[2].split()[0]
    assert "REPRODUCED" in simbbm.ok("replay", token)


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_the_same_results_give_the_same_bytes(simbbm: Cli, tmp_path: Path, jobs: str) -> None:
    one, two = tmp_path / "one", tmp_path / "two" / "deeper"
    simbbm.ok("check", TWIN, OTHER, "--html", one, "-j", "2")
    simbbm.ok("check", TWIN, OTHER, "--html", two, "-j", jobs, "--witness-dir", tmp_path / "w")

    assert tree(one) == tree(two)
    assert len(tree(one)) == 6
    assert str(tmp_path) not in "".join(content.decode() for content in tree(one).values())


def test_what_is_not_as_expected_and_what_cannot_be_loaded_stands_first(
    simbbm: Cli, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    Path("mine.py").write_text(
        "from simbbm_scenarios.bbm_minimal import good\n"
        'wrong = good.twin("It is caught.", expect="STUCK:terminates", drop=["change.dsb.ish"])\n'
    )
    Path("broken.py").write_text("x = (")
    simbbm.ok("check", "mine.py", "broken.py", "--html", site, code=2)
    text = page_at(site / "index.html").text()

    assert "mine.py::wrong: VIOLATED:no_size_change_seen, expected STUCK:terminates" in text
    assert "broken.py:1: SyntaxError" in text
    check_links(site)


def test_users_files_have_pages_too(simbbm: Cli, mine: Path, tmp_path: Path) -> None:
    simbbm.ok("check", mine.name, "--html", tmp_path / "site")
    pages = [*(tmp_path / "site" / "counterexamples").glob("*.html")]

    assert pages
    assert f"--allow-file {mine.name}" in page_at(pages[0]).text()
    check_links(tmp_path / "site")


@pytest.mark.parametrize(
    "command",
    [
        ("check", TWIN),
        ("check", TWIN, "--kill-table"),
        ("ablate", "bbm_minimal::good"),
        ("stress", TWIN),
        ("litmus", "tests.jsonl"),
    ],
)
def test_a_folder_that_is_none_of_ours_is_refused_before_anything_is_done(
    simbbm: Cli, tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "tests.jsonl").write_text("")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("mine")

    assert simbbm.refused(*command, "--html", "site") == (
        "site has files in it that are no report of simbbm (name a new folder, or an empty one)"
    )
    assert simbbm.refused(*command, "--html", "tests.jsonl") == (
        "cannot write a report to tests.jsonl: not a folder (name a new folder, or an empty one)"
    )
    assert not Path(".simbbm").exists()
    assert tree(tmp_path / "site") == {"index.html": b"mine"}


def test_where_it_cannot_be_written_in_the_end_nothing_else_is_lost(
    simbbm: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(folders, "write", full)
    result = simbbm("check", TWIN, "--html", "site")

    assert result.exit_code == 2
    assert "1 of 1 as expected" in result.stdout
    assert result.stderr == "simbbm: cannot write the report to site: No space left on device\n"
    assert [*Path(".simbbm/witness").glob("*.json")]


def test_a_page_that_cannot_be_made_costs_itself(
    simbbm: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("no such thing")

    monkeypatch.setattr(pages, "page", broken)
    result = simbbm("check", TWIN, "--html", "site")

    assert result.exit_code == 5
    assert "1 of 1 as expected" in result.stdout
    assert "warning: no page of bbm_minimal::live_change: internal error" in result.stderr
    assert TWIN.rpartition("::")[2] in page_at(Path("site/index.html")).text()
    check_links(Path("site"))


@pytest.mark.parametrize("twins", [(TWIN,), (TWIN, OTHER)])
def test_ctrl_c_while_pages_are_made_leaves_the_rest(
    simbbm: Cli, monkeypatch: pytest.MonkeyPatch, twins: tuple[str, ...]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pages, "page_of", interrupted)
    monkeypatch.setattr(tasks.SideBySide, "_advance", interrupted)
    result = simbbm("check", *twins, "-j", "1", "--html", "site")

    assert result.exit_code == 130
    assert (
        f"{len(twins)} of {len(twins)} as expected, interrupted"
        in page_at(Path("site/index.html")).text()
    )
    check_links(Path("site"))


def test_a_search_that_is_interrupted_says_so_in_its_report(
    simbbm: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("simbbm.campaign.answers.searches.prove", interrupted)
    simbbm.ok("check", TWIN, "--html", "site", code=130)
    text = page_at(Path("site/index.html")).text()

    assert "0 of 1 as expected, 1 without an answer, interrupted" in text
    assert Folder(Path("site")).report().parts["check"].unfinished == "interrupted"
