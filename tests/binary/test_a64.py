"""What single words do, and what they ask for; worked out by hand from the manual."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest

from simbbm.binary.a64.cpu import Cpu
from simbbm.binary.a64.execution import TABLE, UnknownInstruction, complete, perform, run, step
from simbbm.binary.a64.operations import (
    Atomic,
    Barrier,
    CompareAndSwap,
    Exception_,
    Hint,
    Load,
    Operation,
    ReadRegister,
    Stop,
    Store,
    System,
    Target,
    WriteRegister,
)

PC = 0xFFFF_8000_8000_1000
SP = 0x7000


def cpu(**registers: int) -> Cpu:
    """A CPU whose register n holds 0x100 * n, or what is said."""
    x = [0x100 * n for n in range(31)]
    for name, value in registers.items():
        x[int(name[1:])] = value
    return Cpu(x, SP, PC)


def test_every_row_has_32_bits_and_no_two_have_a_word_in_common() -> None:
    rows = [(form.name, *form.mask_and_value()) for form in TABLE.forms]
    common = {(a, b) for (a, m, v), (b, n, w) in combinations(rows, 2) if not (v ^ w) & m & n}

    assert common == {("msr, mrs (nzcv)", "msr, mrs")}, "the narrow one stands first"


ASKED: list[tuple[int, Operation]] = [
    (0xD5033A9F, Barrier("dsb", "ishst")),
    (0xD503379F, Barrier("dsb", "nsh")),
    (0xD5033FDF, Barrier("isb")),
    (0xD5033BBF, Barrier("dmb", "ish")),
    (0xD5033E3F, Barrier("dsb", "synxs")),
    (0xD5033F5F, Barrier("clrex")),
    (0xD503205F, Hint("wfe")),
    (0xD50320BF, Hint("sevl")),
    (0xD508871F, System("tlbi", "vmalle1")),
    (0xD508831F, System("tlbi", "vmalle1is")),
    (0xD50883E1, System("tlbi", "vaale1is", 0x100)),
    (0xD50882E1, System("tlbi", "rvaale1is", 0x100)),
    (0xD50893E1, System("tlbi", "vaale1isnxs", 0x100)),
    (0xD50B7421, System("dc", "zva", 0x100)),
    (0xD5182021, WriteRegister("msr", "ttbr1_el1", 0x100)),
    (0xD5182041, WriteRegister("msr", "tcr_el1", 0x100)),
    (0xD50343DF, WriteRegister("msr", "daifset", 3)),
    (0xD5384101, ReadRegister("mrs", "sp_el0")),
    (0xD538D081, ReadRegister("mrs", "tpidr_el1")),
    (0xD538F201, ReadRegister("mrs", "s3_0_c15_c2_0")),
    (0xD4000002, Exception_("hvc", 0)),
    (0xD4210000, Exception_("brk", 0x800)),
    (0xD69F03E0, Exception_("eret")),
    (0x00000000, Exception_("udf", 0)),
    (0xF9400441, Load("ldr", 0x208, 8)),
    (0x39400441, Load("ldrb", 0x201, 1)),
    (0xB9800441, Load("ldrsw", 0x204, 4)),
    (0xF8408C41, Load("ldr", 0x208, 8)),
    (0xF8408441, Load("ldr", 0x200, 8)),
    (0xF8637841, Load("ldr", 0x1A00, 8)),
    (0xF8408841, Load("ldtr", 0x208, 8, unprivileged=True)),
    (0xA9410C41, Load("ldp", 0x210, 8, 2)),
    (0x885F7C41, Load("ldxr", 0x200, 4, exclusive=True)),
    (0x885FFC41, Load("ldaxr", 0x200, 4, acquire=True, exclusive=True)),
    (0x88DFFC41, Load("ldar", 0x200, 4, acquire=True)),
    (0xB8BFC041, Load("ldapr", 0x200, 4, acquire_pc=True)),
    (0x58000041, Load("ldr", PC + 8, 8)),
    (0xF9000441, Store("str", 0x208, 8, values=(0x100,))),
    (0x39000443, Store("strb", 0x201, 1, values=(0,))),
    (0xA9BF7BFD, Store("stp", SP - 16, 8, 2, values=(0x1D00, 0x1E00))),
    (0x88017C43, Store("stxr", 0x200, 4, values=(0x300,), exclusive=True)),
    (0x8801FC43, Store("stlxr", 0x200, 4, values=(0x300,), release=True, exclusive=True)),
    (0x889FFC41, Store("stlr", 0x200, 4, values=(0x100,), release=True)),
    (0xB86100BF, Atomic("staddl", 0x500, 4, 1, "add", 0x100, release=True)),
    (0xF821305F, Atomic("stset", 0x200, 8, 1, "set", 0x100)),
    (0xB8E100A3, Atomic("ldaddal", 0x500, 4, 1, "add", 0x100, acquire=True, release=True)),
    (0xB8E100BF, Atomic("ldaddal", 0x500, 4, 1, "add", 0x100, release=True)),
    (0xF8A18043, Atomic("swpa", 0x200, 8, 1, "swp", 0x100, acquire=True)),
    (
        0xC8E1FC43,
        CompareAndSwap("casal", 0x200, 8, 1, (0x100,), (0x300,), acquire=True, release=True),
    ),
]


@pytest.mark.parametrize(("word", "asked"), ASKED, ids=lambda value: getattr(value, "name", None))
def test_what_an_instruction_asks_for(word: int, asked: Operation) -> None:
    before, at = cpu().kept(), cpu()

    stop = step(at, word)

    assert stop is not None
    assert stop.operation == asked
    assert at.kept() == before, "nothing is done before the machine answers"


@pytest.mark.parametrize(
    ("word", "values", "changed"),
    [
        (0xF8408C41, (7,), {1: 7, 2: 0x208}),
        (0xF8408441, (7,), {1: 7, 2: 0x208}),
        (0xB9800441, (0x80000000,), {1: 0xFFFFFFFF80000000}),
        (0x39C00441, (0x80,), {1: 0xFFFFFF80}),
        (0x39400441, (0x80,), {1: 0x80}),
        (0xA9410C41, (5, 6), {1: 5, 3: 6}),
        (0xA9BF7BFD, (), {31: SP - 16}),
        (0x88017C43, (1,), {1: 1}),
        (0xD5384101, (9,), {1: 9}),
        (0xF940005F, (9,), {}),
    ],
)
def test_how_an_instruction_ends(word: int, values: tuple[int, ...], changed: Any) -> None:
    at = cpu()
    stop = step(at, word)
    assert stop is not None
    complete(at, stop, values)

    after = cpu()
    for register, value in changed.items():
        after.put_sp(register, value)
    after.pc += 4
    assert at.kept() == after.kept()


@pytest.mark.parametrize(
    ("word", "changed"),
    [
        (0xD503201F, {}),  # nop
        (0xD503233F, {}),  # paciasp
        (0xD50324DF, {}),  # bti jc
        (0xD503203F, {}),  # yield
        (0xF9800040, {}),  # prfm pldl1keep, [x2]
        (0x8B020021, {1: 0x300}),  # add x1, x1, x2
        (0xD3427C41, {1: 0x80}),  # ubfx x1, x2, #2, #30
        (0x90000001, {1: PC & ~0xFFF}),  # adrp x1, .
        (0x9B427C41, {1: 0}),  # smulh x1, x2, x2
        (0xDAC00041, {1: 0x40000000000000}),  # rbit x1, x2
    ],
)
def test_what_an_instruction_computes(word: int, changed: dict[int, int]) -> None:
    at, after = cpu(), cpu()
    for register, value in changed.items():
        after.put(register, value)
    after.pc += 4

    assert step(at, word) is None
    assert at.kept() == after.kept()


@pytest.mark.parametrize(
    ("word", "pc", "link"),
    [
        (0x14000002, PC + 8, 0x1E00),  # b
        (0x97FFFFFF, PC - 4, PC + 4),  # bl
        (0xB4000041, PC + 4, 0x1E00),  # cbz x1
        (0xB5000041, PC + 8, 0x1E00),  # cbnz x1
        (0x37400041, PC + 8, 0x1E00),  # tbnz w1, #8
        (0x54000040, PC + 4, 0x1E00),  # b.eq
        (0x54000041, PC + 8, 0x1E00),  # b.ne
        (0xD61F0040, 0x200, 0x1E00),  # br x2
        (0xD63F0040, 0x200, PC + 4),  # blr x2
        (0xD65F03C0, 0x1E00, 0x1E00),  # ret
        (0xD65F0BFF, 0x1E00, 0x1E00),  # retaa
        (0xD71F0841, 0x200, 0x1E00),  # braa x2, x1
    ],
)
def test_where_a_branch_goes(word: int, pc: int, link: int) -> None:
    at = cpu()

    assert step(at, word) is None
    assert (at.pc, at.x[30]) == (pc, link)


@pytest.mark.parametrize(
    "word",
    [
        0x1E202820,  # fadd s0, s1, s0
        0x4EE28420,  # add v0.2d, v1.2d, v2.2d
        0x19C20420,  # cpyfp: MOPS
        0xA9410441,  # ldp x1, x1
        0xF8408421,  # ldr x1, [x1], #8
        0x88017C41,  # stxr w1, w1
        0x12400000,  # and w0, w0, a constant of 64 bits
        0xFFFFFFFF,
    ],
)
def test_what_cannot_be_executed_is_named(word: int) -> None:
    at = cpu()

    with pytest.raises(UnknownInstruction, match=f"{word:08x} at 0xffff800080001000"):
        step(at, word)
    assert at.kept() == cpu().kept()


class Words:
    """Memory of single bytes."""

    def __init__(self) -> None:
        self.bytes: dict[int, int] = {}

    def read(self, address: int, size: int) -> int:
        return sum(self.bytes.get(address + n, 0) << 8 * n for n in range(size))

    def write(self, address: int, size: int, value: int) -> None:
        self.bytes |= {address + n: value >> 8 * n & 255 for n in range(size)}


@pytest.mark.parametrize(
    ("rule", "size", "old", "operand", "new"),
    [
        ("smax", 1, 0x7F, 0x80, 0x7F),
        ("smin", 1, 0x7F, 0x80, 0x80),
        ("umax", 1, 0x7F, 0x80, 0x80),
        ("smax", 4, 1, 0xFFFFFFFF, 1),
        ("smin", 2, 1, 0xFFFF, 0xFFFF),
        ("umin", 4, 1, 0xFFFFFFFF, 1),
        ("add", 4, 0xFFFFFFFF, 2, 1),
        ("clr", 8, 0xFF, 0x0F, 0xF0),
        ("set", 8, 0xF0, 0x0F, 0xFF),
        ("eor", 8, 0xFF, 0x0F, 0xF0),
        ("swp", 8, 1, 2, 2),
    ],
)
def test_atomics(rule: str, size: int, old: int, operand: int, new: int) -> None:
    memory = Words()
    memory.write(0x40, size, old)

    assert (old,) == perform(Atomic("x", 0x40, size, 1, rule, operand), memory)
    assert new == memory.read(0x40, size)


def test_compare_and_swap() -> None:
    memory = Words()
    memory.write(0x40, 8, 5)
    ask = CompareAndSwap("cas", 0x40, 8, 1, (4,), (9,))

    assert (5,) == perform(ask, memory)
    assert 5 == memory.read(0x40, 8)
    assert (5,) == perform(CompareAndSwap("cas", 0x40, 8, 1, (5,), (9,)), memory)
    assert 9 == memory.read(0x40, 8)


CODE = (
    0xA9BF7BFD,  # stp x29, x30, [sp, #-16]!
    0x910003FD,  # mov x29, sp
    0xD2800521,  # mov x1, #41
    0x91000421,  # add x1, x1, #1
    0xF9000041,  # str x1, [x2]
    0xA8C17BFD,  # ldp x29, x30, [sp], #16
    0xD65F03C0,  # ret
)


def fetch(address: int) -> int:
    return CODE[(address - PC) // 4]


def private(address: int, size: int) -> bool:
    return SP - 0x1000 <= address <= SP - size


def test_private_computation_is_run_up_to_the_next_operation() -> None:
    at, memory = cpu(), Words()

    stop = run(at, fetch, memory, 100, private)

    assert stop == Stop(Store("str", 0x200, 8, values=(42,)))
    assert (at.pc, at.sp) == (PC + 16, SP - 16)
    complete(at, stop)
    assert run(at, fetch, memory, 2, private) is None
    assert (at.pc, at.sp, at.x[29]) == (0x1E00, SP, 0x1D00)


def test_a_loop_of_computation_ends() -> None:
    assert run(cpu(), lambda _: 0x14000000, Words(), 50, private) is None


def test_an_exclusive_store_to_private_memory_is_done() -> None:
    at, memory = cpu(x2=SP - 16), Words()
    stop = step(at, 0x88017C43)
    assert stop is not None
    assert isinstance(stop.operation, Store)
    complete(at, stop, perform(stop.operation, memory))

    assert (memory.read(SP - 16, 4), at.x[1]) == (0x300, 0)
    assert stop.targets == (Target(1, 32),)
