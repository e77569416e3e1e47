"""Makes a certificate of states, which somebody else can check (`listed`)."""

from __future__ import annotations

import simbbm
from simbbm.arm64.state import Machine
from simbbm.explore.certificate.file import VERSION, State, States
from simbbm.model import Model


def certificate_of_states(model: Model) -> States:
    """The certificate of a machine that was proved: all states, each with a way to get at it."""
    system = model.anew().system
    system.keeps_values = True
    first = system.initial()
    met: dict[Machine, None] = {first: None}
    states, waiting = [State(system.digest(first), 0, 0)], [first]
    for n, state in enumerate(waiting):
        for i, move in enumerate(system.moves(state)):
            after = system.apply(state, move)
            if after not in met:
                met[after] = None
                waiting.append(after)
                states.append(State(system.digest(after), n, i))
    return States(
        version=VERSION,
        simbbm=simbbm.__version__,
        scenario=model.scenario.id,
        params=dict(model.params),
        states=states,
    )
