"""Everything that can happen in a system, by brute force: what searches are held against.

Breadth first over `moves` and `apply`: no graph, no reductions, and nothing remembered but which
states were met. States are told apart by what they are made of, written down here once more; no
digest and no object's identity says whether two are the same. Properties are asked of every state,
moves are made anew in each.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any, NamedTuple

from simbbm.arm64.cpu import CpuState
from simbbm.arm64.machine import Arm64
from simbbm.arm64.state import Machine
from simbbm.arm64.translation.guest_mmu import GuestMmu
from simbbm.arm64.translation.mmu import Mmu
from simbbm.core.points import ControlPoint
from simbbm.core.programs.automaton import FramePoint
from simbbm.core.system import Move

Structure = tuple[Any, ...]
"""What a state is made of: tuples of plain values."""

Way = tuple[str, str]
"""Verdict and property."""

HOLDS: Way = ("HOLDS", "")
STUCK: Way = ("STUCK", "terminates")

# All parts, but what is remembered about them, and what is written down in a way of its own.
_own_way = {"point", "saved", "mmu", "pending_tlbis", "_content"}
_cpu_parts = attrgetter(*(f.name for f in fields(CpuState) if f.name not in _own_way))
_mmu_parts = attrgetter(*(f.name for f in fields(Mmu) if f.name not in {"views", "_content"}))


class TooLargeError(Exception):
    """There are more states than were asked for."""


class Everything(NamedTuple):
    """All that can happen."""

    edges: dict[Structure, list[tuple[Move, Structure]]]
    """By state, what can happen there and what follows."""
    depth: dict[Structure, int]
    """By state, how many steps lead there at least."""
    ways: dict[Way, int]
    """How runs may fail, and after how many steps at the earliest."""
    ends: set[Structure]
    """States in which every program has finished as it should."""
    deadlocks: set[Structure]
    livelocks: set[Structure]
    """States from which none can be reached in which a run ends."""


def explore(system: Arm64, limit: int) -> Everything:
    """Walk through all states; where a run ends there is no future, whatever is optional still."""
    first = system.initial()
    depth = {structure(first): 0}
    edges: dict[Structure, list[tuple[Move, Structure]]] = {}
    ended: dict[Structure, Way] = {}
    ways: dict[Way, int] = {}
    waiting = deque([(structure(first), first)])
    while waiting:
        here, state = waiting.popleft()
        system.forget_moves()
        moves = system.moves(state)
        way, edges[here] = judged(system, state, moves), []
        if way is not None:
            ended[here] = way
            ways.setdefault(way, depth[here])
            continue
        for move in moves:
            after = system.apply(state, move)
            there = structure(after)
            edges[here].append((move, there))
            if there not in depth:
                if len(depth) == limit:
                    raise TooLargeError
                depth[there] = depth[here] + 1
                waiting.append((there, after))
    lost = depth.keys() - _reaching(edges, ended)
    if lost:
        ways.setdefault(STUCK, min(depth[state] for state in lost))
    ends = {state for state, way in ended.items() if way == HOLDS}
    deadlocks = {state for state, way in ended.items() if way == STUCK}
    failures = {way: steps for way, steps in ways.items() if way != HOLDS}
    return Everything(edges, depth, failures, ends, deadlocks, lost)


def judged(system: Arm64, state: Machine, moves: Sequence[Move]) -> Way | None:
    """How a run ends here; None if there is something that has to happen still."""
    if state.failure:
        return "VIOLATED", state.failure.property
    for check in system.judged.always:
        if problem := check(system.shared, state):
            return "VIOLATED", problem.property
    if not all(move.optional for move in moves):
        return None
    if not all(cpu.finished for cpu in state.cpus):
        return STUCK
    for check in system.judged.final:
        if problem := check(system.shared, state):
            return "VIOLATED", problem.property
    return HOLDS


def _reaching(
    edges: dict[Structure, list[tuple[Move, Structure]]], goals: Iterable[Structure]
) -> set[Structure]:
    """The states from which one of the goals can be reached."""
    found, more = set(goals), True
    while more:
        new = {s for s, out in edges.items() if any(there in found for _, there in out)} - found
        found, more = found | new, bool(new)
    return found


def structure(state: Machine, order: Sequence[int] = ()) -> Structure:
    """All that a state is made of, with CPU `order[place]` at each place.

    A CPU's number stands in its place and in the TLBIs that it has issued, nowhere else.
    """
    order = order or range(len(state.cpus))
    place = {number: place for place, number in enumerate(order)}
    tables = tuple((at, table.entries) for at, table in state.memory.tables.by_address.items())
    cpus = tuple(_cpu(state.cpus[number], place) for number in order)
    # What a failure says of CPUs by number is for people.
    failure = state.failure and state.failure.property
    return tables, tuple(state.memory.data.items()), cpus, failure


def _cpu(cpu: CpuState, place: dict[int, int]) -> Structure:
    saved = tuple((_point(frame.point), *frame[1:]) for frame in cpu.saved)
    pending_tlbis = tuple(sorted(p._replace(issuer=place[p.issuer]) for p in cpu.pending_tlbis))
    return _point(cpu.point), saved, _mmu(cpu.mmu), pending_tlbis, *_cpu_parts(cpu)


def _mmu(mmu: Mmu) -> Structure:
    """What it holds; of a guest's, stage 2 as well, and what is kept for others."""
    if not isinstance(mmu, GuestMmu):
        return (*_mmu_parts(mmu),)
    stage2 = mmu.stage2 and _mmu(mmu.stage2)
    return *_mmu_parts(mmu), stage2, mmu.combined, mmu.parked


def _point(point: ControlPoint | None) -> Structure:
    """Frames from the outermost; `repr` tells True from 1, which are equal."""
    if point is None:
        return ()
    assert isinstance(point, FramePoint)
    frame = point.function, repr(point.args), repr(point.history), point.label, point.finished
    return *_point(point.parent), frame
