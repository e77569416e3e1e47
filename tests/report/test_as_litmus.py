"""Counterexamples as litmus tests: read by the own parser, and their ends are reached."""

from __future__ import annotations

from pathlib import Path

import pytest

from simbbm import discovery
from simbbm.core.errors import UsageError
from simbbm.explore.search.prove import Prover, counterexample_of
from simbbm.litmus.files import read_herd
from simbbm.litmus.run import run
from simbbm.model import Model
from simbbm.report.forms import Request, written
from simbbm.report.told.case import Case

MINE = """
from simbbm import (INVALID_DESCRIPTOR, KERNEL_PAGE, RO, SCALED, Aborted, Cpu, CpuSetup, Regime,
    Setup, Tcr, Ttbr, leaf, no_tlb_conflict, routine, scenario, table, terminates)

W = SCALED.page_words
ROOT, PTES, FIXED = (2 * W + 2 * n for n in range(3))
X, PTE, DATA = KERNEL_PAGE * W, (KERNEL_PAGE + 2) * W + 2, (KERNEL_PAGE + 3) * W


async def skip(cpu: Cpu, aborted: Aborted) -> None:
    await cpu.eret(retry=False)


@routine
async def unmap(cpu: Cpu) -> None:
    await cpu.str(PTE, INVALID_DESCRIPTOR)
    await cpu.dsb("ishst")
    await cpu.tlbi("vaae1is", KERNEL_PAGE)
    await cpu.dsb("ish")


async def owner(cpu: Cpu) -> None:
    await unmap(cpu)
    await cpu.str(DATA, 2)


async def user(cpu: Cpu) -> None:
    if await cpu.ldr(X) == 2:
        await cpu.panic("reads what is another's")


async def mapper(cpu: Cpu) -> None:
    await cpu.str(PTE, leaf(0, RO))
    await cpu.dsb("ish")
    entry = await cpu.ldr(PTE)
    if await cpu.ldr(X) is None and entry.valid:
        await cpu.panic("faults on what is mapped")


def setup(*programs, first=leaf(0), properties=(terminates,)):
    regime = Regime((Ttbr(0),), (Ttbr(ROOT),), (Tcr(0, 2, epd0=True),))
    tables = {ROOT: (table(PTES), table(FIXED)), PTES: (first, leaf(1)), FIXED: (leaf(2), leaf(0))}
    return Setup(geometry=SCALED, cpus=tuple(CpuSetup(p, regime) for p in programs), tables=tables,
                 properties=properties, handler=skip, symbols={X: "x", PTES: "ptes"})


@scenario()
def good() -> Setup:
    \"\"\"A page goes to a new owner.\"\"\"
    return setup(owner, user)


no_tlbi = good.twin("No TLBI.", expect="VIOLATED:no_panic", drop=["unmap.tlbi.vaae1is"])
no_dsb = good.twin("No DSB before it.", expect="VIOLATED:no_panic", drop=["unmap.dsb.ishst"])
local = good.twin("A local one.", expect="VIOLATED:no_panic",
                  weaken={"unmap.tlbi.vaae1is": "tlbi.vaae1"})


@scenario(expect="VIOLATED:no_panic")
def no_isb() -> Setup:
    \"\"\"An ISB is missing behind a new mapping.\"\"\"
    return setup(mapper, first=INVALID_DESCRIPTOR)


@scenario(expect="VIOLATED:no_tlb_conflict")
def held() -> Setup:
    \"\"\"What is wrong is what a TLB holds.\"\"\"
    return setup(remapper, properties=(no_tlb_conflict,))


async def remapper(cpu: Cpu) -> None:
    await cpu.str(PTE, leaf(1))
"""


def as_litmus(name: str) -> str:
    model = Model(discovery.find(name))
    witness = counterexample_of(model, Prover(model, doubtful=True).prove())
    assert witness is not None
    text = written("litmus", Request(Case(witness, lambda: (witness, model))))
    assert isinstance(text, str)
    return text


@pytest.fixture
def mine(tmp_path: Path) -> str:
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    return str(path)


@pytest.mark.parametrize("name", ["no_tlbi", "no_dsb", "local", "no_isb"])
def test_its_end_is_reached_in_the_test(mine: str, name: str) -> None:
    text = as_litmus(f"{mine}::{name}")
    line = read_herd("f", text)

    assert line.test is not None, (line.error, text)
    assert run(line.test).reached, text


@pytest.mark.parametrize(
    ("name", "mended"),
    [("no_tlbi", "TLBI VAAE1IS,X9"), ("no_isb", "ISB")],
)
def test_it_is_not_once_the_mistake_is_mended(mine: str, name: str, mended: str) -> None:
    text = as_litmus(f"{mine}::{name}")
    before, barrier, after = text.partition(" DSB ISH ")
    assert barrier
    columns = text.count("| P1")
    fill = " | " * columns
    if name == "no_tlbi":
        lines = f" LSR X9,X8,#12 {fill};\n {mended} {fill};\n"
        text = f"{before}{lines}{barrier}{after}".replace("}\n", " 0:X8=x;\n}\n", 1)
    else:
        row, newline, rest = after.partition("\n")
        text = f"{before}{barrier}{row}{newline} {mended} {fill};\n{rest}"
    line = read_herd("f", text)

    assert line.test is not None, (line.error, text)
    assert not run(line.test).reached, text


def test_a_shifted_operand_is_another_page() -> None:
    line = read_herd("f", as_litmus("tlb_range::shifted_by_page"))

    assert line.test is not None
    assert run(line.test).reached


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("tlb_range::odd_page", "with a range"),
        ("table_reuse::no_flush", "a table that maps more than pages"),
        ("bbm_minimal::live_change", "no matter of what programs observe"),
    ],
)
def test_what_is_no_litmus_test_is_told_in_a_line(name: str, why: str) -> None:
    with pytest.raises(UsageError, match=f"this is no litmus test: .*{why}"):
        as_litmus(name)


def test_what_a_tlb_holds_is_no_outcome(mine: str) -> None:
    with pytest.raises(UsageError, match="no_tlb_conflict is no matter"):
        as_litmus(f"{mine}::held")
