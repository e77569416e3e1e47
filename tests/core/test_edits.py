"""Calls are swapped by their labels."""

from __future__ import annotations

import pytest

from simbbm.core.errors import ScenarioError
from simbbm.core.program import repeat_until, routine
from simbbm.core.programs.automaton import Automaton
from simbbm.core.programs.edits import edits
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
