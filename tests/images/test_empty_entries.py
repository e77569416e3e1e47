"""Entries of the tables that are empty: to load one is private, and to store to one refused."""

from __future__ import annotations

from pathlib import Path

import pytest

import simbbm
from simbbm.binary.process import Finding
from tests.images.small import FUNCTIONS
from tests.images.test_scenario import written

FLUSH = "flush_tlb_kernel_range"


def flushed(loads: str) -> str:
    return f"adr x1, swapper_pg_dir\n{loads}\n{FUNCTIONS[FLUSH]}"


def states(path: Path, loads: str) -> int:
    answer = simbbm.explore(written(path / "vmlinuz", **{FLUSH: flushed(loads)}))
    assert answer.verdict == "PROVED"
    return answer.details.states


def test_a_walk_over_empty_entries_is_one_step_a_page(tmp_path: Path) -> None:
    empty = "ldr x2, [x1, #800]"
    once = states(tmp_path, empty)

    assert states(tmp_path, f"{empty}\nldr x2, [x1, #808]\nldr x2, [x1, #816]") == once
    assert states(tmp_path, "nop") < once
    assert states(tmp_path, f"{empty}\nisb\n{empty}") > states(tmp_path, f"{empty}\nisb")


@pytest.mark.parametrize("load", ["ldar x2, [x1]", "ldxr x2, [x1]"])
def test_a_load_that_does_more_is_a_step_of_its_own(tmp_path: Path, load: str) -> None:
    at = "mov x2, #800\nadd x1, x1, x2"

    assert states(tmp_path, f"{at}\n{load}\n{load}") > states(tmp_path, f"{at}\n{load}")


def test_an_empty_entry_is_zero(tmp_path: Path) -> None:
    source = f"mov x2, #7\n{flushed('ldr x2, [x1, #800]')}".replace("ret", "cbnz x2, panic\nret")

    assert simbbm.explore(written(tmp_path / "vmlinuz", **{FLUSH: source})).verdict == "PROVED"


@pytest.mark.parametrize(
    ("by", "told"),
    [
        ("str x0, [x1, #800]", "str on an entry of a table that is to remain empty"),
        ("stset x0, [x1]", "stset on an entry"),
    ],
)
def test_a_store_to_an_empty_entry_is_a_finding(tmp_path: Path, by: str, told: str) -> None:
    source = flushed(by).replace("stset", "mov x2, #800\nadd x1, x1, x2\nstset")
    with pytest.raises(Finding, match=told):
        simbbm.explore(written(tmp_path / "vmlinuz", **{FLUSH: source}))


def test_what_is_not_empty_is_a_step(tmp_path: Path) -> None:
    live = "ldr x2, [x1, #0]"

    assert states(tmp_path, f"{live}\n{live}") > states(tmp_path, live)
