"""An exhaustive search of one scenario: what `explore` and `check` have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click
import msgspec

import simbbm
from simbbm.check.verdict import Verdict
from simbbm.cli.exits import Exit
from simbbm.cli.logs import searching
from simbbm.cli.options import Count, Duration, Size
from simbbm.cli.verdicts import Kept, exit_of, keep
from simbbm.explore.runs.run import run_one
from simbbm.explore.search.attempt import Interrupted
from simbbm.explore.search.breadth_first import Limits
from simbbm.explore.search.cross_check import cross_check
from simbbm.explore.search.prove import Proof, Prover, collision_bound, counterexample_of
from simbbm.model import Model
from simbbm.report.rows import VerdictRow

if TYPE_CHECKING:
    from simbbm.explore.witness.recording import Witness

F = TypeVar("F", bound=Callable[..., Any])


class Bounds(NamedTuple):
    """What the command line asks for, whatever the scenario."""

    limits: Limits
    symmetry: bool
    ample: bool
    witness_dir: Path
    log_format: str
    explains: bool = False
    """Whether a counterexample is explained, which takes a few more searches."""
    alone: bool = True
    """Whether no other search is made at the same time."""
    cross_check: bool = False
    """Whether everything is searched once more without reductions."""


class Proven(NamedTuple):
    """The answer of a search of one scenario, with its text."""

    row: VerdictRow
    kept: Kept | None
    how: str
    interrupted: bool
    lost: bool = False
    """Whether the process that searched ended before it had an answer."""

    @property
    def exit(self) -> Exit:
        """The exit code that it asks for."""
        return Exit.INTERRUPTED if self.interrupted else exit_of(self.row)


def limit_options(function: F) -> F:
    """Give a command the limits of a search."""
    for name, kind, text in (
        ("--max-memory", Size(), "Give up when this much memory is in use, e.g. 2g."),
        ("--max-seconds", Duration(), "Give up after this long, e.g. 30s or 10m."),
        ("--max-states", Count(), "Give up after this many states, e.g. 100k."),
    ):
        function = click.option(name, type=kind, help=text)(function)
    return function


def cross_check_option(function: F) -> F:
    """Give a command `--cross-check`."""
    text = "Search again without reductions, as far as the limits go: two answers must not differ."
    return click.option("--cross-check", is_flag=True, help=text)(function)


def prove(model: Model, bounds: Bounds) -> Proven:
    """Search a model's states, and keep a counterexample as a witness."""

    def longest() -> int:
        return run_one(model, "polite", seed=0).steps

    name, interrupted = model.scenario.id, False
    with searching(name, bounds.log_format, alone=bounds.alone, longest=longest) as tell:
        prover = Prover(
            model,
            bounds.limits,
            tell,
            symmetry=bounds.symmetry,
            ample=bounds.ample,
        )
        proof, crossed = None, None
        try:
            proof = prover.prove()
            if bounds.cross_check:
                crossed = cross_check(model, proof, bounds.limits, tell)
        except Interrupted as cut:
            proof, interrupted = proof or prover.proof(cut.attempt), True
    witness = counterexample_of(model, proof)
    kept = keep(witness, bounds.witness_dir) if witness else None
    row, how = _row(model, proof, kept), _how(model.params, proof)
    if crossed:
        coverage = {**(row.coverage or {}), "cross_check": msgspec.to_builtins(crossed)}
        row = msgspec.structs.replace(row, coverage=coverage)
        how = f"{how}\n  {crossed.told}"
    if kept and bounds.explains and not interrupted:
        try:
            row, how = _explained(row, how, kept.witness, model)
        except KeyboardInterrupt:  # what was found stays found
            interrupted = True
    return Proven(row, kept, how, interrupted)


def _explained(row: VerdictRow, how: str, witness: Witness, model: Model) -> tuple[VerdictRow, str]:
    """Add what the counterexample needs of the hardware, and how likely it is."""
    from simbbm.explore.counterexample.explain import explain
    from simbbm.report.explanation import sentences, summary

    explained = explain(witness, model)
    if explained is None:
        return row, how
    row = msgspec.structs.replace(row, **summary(explained))
    return row, "\n  ".join((how, *sentences(explained)))


def _row(model: Model, proof: Proof, kept: Kept | None) -> VerdictRow:
    expect = model.scenario.expect
    return VerdictRow(
        scenario=model.scenario.id,
        params=model.params,
        mode="explore",
        verdict=proof.verdict,
        property=proof.property,
        expect=str(expect),
        expected=expect.met_by(proof.verdict, proof.property),
        message=proof.message or None,
        seconds=round(proof.seconds, 3),
        states=proof.states,
        transitions=proof.transitions,
        length=len(proof.run) if proof.run is not None else None,
        loop=proof.loop,
        termination=msgspec.to_builtins(proof.termination),
        certified=proof.certified,
        reductions=list(proof.reductions),
        coverage={
            "labels": proof.labels,
            "never": list(proof.never),
            "landmarks": proof.landmarks,
            "also": [f"{verdict}:{name}" for verdict, name in proof.also],
            "collision": collision_bound(proof),
            "notes": list(proof.notes),
        },
        geometry=model.setup.geometry.name,
        witness=str(kept.path) if kept and kept.path else None,
        token=kept.token if kept else None,
        digest=kept.witness.digest if kept else None,
        version=simbbm.__version__,
    )


def _how(params: Mapping[str, Any], proof: Proof) -> str:
    """How the answer was found: states visited, how they were stored, reductions."""
    exact = "an exact store"
    if proof.hashed:
        exact = f"128-bit hashes, two states taken for one with p < {collision_bound(proof):.1g}"
    reduced = " and ".join(proof.reductions)
    lines = [
        f"{proof.states:,} states, {proof.transitions:,} transitions, {proof.seconds:.1f} s; "
        f"{exact}; " + (f"reduced by {reduced}" if reduced else "no reductions")
    ]
    if proof.run is not None:
        lines.append(_length(proof.run, proof.loop, certified=proof.certified is True))
    lines += [f"note: {note}" for note in proof.notes]
    if proof.also:
        lines.append("also met: " + ", ".join(f"{verdict}:{name}" for verdict, name in proof.also))
    if proof.verdict is Verdict.PROVED:
        lines += [f"{count:,} states: {name}" for name, count in proof.landmarks.items()]
        lines.append(f"{proof.labels} steps of the programs were reached{_missed(proof)}")
        lines += _ends(params, proof)
    return "\n  ".join(lines)


def _length(run: tuple[int, ...], loop: int | None, *, certified: bool) -> str:
    if loop is None:
        return f"{len(run)} steps, " + (
            "no shorter one exists" if certified else "a shorter one may exist"
        )
    shortest = "no shorter way leads into one" if certified else "a shorter way may exist"
    around = len(run) - loop
    return f"{loop} steps, then a round of {around} that may go on for ever; {shortest}"


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
