"""Many schedules of one scenario, as a row: what `stress` and `check` have in common."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from msgspec import to_builtins

from simbbm.check.verdict import Verdict
from simbbm.explore.witness.kept import Kept, keep
from simbbm.explore.witness.recording import witness_of
from simbbm.host.amounts import amount
from simbbm.model import Model
from simbbm.report.rows import VerdictRow
from simbbm.report.verdict_rows import basis

if TYPE_CHECKING:
    from simbbm.campaign.stress import Progress, StressResult
    from simbbm.explore.strategies.estimate import Estimate
    from simbbm.explore.strategies.pct_bound import PctBound


class Sampling(NamedTuple):
    """What is asked for, whatever the scenario."""

    runs: int | None
    time: float | None
    seed: int
    strategy: str
    max_steps: int
    jobs: int | None
    stop: Literal["first", "never"]
    witness_dir: Path


class Sampled(NamedTuple):
    """The answer of a campaign, with its text."""

    row: VerdictRow
    kept: Kept | None
    how: str
    interrupted: bool


def sample(
    model: Model, wanted: Sampling, on_progress: Callable[[Progress], object] | None = None
) -> Sampled:
    """Run many schedules of a model, and keep the first failing one as a witness."""
    # asyncio and multiprocessing take longer to import than many a search that needs no sample.
    from simbbm.campaign.stress import StressRequest, stress  # noqa: PLC0415

    request = StressRequest(
        scenario_id=model.scenario.id,
        params=model.params,
        runs=wanted.runs,
        time=wanted.time,
        seed=wanted.seed,
        strategy=wanted.strategy,
        max_steps=wanted.max_steps,
        jobs=wanted.jobs,
        stop=wanted.stop,
    )
    result = stress(request, on_progress)
    kept, interrupted = None, result.interrupted
    if result.first_failure is not None:
        plan, seed, number = wanted.strategy, wanted.seed, result.first_failure
        try:
            witness = witness_of(model, plan, seed, number, request.max_steps)
            kept = keep(witness, wanted.witness_dir)
        except KeyboardInterrupt:  # the row still says which run it is
            interrupted = True
    notes = (f"note: {note}" for note in model.system.notes)
    how = "\n  ".join((_how(result, wanted), *notes))
    return Sampled(_row(model, result, kept, wanted.seed), kept, how, interrupted)


def _row(model: Model, result: StressResult, kept: Kept | None, seed: int) -> VerdictRow:
    sampled = result.verdict is Verdict.SAMPLED
    return VerdictRow(
        **basis(model, kept),
        mode="sample",
        verdict=result.verdict,
        property=result.property,
        expected=model.scenario.expect.met_by(result.verdict, result.property),
        message=result.message or None,
        seconds=round(result.seconds, 3),
        runs=result.runs,
        runs_requested=result.runs_requested,
        failures=sum(result.failures.values()),
        first_failure=result.first_failure,
        steps=result.steps,
        length=result.failure.steps if result.failure else None,
        strategy=result.strategy,
        digest=result.failure.digest if result.failure else result.digest,
        seed=seed,
        surprises=result.surprises,
        estimate=numbers_of(result.pct, result.estimate) if sampled else None,
    )


def numbers_of(pct: tuple[PctBound, ...], estimate: Estimate | None) -> dict[str, Any]:
    """What a sample says about unseen states and bugs, as numbers."""
    numbers: dict[str, Any] = {"pct": [to_builtins(b) | {"missed": b.missed} for b in pct]}
    if estimate:
        unseen = {"states": estimate.states, "unseen_per_run": estimate.unseen_per_run}
        numbers |= to_builtins(estimate) | unseen
    return numbers


def _how(result: StressResult, wanted: Sampling) -> str:
    """How the answer was found, in one line."""
    seen = f"seed {wanted.seed}, strategy {result.strategy}, {result.seconds:.1f} s"
    if result.first_failure is not None:
        failed = sum(result.failures.values())
        rate = f"{failed:,} of {result.runs:,} runs failed, the first is " if failed > 1 else ""
        met = "" if result.surprises is None else f" ({_surprises(result.surprises)})"
        return f"{rate}run {result.first_failure:,}{met}; {seen}"
    return f"{amount(result.runs, 'run')}, none failed; {seen}"


def _surprises(count: int) -> str:
    """How often the hardware was late, in words."""
    return f"it takes {amount(count, 'hardware surprise')}"
