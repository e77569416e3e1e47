"""What is cited is defined on a page, and what pages say of code is so."""

from __future__ import annotations

import pytest

from tests.guide.citations import Citation, citations, cited, definitions, prose, undefined


def test_what_is_cited_is_defined() -> None:
    found = list(citations())

    assert len(found) > 400
    assert [] == undefined(iter(found), definitions())


def test_what_is_defined_has_no_gaps() -> None:
    known = definitions()
    rules = [f"R{n}" for n in range(1, 24)]
    steps = ["F1", "F2", *(f"S{n}" for n in range(1, 12)), *(f"B{n}" for n in range(1, 7))]

    assert {*rules, *steps, "R17a", "R17b", "B3e", "RRVJDB", "1", "50"} <= known


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("Walks read memory (R4, R17b).", ["R4", "R17b"]),
        ("S7 before S8; B3e", ["S7", "S8", "B3e"]),
        ("a table entry is one too (RRVJDB)", ["RRVJDB"]),
        ("like mutants 8 to 10 and 12", ["8", "9", "10", "12"]),
        ("Mutant 7, twice", ["7"]),
        ("`m09_m17_no_tlbi` and m10", ["9", "17", "10"]),
        ("R3+W, Arm ARM B2.3, x86_64, S, RETURN, 7 of 9", []),
    ],
)
def test_citations_are_found(text: str, what: list[str]) -> None:
    assert what == list(cited(text))


def test_only_prose_is_looked_at() -> None:
    text = '"""R1."""\nR2 = "R3"\ndef f():\n    """R4."""\n    R5  # noqa: S102 - R6\n"""R7."""\n'

    assert ["R6", "R1", "R7", "R4"] == [text.strip(" #-.") for _, text in prose(text)]
    assert "R3" in {text for _, text in prose(text, strings=True)}


def test_what_no_page_defines_is_told_with_its_place() -> None:
    missing = undefined(iter([Citation("R99", "a.py:3"), Citation("R1", "a.py:4")]), {"R1"})

    assert ["a.py:3: R99"] == missing
