"""What a counterexample needs of the hardware, and how likely it is."""

from __future__ import annotations

from simbbm.core.graph import Ended
from simbbm.explore.counterexample.allowances import allowances
from simbbm.explore.counterexample.explanation import STATES, Explanation
from simbbm.explore.counterexample.probability import curve
from simbbm.explore.runs.exact import followed
from simbbm.explore.runs.replay import COUNTEREXAMPLES
from simbbm.explore.search.fewest import fewest_surprises
from simbbm.explore.witness.record import Witness
from simbbm.model import Model


def explain(
    witness: Witness, model: Model, states: int = STATES, curve_states: int | None = None
) -> Explanation | None:
    """Explain a counterexample that replays exactly; None if it is a run of another kind.

    `states` limits each search, `curve_states` (None: the same) that for the probabilities.
    """
    if witness.verdict not in COUNTEREXAMPLES:
        return None
    assert witness.property is not None
    run = followed(witness, model).moves
    curve_states = curve_states or states
    return Explanation(
        states,
        allowances(witness, model, run, states),
        curve(witness, model, run, curve_states),
        None
        if witness.loop is not None
        else fewest_surprises(model.system, Ended(witness.verdict.value), witness.property, states),
        curve_states,
    )
