"""No program gets at the number of CPUs behind the proof's back: it is refused, or refuted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any

import pytest

from simbbm import Aborted, Cpu, Range, Setup, Sgi, cpu_numbers, routine, scenario
from simbbm.check.verdict import Verdict
from simbbm.core.errors import ScenarioError
from simbbm.core.programs.everyone import Counter, each_other
from tests.explore.every_n.gathering import (
    COUNTERS,
    FLAG,
    GO,
    TAKEN,
    WORK,
    adds,
    equals,
    gathers,
    is_more,
    of,
    proved,
)


@routine
async def if_four(cpu: Cpu, found: bool) -> None:
    """What goes wrong on four CPUs, and on no fewer: the searches of 2 and 3 do not see it."""
    if found:
        await cpu.panic("there are four")


# Ways to find out that there are four.


async def by_a_literal(cpu: Cpu, n: Any) -> None:
    await cpu.wait(FLAG, equals, n)
    await if_four(cpu, await cpu.ldar(FLAG) == 4)


async def by_difference(cpu: Cpu, n: Any) -> None:
    await if_four(cpu, n - 1 - 1 == 2)


async def by_order(cpu: Cpu, n: Any) -> None:
    await if_four(cpu, n > 3)


async def by_order_of_the_counter(cpu: Cpu, n: Any) -> None:
    await if_four(cpu, await cpu.ldar(FLAG) > 3)


async def by_range(cpu: Cpu, n: Any) -> None:
    turns = 0
    for _ in range(n):
        turns += 1
    await if_four(cpu, turns == 4)


async def by_int(cpu: Cpu, n: Any) -> None:
    await if_four(cpu, int(n) == 4)


async def by_int_of_the_counter(cpu: Cpu, n: Any) -> None:
    await cpu.wait(FLAG, equals, n)
    await if_four(cpu, int(await cpu.ldar(FLAG)) == 4)


async def by_hash(cpu: Cpu, n: Any) -> None:
    await if_four(cpu, n in {4, 5, 6})


async def by_membership(cpu: Cpu, n: Any) -> None:
    await if_four(cpu, n in (4, 5, 6))


async def by_text(cpu: Cpu, n: Any) -> None:
    await if_four(cpu, f"{n}" == "4")


async def by_parity(cpu: Cpu, n: Any) -> None:
    await if_four(cpu, n % 4 == 0)


async def by_index(cpu: Cpu, n: Any) -> None:
    await if_four(cpu, (0, 0, 0, 0, 1, 1)[n] == 1)


async def by_kind(cpu: Cpu, n: Any) -> None:
    await if_four(cpu, not isinstance(n, int))


async def by_type(cpu: Cpu, n: Any) -> None:
    await if_four(cpu, type(n) is not int)


async def by_attribute(cpu: Cpu, n: Any) -> None:
    await if_four(cpu, n.bit_length() == 3)


async def by_representation(cpu: Cpu, n: Any) -> None:
    await if_four(cpu, getattr(n, "everyone", 0) == 1)


async def by_pattern(cpu: Cpu, n: Any) -> None:
    match n:
        case 4:
            await if_four(cpu, True)


async def by_catching(cpu: Cpu, n: Any) -> None:
    found = False
    try:
        found = n > 3
    except BaseException:  # noqa: BLE001
        found = False
    await if_four(cpu, found)


async def by_a_copy(cpu: Cpu, n: Any) -> None:
    await cpu.wait(FLAG, equals, n)
    await cpu.str(GO, await cpu.ldar(FLAG))
    await if_four(cpu, await cpu.ldr(GO) == 4)


async def by_a_stored_number(cpu: Cpu, n: Any) -> None:
    await cpu.str(GO, n)
    await if_four(cpu, await cpu.ldr(GO) == 4)


async def by_a_page(cpu: Cpu, n: Any) -> None:
    await cpu.tlbi("vaae1", n)


async def by_turns(cpu: Cpu, n: Any) -> None:
    for _ in each_other(n):
        await cpu.ldaddal(FLAG, 1)


async def by_leaving_a_loop(cpu: Cpu, n: Any) -> None:
    queued = await cpu.ldr(WORK)
    for turn in each_other(n):
        await cpu.stlr(WORK, queued + turn)
        break


async def by_an_old_value(cpu: Cpu, n: Any) -> None:
    queued = await cpu.ldr(WORK)
    await cpu.nop()
    for turn in each_other(n):
        await cpu.stlr(WORK, queued + turn)


BY_BOOT = [
    by_a_literal, by_difference, by_order, by_order_of_the_counter, by_range, by_int,
    by_int_of_the_counter, by_hash, by_membership, by_text, by_parity, by_index, by_kind,
    by_type, by_attribute, by_representation, by_pattern, by_catching, by_a_copy,
    by_a_stored_number, by_turns, by_leaving_a_loop, by_an_old_value,
]  # fmt: skip


async def by_its_number(cpu: Cpu, n: Any) -> None:
    await if_four(cpu, await cpu.mrs_mpidr() == 3)


async def by_a_ticket(cpu: Cpu, n: Any) -> None:
    await if_four(cpu, await cpu.ldaddal(TAKEN, 1) == 2)


async def by_load_and_store(cpu: Cpu, n: Any) -> None:
    await cpu.str(FLAG, await cpu.ldr(FLAG) + 1)


async def by_two_loads(cpu: Cpu, n: Any) -> None:
    first = await cpu.ldxr(FLAG)
    await cpu.ldxr(FLAG)
    await cpu.stxr(FLAG, first + 1)


async def by_a_wrong_ticket(cpu: Cpu, n: Any) -> None:
    own = await cpu.ldaddal(FLAG, 1)
    await cpu.wait(WORK, is_more, own)


async def by_counting_twice(cpu: Cpu, n: Any) -> None:
    for _ in range(4):
        await cpu.ldaddal(FLAG, 1)


async def by_broadcast(cpu: Cpu, n: Any) -> None:
    await cpu.tlbi("vmalle1is")


async def by_the_number_of_calls(cpu: Cpu, n: Any) -> None:
    await if_four(cpu, await cpu.ldr(WORK) == 3)


BY_OTHERS = [
    by_its_number, by_a_ticket, by_load_and_store, by_two_loads, by_a_wrong_ticket,
    by_counting_twice, by_broadcast, by_the_number_of_calls,
]  # fmt: skip


CALLED = (by_a_wrong_ticket, by_the_number_of_calls)
"""Those who need a boot CPU that calls them."""


async def nothing(cpu: Cpu, *_: Any) -> None:
    await cpu.nop()


async def counted(cpu: Cpu, *_: Any) -> None:
    """Counts, and waits for nobody: on 2 and 3 CPUs nothing goes wrong."""
    await cpu.ldaddal(FLAG, 1)


async def calls_all(cpu: Cpu, n: Any) -> None:
    """Calls everybody, and waits for nobody."""
    queued = await cpu.ldr(WORK)
    for turn in each_other(n):
        await cpu.stlr(WORK, queued + turn)


def refusal(it: Any) -> str:
    """Why there is no proof; nothing fails on the few CPUs that are searched before."""
    answer = proved(it)
    assert answer.failed is None
    assert answer.verdict is Verdict.INCONCLUSIVE
    assert answer.message.startswith("refused: ")
    assert answer.message.endswith(")")
    assert "\n" not in answer.message
    return answer.message


@pytest.mark.parametrize("boot", BY_BOOT, ids=lambda boot: boot.__name__)
def test_a_boot_cpu_that_finds_out_is_refused(boot: Callable[..., Any]) -> None:
    assert refusal(of(boot, counted))


@pytest.mark.parametrize("other", BY_OTHERS, ids=lambda other: other.__name__)
def test_another_cpu_that_finds_out_is_refused(other: Callable[..., Any]) -> None:
    boot = calls_all if other in CALLED else nothing
    assert refusal(of(boot, other, start={}))


@pytest.mark.parametrize(
    "args",
    [
        lambda n: (min(n, 100),),
        lambda n: (int(n),),
        lambda n: (n * 2,),
        lambda n: (n, len(range(n))),
        lambda n: (n, 1 if n > 3 else 0),
        lambda n: (n, f"{n}"),
        lambda n: (n, len(cpu_numbers(n)) > 5),
        lambda n: (n, type(n) is int),
        lambda n: (n, (*range(9), 1 if type(n) is int else True)),
        lambda n: (n, ((0,) * 9, (0,) * 8, (*range(9), (1 if type(n) is int else True,)))),
    ],
)
def test_a_setup_that_depends_on_the_number_is_refused(args: Callable[[Any], Any]) -> None:
    assert "refused" in refusal(of(nothing, nothing, args=args))


def test_a_setup_that_has_the_number_among_much_else_is_the_same_for_all() -> None:
    it = of(nothing, nothing, args=lambda n: (n, (*range(9), n + 1), (n, None) * 9))
    assert proved(it).verdict is Verdict.PROVED


def test_a_setup_of_its_own_number_of_cpus_is_refused() -> None:
    assert "cpu_numbers" in refusal(of(nothing, nothing, numbers=range))
    assert "cpu_numbers" in refusal(of(nothing, nothing, numbers=lambda _: range(3)))


async def by_an_address(cpu: Cpu, n: Any) -> None:
    await cpu.ldr(GO + n)


@pytest.mark.parametrize("program", [by_an_address, by_a_page])
def test_an_address_is_not_made_of_the_number(program: Any) -> None:
    with pytest.raises(ScenarioError, match="no address"):
        proved(of(program, counted))


async def panics(cpu: Cpu, *_: Any) -> None:
    await cpu.panic("there is a sixth")


def test_a_cpu_that_is_not_among_those_that_stand_for_all_is_refused() -> None:
    """What stands for all has four seats, so nobody there is the sixth."""
    it = of(nothing, nothing)

    def build(*, cpus: Annotated[int, Range(2, 16)] = 3) -> Setup:
        """The sixth is another."""
        setup = it.build(cpus=cpus)
        seats = zip(cpu_numbers(cpus), setup.cpus, strict=True)
        return replace(
            setup, cpus=tuple(c._replace(program=panics) if n == 5 else c for n, c in seats)
        )

    told = refusal(replace(scenario(expect="HOLDS")(build), id="gathering::it"))

    assert "cpu5's program depends on how many CPUs there are" in told


def test_cpus_that_are_not_alike_are_refused() -> None:
    counters = {**COUNTERS, 1: Counter("flag")}

    assert "name" in refusal(of(gathers, counters=counters))
    assert "no counters" in refusal(of(gathers, counters={}))
    assert "tickets" in refusal(of(gathers, counters={2: Counter("work", calls=3)}))


async def comes(cpu: Cpu, *_: Any) -> None:
    """Counts in a word that nobody has declared."""
    await cpu.ldaddal(GO, 1)


async def interrupts(cpu: Cpu, n: Any) -> None:
    await cpu.msr("icc_sgi1r_el1", Sgi(1))
    await gathers(cpu, n)


async def returns(cpu: Cpu, aborted: Aborted) -> None:
    await cpu.eret()


def test_cpus_that_interrupt_others_are_refused() -> None:
    assert "CPUs that interrupt others" in refusal(of(interrupts, handler=returns))


def test_a_word_that_all_count_in_is_to_be_declared() -> None:
    assert "takes more and more values (declare it" in refusal(of(nothing, comes))


def test_a_loop_of_calls_needs_tickets_that_start_at_0() -> None:
    assert "start at 0" in refusal(of(nothing, nothing, start={0: 1, 3: 1}))


def test_who_holds_is_not_refused() -> None:
    """What the tests above change is what they are refused for."""
    assert proved(of(gathers, adds)).verdict is Verdict.PROVED
