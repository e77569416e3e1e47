"""`simbbm guide litmus` has the whole notation: what is there is read, what is read is there."""

from __future__ import annotations

import re

import pytest

from simbbm.arm64.ops import BARRIERS
from simbbm.arm64.translation.tlbi_operand import OPERANDS
from simbbm.cli.commands.guide import pages
from simbbm.litmus.layout import PERMISSIONS
from simbbm.litmus.notation import syntax
from simbbm.litmus.notation.conditions import EntryIs, Faulted, MemoryIs, RegisterIs, condition
from simbbm.litmus.notation.operations import FORMS, OUT_OF_SCOPE, operation
from simbbm.litmus.notation.reader import (
    OPERATIONS_MAX,
    THREADS_MAX,
    WORDS_MAX,
    Cpu,
    Handlers,
    Init,
    Row,
)
from simbbm.litmus.notation.syntax import FLAGS, KINDS, PAGE_WORDS, PAGES

PAGE = pages()["litmus"]
NAMES = ("x", "y")


def table(heading: str) -> list[str]:
    """The first column of the table that follows a text."""
    _, found, rest = PAGE.partition(heading)
    assert found
    rows = re.search(r"(?:^\|.*\n)+", rest, re.MULTILINE)
    assert rows
    return re.findall(r"^\| `([^`]+)` \|", rows[0], re.MULTILINE)


OPERATIONS = table("### Operations")
DESCRIPTORS = table("### Descriptors")
CONDITIONS = table("### Conditions")
CODE = set(re.findall(r"`([^`\n]+)`", PAGE))


def test_every_operation_is_there() -> None:
    assert {*FORMS} <= {*OPERATIONS}
    shown = {operation(text, NAMES, 0).op for text in OPERATIONS}
    assert shown == {operation(text, NAMES, 0).op for text in FORMS}


@pytest.mark.parametrize("text", OPERATIONS)
def test_an_operation_on_the_page_can_be_read(text: str) -> None:
    assert operation(text, NAMES, 3).number == 3


def test_barriers_tlbis_flags_and_kinds_of_faults_are_those_that_are_read() -> None:
    told = re.search(r"\bBarriers: (.+?)\.\s+TLBIs: (.+?),\s+each\s+also", PAGE, re.DOTALL)
    assert told

    assert {*BARRIERS} == {*re.findall(r"`(\w+)`", told[1])}
    assert {*OPERANDS} == {*re.findall(r"`(\w+)`", told[2])}
    assert {*FLAGS} == {flag for text in DESCRIPTORS for flag in re.findall(r",([^)]+)\)", text)}
    assert {*filter(None, PERMISSIONS)} <= {*FLAGS}
    assert {*KINDS.values()} <= CODE


@pytest.mark.parametrize("text", DESCRIPTORS)
def test_a_descriptor_on_the_page_can_be_read(text: str) -> None:
    assert syntax.entry(text) is not None


def test_every_form_of_a_condition_is_there() -> None:
    shown = {type(condition(text)) for text in CONDITIONS}

    assert {RegisterIs, MemoryIs, EntryIs, Faulted} == shown
    assert {"&", "|", "~"} <= CODE


def test_every_key_is_there() -> None:
    assert {*Row.__struct_fields__} == {*table("## The notation")}
    assert {*Init.__struct_fields__} == {*table("`init` has")}
    assert {*Cpu.__struct_fields__} <= CODE
    assert {*Handlers.__struct_fields__} <= CODE


def test_what_is_not_modelled_is_named() -> None:
    _, _, told = PAGE.partition("### Not modelled")

    assert {*OUT_OF_SCOPE} <= {*re.findall(r"`(\w+)`", told)}


def test_limits_are_those_of_the_reader() -> None:
    told = " ".join(PAGE.split())

    assert f"At most {THREADS_MAX} threads, {OPERATIONS_MAX} operations in each, " in told
    assert f"{WORDS_MAX} words in `init`" in told
    assert f"tables have {PAGES} entries, a page {PAGE_WORDS} words" in told
