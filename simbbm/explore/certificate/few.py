"""Every state of a machine of few CPUs, one after another: nothing is left out, nothing reduced."""

from __future__ import annotations

from simbbm.arm64.state import Machine
from simbbm.explore.certificate.counted import Fault
from simbbm.model import Model


def search(model: Model) -> int:
    """How many states there are; Fault if something is wrong with one, or nothing follows it."""
    system, cpus = model.anew(relearn=True).system, model.params["cpus"]
    system.keeps_values = True
    first = system.initial()
    found: dict[Machine, None] = {first: None}
    waiting = [first]
    while waiting:
        state = waiting.pop()
        if problem := state.failure or system.problem(state):
            raise Fault(f"with cpus={cpus}: {problem.message}")
        moves = system.moves(state)
        if all(move.optional for move in moves):
            if all(cpu.finished for cpu in state.cpus):
                if problem := system.final_problem(state):
                    raise Fault(f"with cpus={cpus}: {problem.message}")
            else:
                raise Fault(f"with cpus={cpus}: {', '.join(system.unfinished(state))}")
        for move in moves:
            after = system.apply(state, move)
            if after not in found:
                found[after] = None
                waiting.append(after)
    system.recheck()
    return len(found)
