"""A property that says `uniform=True` lets searches leave out states: it has to be true of it."""

from __future__ import annotations

import pytest

from simbbm.arm64.context import Shared
from simbbm.arm64.machine import Arm64
from simbbm.arm64.state import Machine
from simbbm.core.errors import ScenarioError
from simbbm.core.system import Problem
from tests.support import FLAG, explore, little


def reads_a_word(shared: Shared, machine: Machine) -> Problem | None:
    value = shared.memories.read(machine.memory, FLAG)
    return Problem("no_panic", "the flag is set") if value else None


def compares_cpus(shared: Shared, machine: Machine) -> Problem | None:
    ends = [cpu.finished for cpu in machine.cpus]
    return Problem("no_panic", "one is behind") if any(ends) and not all(ends) else None


def counts_cpus(shared: Shared, machine: Machine) -> Problem | None:
    return Problem("no_panic", "one is alone") if len(machine.cpus) == 1 else None


def system(check: object, *, uniform: bool) -> Arm64:
    steps = (("str", FLAG, 1),)
    return little(steps, steps, always=(check,), uniform=uniform)


@pytest.mark.parametrize(
    ("check", "told"),
    [
        (reads_a_word, r"uniform=True looks at the word 0x[0-9a-f]+ of memory"),
        (compares_cpus, "no_panic says uniform=True, but not the same of all CPUs together"),
        (counts_cpus, "no_panic says uniform=True, but not the same of all CPUs together"),
    ],
)
def test_who_says_so_falsely_is_refused(check: object, told: str) -> None:
    with pytest.raises(ScenarioError, match=told):
        explore(system(check, uniform=True))


@pytest.mark.parametrize("check", [reads_a_word, compares_cpus])
def test_who_does_not_say_so_may_look_at_everything(check: object) -> None:
    assert explore(system(check, uniform=False)).failed
