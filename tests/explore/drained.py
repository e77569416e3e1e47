"""Two CPUs of which the first has descriptors to change: scenarios for the tests of drains.

In most of them the order of stores would show like this: the first CPU stores to `DATUM`, and to
`FLAG` in some runs only, which are those that a path must not miss; the second reads `DATUM` only
after it has seen `FLAG`.
"""

from __future__ import annotations

from typing import Any

from simbbm.arm64.descriptor import Descriptor, leaf, table
from simbbm.arm64.features import Features
from simbbm.arm64.machine import Arm64
from simbbm.arm64.ops import Cpu
from simbbm.arm64.registers import Regime, Ttbr
from simbbm.arm64.state import Machine
from simbbm.check.properties import no_size_change_seen, no_tlb_conflict
from simbbm.explore.search.reductions.reduced_system import ReducedSystem
from tests.explore.test_reductions import walk
from tests.support import (
    DATA,
    FLAG,
    INV,
    OLD,
    OTHER,
    PTES,
    REGIME,
    ROOT,
    SPARE,
    WORDS,
    machine,
    searched_next,
    thread,
)

DATUM = FLAG + 2
ELSEWHERE = REGIME._replace(ttbr0=(Ttbr(OTHER, asid=1),))
"""Maps tables and flags, and nothing that tests change."""
FOURTH = 11
ALL_DATA = {**DATA, **{FOURTH * WORDS + i: FOURTH for i in range(WORDS)}}
NOABORT = Features(noabort=True)
CHECKS = tuple(p.check for p in (no_size_change_seen, no_tlb_conflict) if p.check)
BLOCK = leaf(OLD)


def is_one(value: int) -> bool:
    return value == 1


async def looks(cpu: Cpu) -> tuple[int, int] | None:
    """Read the datum if the flag is set."""
    if await cpu.ldr(FLAG):
        return 1, await cpu.ldr(DATUM)
    return None


def two(
    first: Any,
    *others: Any,
    x: Descriptor = INV,
    y: Descriptor = INV,
    root: tuple[Descriptor, Descriptor] = (INV, INV),
    spare: Descriptor = INV,
    low: Descriptor = INV,
    there: Regime = ELSEWHERE,
    **more: Any,
) -> Arm64:
    """The first CPU has pages X and Y, below `PTES`; the others see only tables and flags."""
    others = others or ((looks,),)
    tables = {
        ROOT: (table(PTES), leaf(4), *root),
        PTES: (x, y, INV, INV),
        SPARE: (spare, INV, INV, INV),
        OTHER: (low, leaf(4), *root),
    }
    given = {"monotone": True, "uniform": True, "data": ALL_DATA, **more}
    regime = (REGIME, *[there] * len(others))
    programs = [p if isinstance(p, tuple) else (p,) for p in (first, *others)]
    return machine(*programs, tables=tables, regime=regime, **given)


def used(system: Arm64) -> int:
    """In how many states a search takes one move, and leaves out others of its CPU."""
    space = ReducedSystem(system, symmetry=False)
    assert space.ample is not None
    times, waiting = 0, [space.initial()]
    met = set(waiting)
    while waiting:
        state = waiting.pop()
        rows = space.rows.rows(state)
        choice = space.chosen(state, rows)
        times += choice is not None and len(choice.moves) < len(rows[choice.cpu].steps)
        for after in searched_next(space, state):
            if after not in met:
                met.add(after)
                waiting.append(after)
    return times


def assert_same(system: Arm64) -> dict[str, set[Machine]]:
    """A search that reduces meets every end, or a violation if there is one; returns all ends."""
    _, every = walk(system, symmetry=False, ample=False)
    _, found = walk(system, symmetry=False, ample=True)
    if any(end.startswith("VIOLATED") for end in every):
        assert found.keys() <= every.keys()
        assert any(end.startswith("VIOLATED") for end in found)
    else:
        assert {k: len(v) for k, v in found.items()} == {k: len(v) for k, v in every.items()}
        assert found == every
    return every


def values(ends: dict[str, set[Machine]]) -> set[tuple[Any, ...]]:
    """What the programs return."""
    return {tuple(pe.point.value for pe in state.cpus) for state in ends["HOLDS"]}


def of(*steps: tuple[Any, ...]) -> tuple[Any, ...]:
    """A program of these steps."""
    return thread, *steps
