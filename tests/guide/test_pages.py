"""What pages say of the repository is so: files, functions, scenarios, verdicts of rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from simbbm.cli.commands.guide import ORDER, pages
from simbbm.litmus.notation.reader import read_file
from simbbm.litmus.rules import RULES, read_rules
from tests.cli.commandline import Cli
from tests.guide.citations import cited, listed, texts
from tests.guide.places import KERNEL, PATHS, ROOT, files, kernel_functions, missing
from tests.litmus.rows import published

MUTANTS = pages()["mutants"]
NUMBERED = re.compile(r"^## (\d+) .+$", re.MULTILINE)
ITEM = re.compile(r"^\* `(\S+::\S+)`: (.+(?:\n  .+)*)$", re.MULTILINE)
NAME = re.compile(r"(?:m\d\d_)+")


@pytest.mark.parametrize("topic", ORDER)
def test_files_and_functions_that_a_page_names_exist(topic: str) -> None:
    assert [] == missing(pages()[topic])


def test_a_file_that_has_moved_within_its_room_is_found_and_no_other() -> None:
    named = "`guide/mutants.md` `arm64/mmu.py:observed` `arm64/mmu.py:nosuch` `linux/nosuch.py`"

    assert ["arm64/mmu.py:nosuch", "linux/nosuch.py"] == missing(named)
    assert files("simbbm/mmu_context.py") == []
    assert [ROOT / "simbbm" / "linux" / "mmu_context.py"] == files("linux/mmu_context.py")


def test_kernel_functions_of_the_protocol_are_modelled_under_these_names() -> None:
    named = set(KERNEL.findall(pages()["protocol"]))

    assert len(named) > 20
    assert set() == named - kernel_functions()


def test_every_page_has_its_place() -> None:
    folder = ROOT / "simbbm" / "guide"

    assert sorted(ORDER) == sorted(path.stem for path in folder.glob("*.md"))


def test_pages_that_are_named_exist() -> None:
    texts = [p.read_text() for p in (ROOT / "simbbm").rglob("*.md")]
    texts += [(ROOT / "README.md").read_text()]
    named = {topic for text in texts for topic in re.findall(r"simbbm guide\s+([a-z_]+)", text)}

    assert set(ORDER) - {"late_cpu"} <= named <= {*ORDER}


def test_readme_is_short() -> None:
    assert (ROOT / "README.md").read_text().count("\n") <= 250


def test_readme_leads_to_every_page() -> None:
    linked = re.findall(r"\]\((simbbm/[^)]+)\)", (ROOT / "README.md").read_text())

    assert {f"simbbm/guide/{topic}.md" for topic in ORDER} == {*linked}


@pytest.mark.parametrize("room", ["linux", "check", "campaign", "report", "binary", "field"])
def test_a_room_says_what_is_in_it_and_what_to_read_first(room: str) -> None:
    folder = ROOT / "simbbm" / room
    told = (folder / "__init__.py").read_text()

    assert set() == {path.stem for path in folder.glob("[!_]*.py")} - {
        *re.findall(r"`(\w+)`", told)
    }
    assert re.search(r"Read `[\w/]+` first", told)


# The catalogue.


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What `simbbm list --json` says of each scenario."""
    found = Cli(tmp_path_factory.mktemp("list")).rows("list")
    return {row["id"]: row for row in found if row["type"] == "scenario"}


def said(row: dict[str, Any]) -> str:
    """What the page has to say of a scenario."""
    smallest = " ".join(f"{name}={value}" for name, value in (row["smallest"] or {}).items())
    return f"{row['expect']} ({smallest})" if smallest else str(row["expect"])


def numbers(scenario: str) -> set[str]:
    """The mistakes that a scenario makes, as its name says."""
    named = NAME.match(scenario.partition("::")[2])
    return {str(int(n)) for n in re.findall(r"\d\d", named[0])} if named else set()


def catalogue(page: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Number and scenarios of each mutant on the page; of a scenario what is said of it."""
    _, *parts = NUMBERED.split(page)
    for number, text in zip(parts[::2], parts[1::2], strict=True):
        yield number, {name: " ".join(told.split()) for name, told in ITEM.findall(text)}


def test_the_catalogue_agrees_with_the_list(rows: dict[str, dict[str, Any]]) -> None:
    """Numbers, expectations and smallest machines; nothing is missing."""
    for number, told in catalogue(MUTANTS):
        assert told == {i: said(row) for i, row in rows.items() if number in numbers(i)}, number
    assert {n for i in rows for n in numbers(i)} == {number for number, _ in catalogue(MUTANTS)}


def test_what_holds_is_proved(rows: dict[str, dict[str, Any]]) -> None:
    holding = [i for _, told in catalogue(MUTANTS) for i, what in told.items() if what == "HOLDS"]

    assert holding
    assert {"proved"} == {rows[i]["evidence"] for i in holding}


def test_the_summary_is_that_of_the_scenarios(rows: dict[str, dict[str, Any]]) -> None:
    summary = re.findall(r"^\| ([a-z].+) \| ([\d,to ]+|none) \|$", MUTANTS, re.MULTILINE)
    caught, harmless, unmodelled, absent = ([*listed(which)] for _, which in summary)
    alone = {i: numbers(i) for i in rows if len(numbers(i)) == 1}

    assert [*range(1, 51)] == sorted(map(int, [*caught, *harmless, *unmodelled, *absent]))
    assert {*caught} <= {n for i, ns in alone.items() for n in ns if rows[i]["expect"] != "HOLDS"}
    assert {*harmless} <= {n for i, ns in alone.items() for n in ns if rows[i]["expect"] == "HOLDS"}
    assert {*unmodelled, *absent} == {*map(str, range(1, 51))} - {
        n for i in rows for n in numbers(i)
    }


def test_mutants_that_are_named_exist(rows: dict[str, dict[str, Any]]) -> None:
    names = {i.partition("::")[2] for i in rows}
    named = {name: where for where, text in texts() for name in re.findall(r"\bm\d\d_\w+", text)}

    assert len(named) > 50
    assert {} == {name: where for name, where in named.items() if name not in names}


# The rules.


def test_a_rule_is_its_heading_and_the_tests_under_it() -> None:
    page = "# P\n\n### R1 One\n\n* forbidden: `a`,\n  `b`\n* allowed: `c`\n* enforced: `x.py:d`\n\n"

    rules = read_rules(page + "#### R1a\n\n### R2 Two\n\n* forbidden under FEAT_ETS2: `e`\n")

    assert {"R1": ("One", ("a", "b", "c")), "R2": ("Two", ("e",))} == rules


PINNED = re.compile(r"^\* (forbidden|allowed)( under FEAT_ETS2)?:(.+(?:\n  .+)*)", re.MULTILINE)


def test_verdicts_of_published_rows_are_those_of_the_page() -> None:
    """Of those rows that are here, and that a rule names."""
    if not published().is_file():
        pytest.skip("there are no published rows: SIMBBM_LITMUS says where they are")
    rows = {line.row.name: line.row for line in read_file(published()) if line.row}
    compared = 0
    for verdict, ets2, tests in PINNED.findall(pages()["rules"]):
        for name in rows.keys() & {*re.findall("`(.+?)`", tests)}:
            row = rows[name]
            assert verdict == (row.verdict_ets2 if ets2 else row.verdict), name
            compared += 1
    assert compared > 20


def test_every_rule_says_where_it_is_enforced_or_what_is_not_built() -> None:
    for text in re.split(r"^### ", pages()["rules"], flags=re.MULTILINE)[1:]:
        assert re.search(r"^\* (enforced|not built): ", text, re.MULTILINE), text[:30]
    assert len(RULES) == 32


ENFORCED = re.compile(r"^\* enforced: (.+(?:\n  .+)*)", re.MULTILINE)


@pytest.mark.parametrize("number", RULES)
def test_a_rule_is_cited_where_it_is_enforced(number: str) -> None:
    """In one of the files that its page names, at least."""
    _, _, text = pages()["rules"].partition(f"\n### {number} ")
    told = ENFORCED.search(text.partition("\n### ")[0])
    named = [file for path, _ in PATHS.findall(told[1] if told else "") for file in files(path)]

    assert not named or any(number in cited(file.read_text()) for file in named)
