"""Verdicts as rows, and how they were found in words: of one run, and of a search of all states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

import simbbm
from simbbm.check.verdict import Verdict
from simbbm.explore.counterexample.confirm import FAILURES
from simbbm.explore.runs.play import Run
from simbbm.explore.witness.kept import Kept
from simbbm.host.amounts import amount
from simbbm.model import Model
from simbbm.report.rows import VerdictRow

if TYPE_CHECKING:
    from simbbm.explore.search.prove import Proof


def basis(model: Model, kept: Kept | None) -> dict[str, Any]:
    """What rows of every mode have."""
    return {
        "scenario": model.scenario.id,
        "params": model.params,
        "expect": str(model.scenario.expect),
        "geometry": model.setup.geometry.name,
        "certified": False if kept else None,
        "witness": str(kept.path) if kept and kept.path else None,
        "token": kept.token if kept else None,
        "version": simbbm.__version__,
    }


def run_row(run: Run, kept: Kept | None, **more: Any) -> VerdictRow:
    """The row of one run."""
    failed = run.verdict in FAILURES
    return VerdictRow(
        **basis(run.model, kept),
        mode="run",
        verdict=run.verdict,
        property=run.property,
        expected=run.expected,
        message=run.message or run.doubt,
        runs=1,
        runs_requested=1,
        failures=int(failed),
        steps=run.steps,
        length=run.steps if failed else None,
        digest=run.digest,
        **more,
    )


def search_row(model: Model, proof: Proof, kept: Kept | None) -> VerdictRow:
    """The row of a search of all states."""
    return VerdictRow(
        **basis(model, kept) | {"certified": proof.certified},
        mode="explore",
        verdict=proof.verdict,
        property=proof.property,
        expected=model.scenario.expect.met_by(proof.verdict, proof.property),
        message=proof.message or None,
        seconds=round(proof.seconds, 3),
        states=proof.states,
        transitions=proof.transitions,
        layers=list(proof.layers),
        length=len(proof.run) if proof.run is not None else None,
        loop=proof.loop,
        termination=msgspec.to_builtins(proof.termination),
        reductions=list(proof.reductions),
        coverage={
            "labels": proof.labels,
            "never": list(proof.never),
            "landmarks": proof.landmarks,
            "also": [f"{verdict}:{name}" for verdict, name in proof.also],
            "notes": list(proof.notes),
        },
        digest=kept.witness.digest if kept else None,
    )


def search_text(params: Mapping[str, Any], proof: Proof) -> str:
    """How the answer was found: states visited, how they were stored, reductions."""
    reduced = " and ".join(proof.reductions)
    lines = [
        f"{amount(proof.states, 'state')}, {amount(proof.transitions, 'transition')}, "
        f"{proof.seconds:.1f} s; "
        "an exact store; " + (f"reduced by {reduced}" if reduced else "no reductions")
    ]
    if proof.run is not None:
        lines.append(_length(proof.run, proof.loop, certified=proof.certified is True))
    lines += [f"note: {note}" for note in proof.notes]
    if proof.also:
        lines.append("also met: " + ", ".join(f"{verdict}:{name}" for verdict, name in proof.also))
    if proof.verdict is Verdict.PROVED:
        lines += [f"{amount(count, 'state')}: {name}" for name, count in proof.landmarks.items()]
        lines.append(f"{proof.labels} steps of the programs were reached{_missed(proof)}")
        lines += _ends(params, proof)
    return "\n  ".join(lines)


def _length(run: tuple[int, ...], loop: int | None, *, certified: bool) -> str:
    if loop is None:
        return f"{amount(len(run), 'step')}, " + (
            "no shorter one exists" if certified else "a shorter one may exist"
        )
    shortest = "no shorter way leads into one" if certified else "a shorter way may exist"
    around = len(run) - loop
    return f"{amount(loop, 'step')}, then a round of {around} that may go on for ever; {shortest}"


def _ends(params: Mapping[str, Any], proof: Proof) -> Iterator[str]:
    """What is known about runs without end."""
    known = proof.termination
    if known is None:
        return
    here = known.cpus is not None and known.cpus >= params.get("cpus", known.cpus)
    if here and known.cycles == 0:
        yield "no run can go on for ever: its states have no cycle"
        return
    if known.cpus is not None:
        yield (
            f"cpus={known.cpus}: no run may stay in a round for ever, whatever hardware chooses "
            f"({known.cycles:,} components of states with a cycle, none of them fair)"
        )
    if not here:
        yield (
            "here an end can be reached from every state; whether hardware can keep a run from it "
            "was not found out: too many states (--max-states)"
        )


def _missed(proof: Proof) -> str:
    if not proof.never:
        return "; none of their functions awaits anything else"
    return "; never reached:\n    " + "\n    ".join(proof.never)
