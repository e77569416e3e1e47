"""An author's mistake in an operation is refused, and the error names file and line."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import pytest

from simbbm.arm64.descriptor import leaf, table
from simbbm.arm64.features import DELAYED
from simbbm.arm64.ops import Aborted, Cpu
from simbbm.arm64.registers import Sgi
from simbbm.core.errors import ScenarioError
from tests.support import (
    FLAG,
    INV,
    OLD,
    OTHER,
    PTES,
    PX,
    ROOT,
    X,
    explore,
    little,
    machine,
    outcomes,
    thread,
)


class State(IntEnum):
    """Equal to 1."""

    ONE = 1


def refusal(*steps: tuple[Any, ...], **more: Any) -> str:
    """Run steps until they are refused; return the message and check that it says where."""
    with pytest.raises(ScenarioError) as caught:
        explore(little(steps, **more))
    assert caught.value.message.startswith(thread.__code__.co_filename.removesuffix("support.py"))
    assert caught.value.message.split(":")[1].isdecimal()
    return str(caught.value)


def is_large(value: int) -> bool:
    return value > 5


def is_odd(value: int, *, why: str) -> bool:
    return bool(value % 2 and why)


@pytest.mark.parametrize(
    ("step", "what"),
    [
        (("dsb", "isht"), "there is no dsb.isht"),
        (("dmb", ""), "there is no dmb."),
        (("tlbi", "vae1is", 0), "there is no tlbi.vae1is with these operands"),
        (("tlbi", "vaae1is"), "there is no tlbi.vaae1is"),
        (("tlbi", "vaae1is", 0, 1), "there is no tlbi.vaae1is"),
        (("tlbi", "vmalle1", 0), "there is no tlbi.vmalle1"),
        (("tlbi", "aside1"), "there is no tlbi.aside1"),
        (("tlbi", "ipas2e1is", 0), "tlbi ipas2e1is at EL1"),
        (("mrs", "mair_el1"), "there is no mrs.mair_el1"),
        (("msr", "ttbr0_el1", 5), "no msr of int to ttbr0_el1"),
        (("msr", "sctlr_el1", 5), "no msr of int to sctlr_el1"),
        (("msr", "icc_sgi1r_el1", 1), "no msr of int to icc_sgi1r_el1, which is given 1"),
        (("msr", "icc_sgi1r_el1", Sgi(1, 7)), "there is no cpu7"),
        (("mrs", "icc_sgi1r_el1"), "there is no mrs.icc_sgi1r_el1"),
        (("eret",), "eret outside an exception handler"),
        (("ldr", "flag"), "no address"),
        (("ldr", True), "no address"),
        (("tlbi", "vaae1is", leaf(OLD)), "tlbi vaae1is of something that is no address"),
        (("str", PX, 1), "tables hold descriptors"),
        (("str", FLAG, leaf(OLD)), "all other memory ints"),
        (("ldaddal", PX, 1), "tables hold descriptors"),
        (("stlr", FLAG, "one"), "all other memory ints"),
        (("wait", PX, is_large), "is_large"),
        (("wait", FLAG, is_odd), "is_odd"),
        (("wait", FLAG, lambda value: value), "closure or a lambda"),
    ],
    ids=lambda value: "" if isinstance(value, str) else None,
)
@pytest.mark.parametrize("window", [1, 4])
def test_operation_that_makes_no_sense_is_refused(
    step: tuple[Any, ...], what: str, window: int
) -> None:
    assert what in refusal(("nop",), step, hardware=DELAYED._replace(window=window))


async def act_on_one(cpu: Cpu) -> int:
    """What follows the wait makes no sense of any other value."""
    return {1: 7}[await cpu.wait(FLAG, is_one)]


def is_one(value: int) -> bool:
    return value == 1


@pytest.mark.parametrize("window", [1, 4])
def test_a_program_is_not_asked_what_follows_a_poll_in_vain(window: int) -> None:
    tables = {ROOT: (INV, leaf(4), INV, INV), OTHER: (INV,) * 4}
    programs = (thread, ("str", FLAG, 1)), (act_on_one,)
    system = machine(*programs, tables=tables, hardware=DELAYED._replace(window=window))

    assert {((), 7)} == explore(system).outcomes


async def store_what_it_loads(cpu: Cpu) -> None:
    """Into a table, before it is known that it is no descriptor."""
    await cpu.str(PX, await cpu.ldr(FLAG))


def test_a_value_that_was_not_known_is_refused_when_it_is_stored() -> None:
    tables = {ROOT: (table(PTES), leaf(4), INV, INV), PTES: (INV,) * 4, OTHER: (INV,) * 4}
    hardware = DELAYED._replace(window=4)
    with pytest.raises(ScenarioError, match=r"a store of 0 to .*tables hold descriptors"):
        explore(machine((store_what_it_loads,), tables=tables, hardware=hardware))


def test_fill_across_the_end_of_a_table_is_refused() -> None:
    assert "tables hold descriptors" in refusal(("fill", PX + 2, leaf(OLD), 1, 3))


def test_supervisor_call_without_a_handler_is_refused() -> None:
    assert "svc without an exception handler" in refusal(("svc",), handler=None)


async def returns(cpu: Cpu, aborted: Aborted) -> None:
    """Forget the ERET."""


async def returns_after_a_step(cpu: Cpu, aborted: Aborted) -> None:
    """Forget the ERET, too."""
    await cpu.nop()


async def takes_nothing(cpu: Cpu) -> None:
    """Have no idea of what was aborted."""
    await cpu.eret()


@pytest.mark.parametrize("handler", [returns, returns_after_a_step])
def test_handler_that_returns_is_refused(handler: Any) -> None:
    with pytest.raises(ScenarioError, match="returned without eret") as caught:
        explore(little((("ldr", X),), x=INV, handler=handler))

    assert f"{__file__}:{handler.__code__.co_firstlineno}:" in caught.value.message


def test_handler_with_the_wrong_arguments_is_refused() -> None:
    with pytest.raises(ScenarioError, match="takes 1 positional argument"):
        explore(little((("ldr", X),), x=INV, handler=takes_nothing))


@pytest.mark.parametrize("value", [True, State.ONE])
def test_memory_holds_plain_ints(value: int) -> None:
    """Memory could not tell these from 1, and a program could."""
    steps = (("str", FLAG, value), ("ldr", FLAG), ("ldaddal", FLAG, value), ("ldr", FLAG))

    assert {"(((1, 1, 2),),)"} == {repr((seen,)) for seen in outcomes(steps)}
