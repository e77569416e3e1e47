"""The assertion of a property test: what was drawn holds under every schedule."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from hypothesis import currently_in_test_context, event, reject

from simbbm import discovery
from simbbm.check.verdict import Expectation, Verdict
from simbbm.core.errors import UsageError
from simbbm.explore.search.breadth_first import Limits
from simbbm.explore.search.prove import Proof, Prover, counterexample_of
from simbbm.model import Model
from simbbm.report.columns import render
from simbbm.report.told.telling import tell
from simbbm.scenario import Scenario, Setup

WIDTH = 100


class DoesNotHoldError(AssertionError):
    """A schedule breaks a property; as text, the nearest such schedule in columns.

    The columns are made when they are asked for: Hypothesis tries many scenarios that fail, and
    shows one.
    """

    def __init__(self, model: Model, proof: Proof) -> None:
        super().__init__(f"{proof.verdict}:{proof.property}")
        self.model = model
        self.proof = proof

    @cached_property
    def told(self) -> str:
        """What is wrong, and the schedule."""
        lines = [f"{self.proof.verdict}:{self.proof.property}: {self.proof.message}"]
        lines += [f"  {name}={value}" for name, value in self.model.params.items()]
        witness = counterexample_of(self.model, self.proof)
        if witness is not None:
            lines += [line.text for line in render(tell(witness, self.model), width=WIDTH)]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.told


def must_hold(
    what: Setup | Scenario | str,
    params: Mapping[str, Any] | None = None,
    *,
    max_states: int = 5_000,
) -> Proof:
    """Raise DoesNotHoldError, an AssertionError, unless every schedule keeps every property.

    `what` is a machine (`Setup`), or a scenario or its id with parameters. One with more than
    `max_states` states is not judged: Hypothesis takes another, counts it in its statistics, and
    complains if most are like that; outside of a property test it is a UsageError.
    """
    if isinstance(what, Setup):
        model = Model(Scenario(lambda: what, "Drawn at random.", Expectation(), ()), params)
    else:
        model = Model(discovery.find(what) if isinstance(what, str) else what, params)
    proof = Prover(model, Limits(states=max_states)).prove()
    drawn = currently_in_test_context()
    if proof.verdict is Verdict.INCONCLUSIVE:
        if not drawn:
            raise UsageError(f"there are more than {max_states:,} states", "raise max_states")
        event("simbbm: too many states")
        reject()
    if drawn:
        event(f"simbbm: {proof.verdict}")
    if proof.verdict is not Verdict.PROVED:
        raise DoesNotHoldError(model, proof)
    return proof
