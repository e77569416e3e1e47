"""Every state of a machine of few CPUs, one after another: nothing is left out, nothing reduced."""

from __future__ import annotations

from typing import NamedTuple

from simbbm.arm64.machine import Arm64
from simbbm.arm64.state import Machine
from simbbm.core.system import Move
from simbbm.explore.certificate.counted import Fault
from simbbm.model import Model


class Searched(NamedTuple):
    """What there is of one machine."""

    states: int
    ends: bool
    """No state is come back to, but by polls that change nothing: every run ends."""


def search(model: Model) -> Searched:
    """All states; Fault if something is wrong with one, or nothing follows it."""
    system, cpus = model.anew(relearn=True).system, model.params["cpus"]
    system.keeps_values = True
    first = system.initial()
    found: dict[Machine, int] = {first: 0}
    waiting, following = [first], dict[int, list[int]]()
    while waiting:
        state = waiting.pop()
        after = following[found[state]] = []
        for move in allowed(system, state, cpus):
            then = system.apply(state, move)
            if then not in found:
                found[then] = len(found)
                waiting.append(then)
            if not (move.optional and then == state):
                after.append(found[then])
    system.recheck()
    return Searched(len(found), is_without_cycle(following))


def allowed(system: Arm64, state: Machine, cpus: object) -> tuple[Move, ...]:
    """The moves of a state; Fault if something is wrong with it, or somebody waits for ever."""
    if problem := state.failure or system.problem(state):
        raise Fault(f"with cpus={cpus}: {problem.message}")
    moves = system.moves(state)
    if all(move.optional for move in moves):
        if not all(cpu.finished for cpu in state.cpus):
            raise Fault(f"with cpus={cpus}: {', '.join(system.unfinished(state))}")
        if problem := system.final_problem(state):
            raise Fault(f"with cpus={cpus}: {problem.message}")
    return moves


def is_without_cycle(following: dict[int, list[int]]) -> bool:
    """Whether all can be taken away one by one, each when nothing is left that leads to it."""
    before = dict.fromkeys(following, 0)
    for targets in following.values():
        for target in targets:
            before[target] += 1
    ready = [node for node, count in before.items() if not count]
    for node in ready:
        for target in following[node]:
            before[target] -= 1
            if not before[target]:
                ready.append(target)
    return len(ready) == len(following)
