"""Checks a certificate of states: whether what it lists is closed, and nothing is wrong with it.

1. The first is the initial state; each other one is got at by the move that it names, from one
   before it, and has the digest that it names. None is listed twice.
2. Every move of every one leads to one that is listed.
3. In none a property fails, none is bad at the end, and in none somebody waits for ever.
4. If no state is come back to but by polls that change nothing, every run ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from simbbm.arm64.machine import Arm64
from simbbm.arm64.state import Machine
from simbbm.explore.certificate.counted import Fault
from simbbm.explore.certificate.few import allowed, is_without_cycle
from simbbm.explore.certificate.file import States
from simbbm.model import Model
from simbbm.scenario import Scenario


class Listed(NamedTuple):
    """What was checked, or what is wrong."""

    fault: str
    steps: int = 0
    ends: bool = False
    """Every run ends."""


def verify_states(
    certificate: States, scenario: Scenario, tell: Callable[[int], object] = lambda _: None
) -> Listed:
    """Check a certificate of states of a scenario."""
    try:
        return _checked(certificate, Model(scenario, certificate.params), tell)
    except Fault as fault:
        return Listed(str(fault))


def _checked(certificate: States, model: Model, tell: Callable[[int], object]) -> Listed:
    if model.params != certificate.params:
        raise Fault("it does not name all parameters")
    system, cpus = model.anew(relearn=True).system, model.params.get("cpus")
    system.keeps_values = True
    states = _rebuilt(certificate, system)
    place = {state: n for n, state in enumerate(states)}
    if len(place) < len(states):
        raise Fault("a state is listed twice")
    following: dict[int, list[int]] = {}
    steps = 0
    for n, state in enumerate(states):
        following[n] = []
        for move in allowed(system, state, cpus):
            then = place.get(system.apply(state, move))
            if then is None:
                raise Fault(f"{move.label} leads out of it, to a state that it does not list")
            if not (move.optional and then == n):
                following[n].append(then)
            steps += 1
            if steps % 10_000 == 0:
                tell(steps)
    system.recheck()
    return Listed("", steps, is_without_cycle(following))


def _rebuilt(certificate: States, system: Arm64) -> list[Machine]:
    """The states that it lists, by the moves that it names."""
    states: list[Machine] = []
    for n, listed in enumerate(certificate.states):
        state = system.initial()
        if n:
            if listed.before >= n:
                raise Fault("a state is got at from one that is not there yet")
            before = states[listed.before]
            moves = system.moves(before)
            if listed.move >= len(moves):
                raise Fault("a state is got at by a move that there is not")
            state = system.apply(before, moves[listed.move])
        if system.digest(state) != listed.digest:
            raise Fault(f"no move leads to the state {listed.digest}")
        states.append(state)
    if not states:
        raise Fault("it lists no state")
    return states
