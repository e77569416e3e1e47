"""What a search keeps of a state: numbers that stand for all its content, and for nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from simbbm.arm64.descriptor import leaf
from simbbm.arm64.features import Features
from simbbm.arm64.machine import Arm64
from simbbm.arm64.ops import Cpu
from simbbm.core.program import repeat_until
from simbbm.explore.search.breadth_first import Search
from simbbm.explore.search.reductions.reduced_system import ReducedSystem
from tests.support import (
    FLAG,
    FLAG2,
    INV,
    NEW,
    OLD,
    PX,
    X,
    explore,
    little,
    machine,
    representative,
)
from tests.support import TABLES as AT

TABLES = {
    AT: little().spec.tables[AT],
    AT + 4: (leaf(OLD), INV, INV, INV),
    AT + 8: (INV,) * 4,
    AT + 12: (INV,) * 4,
}


def is_two(value: int) -> bool:
    return value == 2


async def takes_a_ticket(cpu: Cpu, who: int) -> None:
    """The first two flush, one of them waits for both; the third looks at what they changed."""
    ticket = await cpu.ldaddal(FLAG, 1)
    if ticket == 2:
        await cpu.ldr(X)
        return
    await cpu.tlbi("vmalle1is")
    await cpu.ldaddal(FLAG2, 1)
    if ticket == who:
        await cpu.wait(FLAG2, is_two, acquire=True)
        await cpu.str(PX, INV)
        await cpu.dsb("ish")


async def turn(cpu: Cpu) -> bool:
    """Try to take the lock."""
    if await cpu.ldaxr(FLAG) != 0:
        return False
    return await cpu.stxr(FLAG, 1) == 0


async def takes_a_lock(cpu: Cpu) -> None:
    """Change and flush under a lock."""
    await repeat_until(turn, cpu)
    await cpu.str(PX, leaf(NEW))
    await cpu.tlbi("vaae1is", 0)
    await cpu.stlr(FLAG, 0)


async def flushes(cpu: Cpu) -> None:
    """A broadcast TLBI, which its issuer need not wait for."""
    await cpu.tlbi("vmalle1is")
    await cpu.nop()


MACHINES: dict[str, tuple[tuple[Any, ...], int, dict[str, Any]]] = {
    "tickets": ((takes_a_ticket, 1), 2, {}),
    "a lock": ((takes_a_lock,), 2, {}),
    "broadcast TLBIs": ((flushes,), 3, {}),
    "erratum": ((takes_a_lock,), 2, {"features": Features(errata=("4118414",))}),
}


def system(name: str) -> Arm64:
    program, cpus, more = MACHINES[name]
    return machine(*(program,) * cpus, tables=TABLES, uniform=True, **more)


@pytest.mark.parametrize("symmetry", [True, False])
@pytest.mark.parametrize("name", MACHINES)
def test_as_many_states_are_kept_as_differ_by_content(name: str, symmetry: bool) -> None:
    """Those that there are, or a representative of each; and none twice."""
    one = system(name)
    space = ReducedSystem(one, symmetry=symmetry, ample=False)
    search = Search(space)
    found = search.run()
    there_are = explore(one).states
    if symmetry:
        there_are = {representative(space.symmetry, state) for state in there_are}
    kept = [one.digest(space.rows.machine(state)) for state in search.states]

    assert found.complete
    assert len(kept) == found.states > 20
    assert sorted(kept) == sorted({one.digest(state) for state in there_are})


@pytest.mark.parametrize("name", MACHINES)
def test_different_states_have_different_digests(name: str) -> None:
    one = system(name)
    one.keeps_values = True
    states = explore(one).states

    assert len(states) == len({one.digest(state) for state in states})
