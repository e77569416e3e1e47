"""Calls are swapped by their labels; steps are added, delayed, and change places."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from simbbm.changes import edits
from simbbm.core.errors import EditError, ScenarioError
from simbbm.core.points import ControlPoint
from simbbm.core.program import Op, Step, repeat_until, routine
from simbbm.core.programs.automaton import Automaton
from tests.core.test_automaton import CPU, Handle, calls_twice, other_read, read_twice, walk_ops


@pytest.mark.parametrize(
    ("call", "found"),
    [
        ("calls_twice/read_twice", ["other", "a", "b", "other", "a", "b"]),
        ("calls_twice/read_twice#1", ["other", "a", "b", "a", "b"]),
        ("calls_twice/read_twice#2", ["a", "b", "other", "a", "b"]),
        ("calls_twice/read_twice#3", ["a", "b", "a", "b"]),
        ("calls_helper/read_twice", ["a", "b", "a", "b"]),
    ],
)
def test_replace_swaps_a_call_by_its_label(call: str, found: list[str]) -> None:
    automaton = Automaton(edits({call: other_read}))

    assert found == walk_ops(automaton.start(calls_twice, CPU))
    assert ("other" in found) == (call in automaton.used_edits)


def test_a_call_by_its_label_goes_before_the_routine_that_it_is_of() -> None:
    automaton = Automaton(edits({read_twice: read_nothing, "calls_twice/read_twice#2": other_read}))

    assert ["nothing", "other", "nothing"] == walk_ops(automaton.start(calls_twice, CPU))


@routine
async def read_nothing(cpu: Handle) -> int:
    await cpu.op("nothing")
    return 0


def test_a_loops_body_is_swapped_where_the_loop_is() -> None:
    automaton = Automaton(edits({"two_loops/one_turn#2": last_turn}))

    assert ["turn", "last"] == walk_ops(automaton.start(two_loops, CPU))


async def two_loops(cpu: Handle) -> None:
    await repeat_until(one_turn, cpu)
    await repeat_until(one_turn, cpu)


@routine
async def one_turn(cpu: Handle) -> bool:
    await cpu.op("turn")
    return True


@routine
async def last_turn(cpu: Handle) -> bool:
    await cpu.op("last")
    return True


def test_a_text_that_is_no_call_is_refused() -> None:
    with pytest.raises(ScenarioError, match="'read_twice' names no call"):
        edits({"read_twice": other_read})


# Steps.


class Named(NamedTuple):
    """A CPU handle whose operations are called what one likes."""

    def do(self, name: str) -> Step[Any]:
        return Step(Op(name))


NAMED = Named()


def named(point: ControlPoint, value: int = 0) -> list[str]:
    """The operations from a point on; each observes the value."""
    found = []
    while point.op:
        found.append(point.op.mnemonic)
        point = point.after(value)
    return found


@pytest.mark.parametrize(
    ("edit", "found"),
    [
        ({"insert": {"five.b": "isb"}}, ["a", "b", "isb", "c", "d", "e"]),
        ({"insert": {"after:five.b": "isb"}}, ["a", "b", "isb", "c", "d", "e"]),
        ({"insert": {"before:five.a": "isb"}}, ["isb", "a", "b", "c", "d", "e"]),
        ({"insert": {"before:five.b": "isb", "five.b": "sev"}}, ["a", "isb", "b", "sev", *"cde"]),
        ({"insert": {"before:five.b": "isb"}, "drop": ["five.b"]}, [*"acde"]),
        ({"delay": ["five.a"]}, [*"bacde"]),
        ({"delay": ["five.c"]}, [*"abdce"]),
        ({"delay": ["two.e"]}, [*"abcde"]),
        ({"swap": {"five.a": "five.b"}}, [*"bacde"]),
        ({"swap": {"five.a": "five.c"}}, [*"cbade"]),
        ({"swap": {"five.b": "two.e"}}, [*"aecdb"]),
        ({"swap": {"five.b": "five.a"}}, [*"abcde"]),
        ({"swap": {"five.a": "five.c"}, "drop": ["five.b"]}, [*"cade"]),
        ({"swap": {"five.a": "five.b"}, "delay": ["five.c"]}, [*"badce"]),
    ],
)
def test_steps_are_added_and_moved(edit: dict[str, Any], found: list[str]) -> None:
    automaton = Automaton(edits(**edit))

    assert found == named(automaton.start(five, NAMED))
    for later in automaton.edits.later:
        assert (found != [*"abcde"]) == (later.step in automaton.used_edits)


async def five(cpu: Named) -> None:
    await cpu.do("a")
    await cpu.do("b")
    await cpu.do("c")
    await two(cpu)


@routine
async def two(cpu: Named) -> None:
    await cpu.do("d")
    await cpu.do("e")


def test_what_is_read_reaches_the_program_though_another_step_comes_later() -> None:
    """The store comes after the load, whose value decides what follows."""
    start = Automaton(edits(swap={"reads.str": "reads.ldr"})).start(reads, NAMED)

    assert ["ldr", "str", "seven"] == named(start, 7)
    assert ["ldr", "str", "other"] == named(start, 8)
    digests = {p.digest for p in (start, *(start.after(n) for n in (7, 8)))}
    assert 3 == len(digests)


async def reads(cpu: Named) -> None:
    await cpu.do("str")
    value = await cpu.do("ldr")
    await cpu.do("seven" if value == 7 else "other")


def test_a_value_between_two_steps_keeps_them_where_they_are() -> None:
    automaton = Automaton(edits(swap={"reads.str": "reads.seven"}))

    with pytest.raises(EditError, match=r"reads.ldr is between them, and how the program goes on"):
        automaton.start(reads, NAMED)


def test_a_step_alone_in_a_loop_has_nothing_to_change_places_with() -> None:
    automaton = Automaton(edits(delay=["endless.a"]))

    assert "a" == automaton.start(forever, NAMED).op.mnemonic  # type: ignore[union-attr]
    assert set() == automaton.used_edits


async def forever(cpu: Named) -> None:
    await repeat_until(endless, cpu)


@routine
async def endless(cpu: Named) -> bool:
    await cpu.do("a")
    return False


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        ({"drop": "five.a"}, r"drop='five.a' is a text \(write drop=\['five.a'\]\)"),
        ({"delay": "five.a"}, "delay='five.a' is a text"),
        (
            {"weaken": ["five.a"]},
            r"weaken=\['five.a'\] is no dict .write weaken={'STEP': 'dmb.ish'}",
        ),
        ({"swap": ["five.a", "five.b"]}, "write swap={'STEP': 'OTHER STEP'}"),
        ({"drop": ["isb"]}, "'isb' names no step .a step is routine.mnemonic"),
        ({"insert": {"five.a": "dsb.ihs"}}, "dsb.ihs is no operation .*did you mean dsb.ish"),
        ({"insert": {"five.a": "str"}}, "what has operands goes into a routine"),
        (
            {"swap": {"five.ldr": "five.a"}},
            "five.ldr cannot be done later: how the program goes on",
        ),
        ({"delay": ["five.eret"]}, "cannot be done later: the program does not go on after it"),
    ],
)
def test_edits_that_cannot_be_meant_are_refused(edit: dict[str, Any], told: str) -> None:
    with pytest.raises(ScenarioError, match=told):
        edits(**edit)
