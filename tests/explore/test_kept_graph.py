"""The states that a search keeps, and the graph of them, however large their numbers are."""

from __future__ import annotations

import pytest

from simbbm.arm64 import rows as rows_module
from simbbm.arm64.descriptor import leaf, table
from simbbm.arm64.machine import Arm64
from simbbm.arm64.ops import Cpu
from simbbm.arm64.rows import State
from simbbm.core.program import repeat_until
from simbbm.explore.search.breadth_first import Limits, Search, Searched
from simbbm.explore.search.reductions.reduced_system import ReducedSystem
from tests.support import FLAG, FLAG2, INV, OTHER, PTES, ROOT, machine, searched_next

FAR = 70_000
"""More than two bytes hold."""


async def look(cpu: Cpu, word: int) -> bool:
    return bool(await cpu.ldr(word))


async def polls_and_stores(cpu: Cpu, polled: int, stored: int) -> None:
    """If each waits for the other to begin, they go round for ever."""
    await repeat_until(look, cpu, polled)
    await cpu.str(stored, 1)


async def changes(cpu: Cpu) -> None:
    """Something that takes its time meanwhile."""
    await cpu.str(PTES, leaf(9))
    await cpu.tlbi("vmalle1is")
    await cpu.dsb("ish")


def system() -> Arm64:
    tables = {ROOT: (table(PTES), leaf(4), INV, INV), PTES: (INV,) * 4, OTHER: (INV,) * 4}
    one, other = (polls_and_stores, FLAG, FLAG2), (polls_and_stores, FLAG2, FLAG)
    return machine(one, other, (changes,), tables=tables, uniform=True)


def searched(first: int) -> tuple[Searched, list[State]]:
    """A search whose CPU values are numbered from `first` on."""
    space = ReducedSystem(system(), ample=False)
    space.rows.cpus.parts.update({~i: space.system.initial().cpus[0] for i in range(first)})
    search = Search(space)
    return search.run(), list(search.states)


def test_a_search_with_large_numbers_finds_the_same() -> None:
    """The round that nobody leaves, which is looked for at last, too."""
    found, states = searched(0)
    again, others = searched(FAR)
    places = ReducedSystem(system(), ample=False).rows.places

    assert again == found
    assert others == [state + sum(FAR << place for place in places) for state in states]
    assert [f.problem.property for f in found.failures] == ["terminates"]
    assert found.rounds is not None
    assert found.rounds.components > 1


def test_who_has_no_number_left_has_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    """No part gets a number that another part has, or that another field begins with."""
    monkeypatch.setattr(rows_module, "PENDING", 16)
    found = Search(ReducedSystem(system(), symmetry=False, ample=False)).run()
    assert (found.complete, found.stopped) == (False, "out of memory")


@pytest.mark.parametrize("limit", [None, 20])
def test_the_graph_of_a_search_has_every_move_that_was_taken(limit: int | None) -> None:
    """Of a state that was not expanded any more, none."""
    space = ReducedSystem(system(), ample=False)
    search = Search(space, Limits(states=limit))
    found = search.run()
    graph = search.graph()
    every = [
        [search.number(after) for after in searched_next(space, state)] for state in search.states
    ]
    given = [list(targets) for targets in graph]

    assert len(graph) == len(every) == found.states
    assert sum(map(len, given)) == found.transitions
    assert all(some in ([], all_of) for some, all_of in zip(given, every, strict=True))
    assert (given == every) == found.complete == (limit is None)
    assert [] not in given[: found.states // 2]
