"""The same search without reductions: if the answers differ, simbbm has a defect."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from simbbm.check.verdict import Verdict
from simbbm.core.errors import ModelError
from simbbm.explore.counterexample.confirm import FAILURES
from simbbm.explore.search.attempt import Attempt
from simbbm.explore.search.breadth_first import Limits, Progress
from simbbm.explore.search.prove import Proof
from simbbm.model import Model


class CrossCheck(msgspec.Struct, frozen=True):
    """How far a search without reductions came; it has not contradicted the proof."""

    states: int
    same: bool
    """It has the same answer; otherwise it was stopped before it had one."""
    stopped: str | None
    """What kept it from visiting every state."""

    @property
    def told(self) -> str:
        """For people."""
        if self.same:
            return f"cross-checked: the same answer without reductions, in {self.states:,} states"
        return (
            f"cross-checked as far as {self.states:,} states without reductions: no other answer "
            f"({self.stopped})"
        )


def cross_check(
    model: Model,
    proof: Proof,
    limits: Limits,
    tell: Callable[[Progress], object] | None = None,
) -> CrossCheck:
    """Search without reductions as far as the limits allow; ModelError if that contradicts."""
    way = (proof.verdict, proof.property) if proof.verdict in FAILURES else None
    wanted = frozenset({(proof.verdict, str(proof.property))}) if way else None
    attempt = Attempt(model, limits, wanted, tell, symmetry=False, ample=False)
    searched = attempt.searched
    found = ", ".join(f"{f.verdict}:{f.problem.property}" for f in searched.failures)
    reduced = " and ".join(proof.reductions) or "nothing"
    claimed = f"{proof.verdict}:{proof.property}" if way else str(proof.verdict)
    if proof.verdict is Verdict.PROVED and searched.failures:
        raise _contradiction(model, claimed, reduced, f"{found}, among {searched.states:,}")
    if way and searched.complete and not any(f.kind == way for f in searched.failures):
        others = found or "nothing that fails"
        raise _contradiction(model, claimed, reduced, f"{others}, in all {searched.states:,}")
    met = any(f.kind == way for f in searched.failures) if way else searched.complete
    return CrossCheck(searched.states, met, searched.stopped)


def _contradiction(model: Model, claimed: str, reduced: str, found: str) -> ModelError:
    return ModelError(
        f"{model.scenario.id}: a search reduced by {reduced} says {claimed}, one without "
        f"reductions found {found} states"
    )
