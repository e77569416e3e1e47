"""The states that a search met: what is kept of them, however large their numbers are."""

from __future__ import annotations

from itertools import permutations

import pytest

from simbbm.arm64.descriptor import leaf, table
from simbbm.arm64.machine import Arm64
from simbbm.arm64.ops import Cpu
from simbbm.core.program import repeat_until
from simbbm.explore.search.breadth_first import Search, Searched
from simbbm.explore.search.met import Edges, Met
from simbbm.explore.search.reductions.reduced_system import ReducedSystem
from tests.support import FLAG, FLAG2, INV, OTHER, PTES, ROOT, machine

LARGE = 1 << 16
"""The least number that two bytes do not hold."""
STATES = [*permutations((0, 1, 255, 256)), *permutations((7, LARGE - 1, 3, 258))]
BEYOND = [(LARGE, 0, 1, 2), (0, 1, 2, LARGE), (1, LARGE + 1, 0, 2**32 - 1)]


def met(states: list[tuple[int, ...]]) -> Met:
    found = Met(4)
    for index, state in enumerate(states):
        assert found.number(state) is None
        assert found.number_or_add(state) == index == len(found) - 1
    return found


@pytest.mark.parametrize("states", [STATES, STATES + BEYOND, BEYOND + STATES])
def test_each_state_has_the_index_of_when_it_was_met(states: list[tuple[int, ...]]) -> None:
    """And keeps it, and its place, when later ones need more bytes."""
    found = met(states)

    assert len(found) == len(states)
    assert list(map(tuple, found)) == states
    assert [found.number(state) for state in states] == list(range(len(states)))
    assert [found.number_or_add(list(state)) for state in states] == list(range(len(states)))
    assert [tuple(found.unpacked(packed)) for packed in found.packed()] == states


def test_what_was_not_met_has_no_index() -> None:
    """Whether its numbers are too large for what is kept, or one byte is another's."""
    found = met(STATES)
    for state in BEYOND:
        assert found.number(state) is None
    assert found.number((256, 0, 1, 254)) is None
    assert list(map(tuple, found)) == STATES

    found.number_or_add(BEYOND[0])
    assert found.number((0, 0, 1, 2)) is None
    assert found.number(BEYOND[1]) is None
    assert len(found) == len(STATES) + 1


def test_edges_are_kept_source_by_source() -> None:
    edges = Edges()
    for source, targets in ((0, []), (1, [0]), (4, [1, 0, 1]), (70_000, [LARGE, 2])):
        edges.targets.extend(targets)
        edges.leave(source, len(targets))

    wanted = [(1, 0), (4, 1), (4, 0), (4, 1), (70_000, LARGE), (70_000, 2)]
    assert list(edges) == wanted


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


def searched(first: int) -> tuple[Searched, list[tuple[int, ...]]]:
    """A search whose CPU values are numbered from `first` on."""
    space = ReducedSystem(system(), ample=False)
    space.rows.cpus.parts += [space.system.initial().cpus[0]] * first
    search = Search(space)
    found = search.run()
    return found, [tuple(state) for state in search.states]


def test_a_search_beyond_what_two_bytes_hold_finds_the_same() -> None:
    """It comes to larger numbers on its way; the round that nobody leaves is looked for at last."""
    found, states = searched(0)
    for first in (LARGE - 5, LARGE):
        again, others = searched(first)
        assert again == found
        assert others == [(*state[:2], *(cpu + first for cpu in state[2:])) for state in states]
        assert (max(others[0]) < LARGE) == (first < LARGE)
        assert max(map(max, others)) > LARGE

    assert [f.problem.property for f in found.failures] == ["terminates"]
    assert found.rounds is not None
    assert found.rounds.components > 1
