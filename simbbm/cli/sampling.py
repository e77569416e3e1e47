"""Many schedules of one scenario: what `stress` and `check` have in common."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import to_builtins

from simbbm.check.verdict import Verdict
from simbbm.cli.exits import Exit
from simbbm.cli.logs import configure, progress
from simbbm.cli.verdicts import Kept, exit_of, keep, sample_row
from simbbm.explore.runs.play import MAX_STEPS
from simbbm.model import Model
from simbbm.report.rows import VerdictRow

if TYPE_CHECKING:
    from simbbm.campaign.stress import StressResult


class Wanted(NamedTuple):
    """What the command line asks for, whatever the scenario."""

    runs: int | None
    time: float | None
    seed: int
    strategy: str
    max_steps: int | None
    jobs: int | None
    stop: str
    witness_dir: Path
    log_format: str


class Sampled(NamedTuple):
    """The answer of a campaign, with its text."""

    row: VerdictRow
    kept: Kept | None
    how: str
    interrupted: bool

    @property
    def exit(self) -> Exit:
        """The exit code that it asks for."""
        return Exit.INTERRUPTED if self.interrupted else exit_of(self.row)


def sample(model: Model, wanted: Wanted) -> Sampled:
    """Run many schedules of a model, and keep the first failing one as a witness."""
    from simbbm.campaign.stress import StressRequest, stress
    from simbbm.explore.witness.recording import witness_of

    configure(wanted.log_format)
    request = StressRequest(
        scenario_id=model.scenario.id,
        params=model.params,
        runs=wanted.runs,
        time=wanted.time,
        seed=wanted.seed,
        strategy=wanted.strategy,
        max_steps=wanted.max_steps or MAX_STEPS,
        jobs=wanted.jobs,
        stop="never" if wanted.stop == "never" else "first",
    )
    with progress(model.scenario.id, wanted.log_format) as on_progress:
        result = stress(request, on_progress)
    kept, interrupted = None, result.interrupted
    if result.first_failure is not None:
        plan, seed, number = wanted.strategy, wanted.seed, result.first_failure
        try:
            witness = witness_of(model, plan, seed, number, request.max_steps)
            kept = keep(witness, wanted.witness_dir)
        except KeyboardInterrupt:  # the row still says which run it is
            interrupted = True
    row = sample_row(
        model,
        result,
        kept,
        seed=wanted.seed,
        surprises=result.surprises,
        estimate=_estimate(result) if result.verdict is Verdict.SAMPLED else None,
    )
    notes = (f"note: {note}" for note in model.system.notes)
    return Sampled(row, kept, "\n  ".join((_how(result, wanted), *notes)), interrupted)


def _estimate(result: StressResult) -> dict[str, Any]:
    """What a sample says about unseen states and bugs, as numbers."""
    numbers: dict[str, Any] = {"pct": [to_builtins(b) | {"missed": b.missed} for b in result.pct]}
    if found := result.estimate:
        unseen = {"states": found.states, "unseen_per_run": found.unseen_per_run}
        numbers |= to_builtins(found) | unseen
    return numbers


def _how(result: StressResult, wanted: Wanted) -> str:
    """How the answer was found, in one line."""
    seen = f"seed {wanted.seed}, strategy {result.strategy}, {result.seconds:.1f} s"
    if result.first_failure is not None:
        failed = sum(result.failures.values())
        rate = f"{failed:,} of {result.runs:,} runs failed, the first is " if failed > 1 else ""
        met = "" if result.surprises is None else f" ({_surprises(result.surprises)})"
        return f"{rate}run {result.first_failure:,}{met}; {seen}"
    return f"{result.runs:,} runs, none failed; {seen}"


def _surprises(count: int) -> str:
    """How often the hardware was late, in words."""
    return f"it takes {count} hardware surprise{'' if count == 1 else 's'}"
