"""Every state of a machine of few CPUs, one after another.

Nothing is left out, but for what a certificate that takes one order of the boot CPU's stores and
TLBIs for all leaves out as well (`orders`).
"""

from __future__ import annotations

from typing import NamedTuple

from simbbm.arm64.machine import Arm64
from simbbm.arm64.state import Machine
from simbbm.core.system import Move
from simbbm.explore.certificate.counted import Fault
from simbbm.explore.certificate.orders import Able, first_of_boot, somebody_tells
from simbbm.explore.certificate.states import BOOT
from simbbm.explore.search.reductions.invalidations import as_one
from simbbm.model import Model


class Searched(NamedTuple):
    """What there is of one machine."""

    states: int
    ends: bool
    """No state is come back to, but by polls that change nothing: every run ends."""


def search(model: Model, *, reduced: bool = False) -> Searched:
    """All states; Fault if something is wrong with one, or nothing follows it.

    `reduced`: one order of the boot CPU's stores, and of its TLBIs, stands for all.
    """
    system, cpus = model.anew(relearn=True).system, model.params["cpus"]
    system.keeps_values = True
    first = system.initial()
    found: dict[Machine, int] = {first: 0}
    waiting, following = [first], dict[int, list[int]]()
    while waiting:
        state = waiting.pop()
        after = following[found[state]] = []
        moves = allowed(system, state, cpus)
        for move in _enough(system, state, moves) if reduced else moves:
            then = system.apply(state, move)
            then = _with_fewer_tlbis(system, then) if reduced else then
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


def _enough(system: Arm64, state: Machine, moves: tuple[Move, ...]) -> tuple[Move, ...]:
    """The moves without those of the boot CPU of which nobody can tell that they come later."""
    boot = _able(system, state, moves, BOOT)
    first = first_of_boot(system, state.memory, boot) if len(boot.moves) > 1 else None
    if first is None:
        return moves
    others = (_able(system, state, moves, n) for n in range(1, len(state.cpus)))
    if somebody_tells(system, state.memory, boot, first, others):
        return moves
    return (boot.moves[first.move], *(move for move in moves if move.cpu != BOOT))


def _able(system: Arm64, state: Machine, moves: tuple[Move, ...], number: int) -> Able:
    own = tuple(move for move in moves if move.cpu == number)
    after = tuple(system.apply(state, move).cpus[number] for move in own)
    return Able(number, state.cpus[number], own, after)


def _with_fewer_tlbis(system: Arm64, state: Machine) -> Machine:
    """Several TLBIs of the boot CPU are one on a CPU that holds nothing."""
    boot, *others = state.cpus
    try:
        return state._replace(cpus=(boot, *(as_one(system.shared, pe, BOOT) for pe in others)))
    except ValueError as error:
        raise Fault(str(error)) from None


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
