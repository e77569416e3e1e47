"""Ablations as rows: one after another in this process, or side by side in workers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from simbbm import discovery
from simbbm.campaign.answers.in_order import in_order
from simbbm.explore.counterexample.ablate import Ablation, Task, ablate
from simbbm.explore.search.breadth_first import Limits
from simbbm.explore.search.prove import counterexample_of
from simbbm.explore.witness.kept import Kept, keep
from simbbm.report.rows import PAIR, AblationRow


class Wanted(NamedTuple):
    """Changes to be searched within limits of them all, and where a counterexample is kept."""

    task: Task
    limits: Limits
    began: float
    """When the first search began, by the monotonic clock, which a machine's processes share."""
    witness_dir: Path

    def __str__(self) -> str:
        return f"{self.task.scenario} without {_step(self.task)}"


class Ablated(NamedTuple):
    """The answer, and its counterexample."""

    row: AblationRow
    kept: Kept | None


def ablations(every: Sequence[Wanted], jobs: int | None) -> Iterator[Ablated]:
    """Yield the answers in order (`in_order`)."""
    return in_order(ablated, _unanswered, every, jobs)


def ablated(wanted: Wanted) -> Ablated:
    """Make one search, and keep its counterexample."""
    task = wanted.task._replace(limits=wanted.limits.left(wanted.began))
    ablation = ablate(discovery.find(task.scenario), task)
    kept = _kept(ablation, wanted.witness_dir)
    proof = ablation.proof
    row = _row(
        task,
        result=ablation.result,
        verdict=proof.verdict if proof else None,
        property=proof.property if proof else None,
        length=len(proof.run) if proof and proof.run is not None else None,
        witness=str(kept.path) if kept and kept.path else None,
        token=kept.token if kept else None,
        why=ablation.why or None,
        states=proof.states if proof else None,
    )
    return Ablated(row, kept)


def _row(task: Task, **found: Any) -> AblationRow:
    """The row of some changes, with what was found out about them."""
    change = PAIR.join(change.change for change in task.changes)
    return AblationRow(
        scenario=task.scenario, params=task.params, step=_step(task), change=change, **found
    )


def _kept(ablation: Ablation, folder: Path) -> Kept | None:
    if ablation.model is None or ablation.proof is None:
        return None
    witness = counterexample_of(ablation.model, ablation.proof)
    return keep(witness, folder) if witness else None


def _step(task: Task) -> str:
    return PAIR.join(change.step.replace("#1", "") for change in task.changes)


def _unanswered(wanted: Wanted, why: str, *, interrupted: bool) -> Ablated:
    """The answer for changes whose worker was lost while it searched."""
    if interrupted:
        raise KeyboardInterrupt
    return Ablated(_row(wanted.task, result="inconclusive", why=why), None)
