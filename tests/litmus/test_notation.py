"""Rows are read whole, and whatever is wrong with one is said with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from simbbm.core.errors import UsageError
from simbbm.litmus.notation.reader import Cpu, read_file, read_line
from simbbm.litmus.notation.syntax import Base, Entry, Location, Physical
from tests.litmus.rows import line, made, refusal, row

LD = ["r1 = ld x"]


def test_a_whole_row() -> None:
    test = made(
        LD,
        ["st x = 1"],
        map={"x": "leaf(pa1,ro)", "x@L2": "INV", "y@newtab": "INV(pa2)", "x+0x1000": "INV"},
        mem={"pa1": 3, "pa1+8": 4},
        regs={"P1": {"r2": 5}},
        el=[0, 1],
        ttbr0=[None, "ttbr(root=page_table_base,asid=1)"],
        on_fault={"P0": {"fault": ["r1 = 1", "stop"], "svc": []}},
        cpus=[{"bbm": 2, "noabort": True}],
        verdict="allowed",
        note="why",
    )

    assert test.entries == (
        (Location("x", 0, 3), Entry("leaf", "pa1", ("ro",))),
        (Location("x", 0, 2), Entry("INV")),
        (Location("y", 0, 3, "newtab"), Entry("INV", "pa2")),
        (Location("x", 4096, 3), Entry("INV")),
    )
    assert test.data == ((Physical("pa1"), 3), (Physical("pa1", 8), 4))
    first, second = test.threads
    assert [op.text for op in first.fault or ()] == ["r1 = 1", "stop"]
    assert (first.svc, second.fault, second.svc) == ((), None, None)
    assert (first.el, second.el) == (0, 1)
    assert (first.ttbr0, second.ttbr0) == (None, Base("page_table_base", 1))
    assert second.registers == ((2, 5),)
    assert (first.cpu, second.cpu) == (Cpu(2, noabort=True), Cpu())
    assert (test.verdict, test.note) == ("allowed", "why")


def test_handlers_are_told_apart_by_negative_numbers() -> None:
    thread = made(LD, on_fault={"0": {"fault": ["isb", "isb"], "svc": ["isb"]}}).threads[0]
    numbers = [op.number for op in thread.everything]

    assert numbers[0] == 0
    assert all(number < 0 for number in numbers[1:])
    assert len(set(numbers)) == 4


@pytest.mark.parametrize(
    "regs",
    [{"P0": {"r3": 7}}, {"0": {"r3": "7"}}, {"0:r3": 7}, {"P0:r3": "0x7"}, [{"r3": 7}]],
)
def test_initial_registers_may_be_written_in_several_ways(regs: Any) -> None:
    assert made(LD, regs=regs).threads[0].registers == ((3, 7),)


def test_a_register_may_start_with_a_descriptor() -> None:
    (found,) = made(LD, regs={"P0": {"r3": "leaf(pa2)"}}).threads[0].registers

    assert found == (3, Entry("leaf", "pa2"))


@pytest.mark.parametrize(
    ("disputed", "scored"),
    [([], "forbidden"), (["herd-ETS2 vs REMS-ETS"], None), (["herd-base vs ESOP22"], "forbidden")],
)
def test_a_disputed_ets_column_is_not_scored(disputed: list[str], scored: str | None) -> None:
    read = line(LD, verdict="allowed", verdict_ets2="forbidden", disputed=disputed)

    assert (read.verdict_for(ets2=False), read.verdict_for(ets2=True)) == ("allowed", scored)


def test_a_row_without_verdict_is_a_test() -> None:
    assert line(LD, verdict=None).test is not None
    assert line(LD).verdict_for(ets2=False) is None


@pytest.mark.parametrize(
    ("threads", "more", "said"),
    [
        ([["isb", "dsb sny"]], {}, "P0 op 1: `dsb sny`: dsb has no option sny (the nearest is"),
        ([["r1 = ld w"]], {}, "P0 op 0: `r1 = ld w`: location w is unknown (init.map has x)"),
        ([["r1 = ld pa1"]], {}, "location pa1 is a physical page"),
        ([["tlbi vae1 w"]], {"condition": "fault(P0@0)"}, "location w is unknown"),
        ([LD, []], {}, "P1 has no operations"),
        ([LD, ["label L0"]], {}, "P1 has no operations"),
        ([], {}, "a test needs a thread"),
        ([LD], {"condition": "0:r2=0"}, "nobody writes r2 of P0 (P0 writes r1)"),
        ([LD, ["isb"]], {"condition": "1:r1=0"}, "nobody writes r1 of P1 (P1 writes none)"),
        ([LD], {"condition": "2:r1=0"}, "there is no P2 (threads are P0 to P0)"),
        ([LD], {"condition": "mem[pa7]=0"}, "location pa7 is unknown (pages are pa1)"),
        ([LD], {"condition": "mem[x]=0"}, "location x is not a physical page"),
        ([LD], {"condition": "pte(y)=INV"}, "location y is unknown"),
        ([LD], {"condition": "0:r1=leaf(pa7)"}, "location pa7 is unknown"),
        ([LD], {"condition": "0:r1=leaf(x)"}, "x is not a physical page"),
        ([LD], {"condition": "fault(P0@1)"}, "P0 has no op 1 (its last is 0)"),
        ([["isb", *LD]], {"condition": "fault(P0@0)"}, "op 0 of P0 is `isb`, which cannot fault"),
        ([["st pte(x) = leaf(x)"]], {"condition": "pte(x)=INV"}, "x is not a physical page"),
        ([["st pte(x,L2) = table(t)"]], {"condition": "pte(x)=INV"}, "table t is unknown"),
        ([["st pte(x@t) = INV"]], {"condition": "pte(x)=INV"}, "table t is unknown"),
        ([["msr ttbr0 = ttbr(root=t)", *LD]], {}, "table t is unknown (roots are page_table_base"),
        ([["r1 = 1 if fault.level==3 else 2"]], {}, "there is no fault here"),
        ([["r1 = ld x+0x10000"]], {}, "x+0x10000 is too far from x"),
        ([LD], {"map": {"x": "leef(pa1)"}}, "init.map of x: `leef(pa1)` is no descriptor"),
        ([LD], {"map": {"x y": "INV"}}, "init.map: `x y` is no location"),
        ([LD], {"map": {"x": "leaf(pa1)", "y": "table(t)"}}, "table t is unknown"),
        ([LD], {"mem": {"1": 1}}, "`1` is no physical page"),
        ([LD], {"mem": {"x": 1}}, "init.mem: x is not a physical page"),
        ([LD], {"el": [0, 1]}, "init.el has 2 entries for 1 threads"),
        ([LD], {"el": [2]}, "threads start at EL 0 or 1"),
        ([LD], {"ttbr0": ["page_table_base"]}, "is no ttbr0 of P0"),
        ([LD], {"on_fault": {"P1": {"fault": []}}}, "there is no thread P1"),
        ([LD], {"on_fault": {"P0": {"fault": ["ibs"]}}}, "P0 fault handler op 0: `ibs`"),
        ([LD], {"on_fault": {"P0": {"svc": ["r1 = ld w"]}}}, "P0 svc handler op 0: `r1 = ld w`"),
        ([LD], {"on_fault": {"P0": {"irq": []}}}, "irq"),
        ([LD], {"regs": {"r1": 3}}, "`r1` says nothing"),
        ([LD], {"regs": {"P0": {"x1": 3}}}, "`x1` is no register"),
        ([LD], {"regs": {"P3": {"r1": 3}}}, "there is no thread P3"),
        ([LD], {"verdict": "maybe"}, "maybe"),
        ([LD], {"cpus": [{"bbm": 4}]}, "4"),
        ([["isb", 3]], {}, "threads[0][1]"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    threads: list[list[str]], more: dict[str, Any], said: str
) -> None:
    told = refusal(*threads, **more)

    assert told.startswith("rows.jsonl:7: ")
    assert said in told


def test_a_table_of_several_variables_has_to_be_clear() -> None:
    tables = {"x": "INV", "y": "INV", "x@t": "INV", "y@t": "INV"}
    unclear = refusal(["r1 = table(t)"], map=tables)

    assert "which table of t is meant? (it has x, y)" in unclear
    assert made(["st pte(y,L2) = table(t)", *LD], map=tables)
    assert "cannot hold a table" in refusal(["st pte(y) = table(t)", *LD], map=tables)


def test_what_is_not_json_is_said_with_its_place() -> None:
    read = read_line("rows.jsonl", 7, '{"name": "t"')

    assert str(read.error).startswith("rows.jsonl:7: not JSON")
    assert "rows.jsonl:7: " in str(read_line("rows.jsonl", 7, "[]").error)
    assert "name" in str(read_line("rows.jsonl", 7, "{}").error)


def test_bad_lines_do_not_stop_the_others(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    good, twice = json.dumps(row(LD)), json.dumps(row(LD))
    other = json.dumps(row(LD, name="other"))
    path.write_text(f"{good}\n\nnonsense\n{twice}\n  \n{other}\n", encoding="utf-8")

    read = read_file(path)

    assert [line.number for line in read] == [1, 3, 4, 6]
    assert [line.test is not None for line in read] == [True, False, False, True]
    assert "there is a test t in line 1" in str(read[2].error)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"\xff\xfe")

    for name, why in (("absent", "No such file"), ("latin", "not UTF-8")):
        with pytest.raises(UsageError, match=why):
            read_file(tmp_path / name)
