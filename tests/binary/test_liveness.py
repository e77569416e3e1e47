"""What instructions read and overwrite, and which registers are live: of words, not of a kernel."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest

from simbbm.binary.a64.cpu import Cpu
from simbbm.binary.a64.execution import TABLE, UnknownInstruction, complete, step
from simbbm.binary.a64.forms import Form, Undefined
from simbbm.binary.a64.uses import EVERY, FLAGS, SP, uses
from simbbm.binary.booted import RETURN
from simbbm.binary.code.liveness import Liveness
from tests.binary.assembler import assemble

START = 0x1_0000_0000
LINK = 30
STUB = START - 0x1000


def outcome(cpu: Cpu, word: int) -> tuple[Any, tuple[int, ...]]:
    """What an instruction asks for, and all registers once it is done."""
    stop = step(cpu, word)
    if stop is not None:
        complete(cpu, stop, (0x1234,) * len(stop.targets))
    return stop and stop._replace(targets=()), cpu.kept()


def state(draw: random.Random) -> Cpu:
    pool = (0, 1, (1 << 64) - 1, draw.getrandbits(64), draw.getrandbits(16))
    x = [draw.choice(pool) for _ in range(31)]
    return Cpu(x, draw.choice(pool), START, draw.getrandbits(4))


def other(cpu: Cpu, mask: int, draw: random.Random) -> Cpu:
    """The same registers, but for those of a mask."""
    new = state(draw)
    x = [new.x[n] if mask >> n & 1 else value for n, value in enumerate(cpu.x)]
    sp = new.sp if mask >> SP & 1 else cpu.sp
    return Cpu(x, sp, cpu.pc, new.nzcv if mask >> FLAGS & 1 else cpu.nzcv)


@pytest.mark.parametrize("form", TABLE.forms, ids=lambda form: form.name)
def test_an_instruction_depends_on_what_it_reads(form: Form) -> None:
    draw = random.Random(form.name)
    for word in known(form, draw):
        used, one = uses(word), state(draw)
        two = other(one, EVERY & ~used.reads, draw)
        before = one.kept(), two.kept()
        first, second = outcome(one, word), outcome(two, word)

        assert first[0] == second[0], f"{word:08x}"
        for n in (*range(31), SP, FLAGS):
            at = n + (n == FLAGS)  # PC comes before the flags.
            if used.writes >> n & 1 or before[0][at] == before[1][at]:
                assert first[1][at] == second[1][at], f"{word:08x}: register {n}"
            else:
                assert first[1][at] == before[0][at], f"{word:08x}: it writes register {n}"
        assert first[1][32] == second[1][32], f"{word:08x}: PC"
        assert used.onward is None or first[1][32] - START in used.onward, f"{word:08x}"


def known(form: Form, draw: random.Random) -> Iterator[int]:
    """Random encodings of a form, without those that are undefined."""
    mask, value = form.mask_and_value()
    for _ in range(60):
        word = value | draw.getrandbits(32) & ~mask
        with suppress(Undefined, UnknownInstruction):
            if TABLE.decode(word).form is form and uses(word):
                yield word


def liveness(*sources: str, dropped: int | None = None) -> Liveness:
    """Of functions of our own, each 0x100 behind the one before; STUB is stood in for."""
    symbols = {f"f{n}": START + 0x100 * n for n in range(len(sources))} | {"stub": STUB}
    read: dict[int, int] = {}
    for n, source in enumerate(sources):
        first = START + 0x100 * n
        read |= {first + 4 * k: w for k, w in enumerate(assemble(source, first, symbols))}
    kernel = SimpleNamespace(word=read.get, image=SimpleNamespace(holds=read.__contains__))
    edited = () if dropped is None else (START + 4 * dropped,)
    return Liveness(kernel, {STUB: True}, edited)  # type: ignore[arg-type]


def is_live(found: Liveness, register: int, instruction: int = 0) -> bool:
    return bool(found.at(START + 4 * instruction) >> register & 1)


def test_what_is_overwritten_first_is_dead() -> None:
    found = liveness("mov x1, #1\nadd x2, x3, #0\nmov x3, #0\nret")

    assert [is_live(found, n) for n in (1, 2, 3)] == [False, False, True]
    assert is_live(found, 1, 1)
    assert found.at(RETURN) == 0


def test_both_ways_of_a_branch_count() -> None:
    found = liveness("cbz x0, away\nmov x1, #0\nmov x2, #0\naway:\nmov x2, #1\nret")

    assert (is_live(found, 1), is_live(found, 2)) == (True, False)


def test_a_loop_keeps_what_its_next_turn_reads() -> None:
    found = liveness("again:\nsubs x1, x1, #1\nmov x2, #0\nb.ne again\nmov x1, #0\nret")

    assert is_live(found, 1, 2)
    assert is_live(found, FLAGS, 2)
    assert not is_live(found, FLAGS)


def test_at_a_return_every_register_is_live() -> None:
    assert liveness("ret").at(START) == EVERY


@pytest.mark.parametrize("source", ["br x1", "blr x1", "brk #1", "b stub"])
def test_where_it_goes_on_anywhere_every_register_is_live(source: str) -> None:
    live = liveness(f"{source}\nmov x5, #0\nret").at(START)

    assert live == EVERY & ~(source.startswith("blr") << LINK)


def test_a_call_is_followed() -> None:
    found = liveness("bl f1\nret", "mov x7, x8\nmov x9, #0\nret")

    assert [is_live(found, n) for n in (7, 8, 9, 30)] == [False, True, False, False]


def test_what_stands_in_for_a_function_writes_its_result() -> None:
    found = liveness("bl stub\nmov x1, #0\nret")

    assert [is_live(found, n) for n in (0, 1, 2, 30)] == [False, False, True, False]


def test_a_dropped_load_overwrites_nothing() -> None:
    source = "ldr x1, [x0]\nmov x2, x1\nret"

    assert not is_live(liveness(source), 1)
    assert is_live(liveness(source, dropped=0), 1)
