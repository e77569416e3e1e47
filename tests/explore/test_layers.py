"""How many states a search first reaches at each distance."""

from __future__ import annotations

from typing import Any

from simbbm.core.graph import judge
from simbbm.explore.search.breadth_first import Limits
from simbbm.explore.search.prove import Prover
from simbbm.model import Model
from tests.scenarios.everything import GOOD


def test_layers_say_how_many_states_are_first_reached_at_each_distance() -> None:
    model = Model(GOOD, {"cpus": 2, "layout": "contpmd"})
    proof = Prover(model, symmetry=False, ample=False).prove()
    system = model.anew().system
    layer, known = {system.initial()}, set[Any]()
    sizes = []
    while layer:
        sizes.append(len(layer))
        known |= layer
        nodes = (state for state in layer if judge(system, state).ended is None)
        layer = {system.apply(s, move) for s in nodes for move in system.moves(s)} - known
    cut = Prover(model, Limits(states=700), symmetry=False, ample=False).prove()

    assert proof.layers == tuple(sizes)
    assert sum(cut.layers) == cut.states < proof.states
    assert cut.layers[:-1] == proof.layers[: len(cut.layers) - 1]
    assert cut.layers[-1] <= proof.layers[len(cut.layers) - 1]
