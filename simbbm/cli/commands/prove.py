"""`simbbm prove`: every number of CPUs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec

import simbbm
from simbbm import discovery
from simbbm.campaign.answers.searches import Tell
from simbbm.check.verdict import Verdict
from simbbm.cli.certificates import refuse_certificate, written
from simbbm.cli.editing import edit_options
from simbbm.cli.exits import Exit, worst
from simbbm.cli.html_report import HtmlReport
from simbbm.cli.logs import SearchView
from simbbm.cli.options import (
    common,
    examples,
    ids_argument,
    limit_options,
    machine_option,
    parameters_option,
    witness_dir_option,
)
from simbbm.cli.verdicts import exit_of, keep, say
from simbbm.core.errors import UsageError
from simbbm.explore.every_n.certify import certificate_of
from simbbm.explore.every_n.prove import VIEWS, EveryN, ProverForAll
from simbbm.explore.search.breadth_first import Limits
from simbbm.explore.search.prove import counterexample_of
from simbbm.explore.witness.kept import Kept
from simbbm.model import Model
from simbbm.report.rows import VerdictRow
from simbbm.scenario import Scenario


@click.command(
    "prove",
    epilog=examples(
        "simbbm prove linear_map_split::good",
        "simbbm prove linear_map_split::good -p layout=pmd -p geometry=4k",
    ),
)
@ids_argument
@parameters_option
@machine_option
@limit_options
@click.option(
    "--views", "k", type=click.IntRange(2, 4), default=VIEWS, help="CPUs of a view. [default: 2]"
)
@click.option("--no-ample", is_flag=True, help="Take every move, whatever nobody can tell apart.")
@click.option(
    "--certificate",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write what was proved, for `simbbm verify`.",
)
@witness_dir_option
@common
@edit_options
def command(
    ids: tuple[str, ...],
    *,
    given: tuple[tuple[str, str], ...],
    max_states: int | None,
    max_seconds: float | None,
    max_memory: int | None,
    k: int,
    no_ample: bool,
    certificate: Path | None,
    witness_dir: Path,
    as_json: bool,
    log_format: str,
) -> int:
    """Prove a scenario for every number of CPUs.

    PROVED says that no schedule fails, on any number of CPUs. A failure is shown on the smallest
    number that has it. POSSIBLE says that a proof fails, and no machine was found that does: it is
    no answer. What a proof cannot be about is refused, with what to change.
    """
    refuse_a_number(given, "prove")
    limits = Limits(states=max_states, seconds=max_seconds, memory=max_memory)
    scenarios = discovery.select(ids)
    shown = Shown(witness_dir, log_format, as_json)
    return prove_each(scenarios, given, limits, shown, k, certificate, ample=not no_ample)


def refuse_a_number(given: tuple[tuple[str, str], ...], command: str) -> None:
    """UsageError if a number of CPUs is asked for, where the answer is about all of them."""
    if any(name == "cpus" for name, _ in given):
        raise UsageError(f"{command} is for every number of CPUs", "leave out -p cpus")


class Shown(NamedTuple):
    """Where answers go."""

    witness_dir: Path
    log_format: str
    as_json: bool
    report: HtmlReport | None = None


def prove_each(
    scenarios: Sequence[Scenario],
    given: tuple[tuple[str, str], ...],
    limits: Limits,
    shown: Shown,
    k: int = VIEWS,
    certificate: Path | None = None,
    *,
    ample: bool = True,
) -> Exit:
    """Prove scenarios one after another, and say what came of it."""
    refuse_certificate(certificate, len(scenarios))
    params = {name: value for name, value in given if name != "cpus"}
    codes: list[Exit] = []
    unwritten: UsageError | None = None
    for scenario in scenarios:
        every = scenario.parameters_from(params)
        with SearchView(shown.log_format).searching(scenario.id) as tell:
            far = partial(_how_far, tell)
            answer = ProverForAll(scenario, every, limits, k=k, ample=ample, tell=far).prove()
        kept = _kept(scenario, every, answer, shown.witness_dir)
        row = _row(scenario, every, answer, kept)
        if certificate and row.verdict == Verdict.PROVED:
            file, unwritten = _written(scenario, every, answer, certificate)
            row = msgspec.structs.replace(row, certificate=file)
        say(row, kept, _how(row, answer), as_json=shown.as_json)
        codes.append(Exit.INCONCLUSIVE if row.not_proved else exit_of(row))
        if shown.report:
            shown.report.add(row, kept, passed=codes[-1])
    if unwritten:
        raise unwritten
    return worst(codes)


def _how_far(tell: Tell, configurations: int) -> None:
    """Show how far a proof is."""
    tell(lambda: f"{configurations:,} configurations of views")


def _written(
    scenario: Scenario, params: Mapping[str, Any], answer: EveryN, path: Path
) -> tuple[str | None, UsageError | None]:
    """Write the certificate; returns where it is, or why it is not."""
    assert answer.closed is not None
    return written(certificate_of(answer.closed, scenario.id, params, answer.levels), path)


def _kept(
    scenario: Scenario, params: Mapping[str, Any], answer: EveryN, directory: Path
) -> Kept | None:
    """The witness of a counterexample."""
    if answer.failed is None:
        return None
    model = Model(scenario, {**params, "cpus": answer.cpus})
    witness = counterexample_of(model, answer.failed)
    return keep(witness, directory) if witness else None


def _row(
    scenario: Scenario, params: Mapping[str, Any], answer: EveryN, kept: Kept | None
) -> VerdictRow:
    failed = answer.failed
    return VerdictRow(
        scenario=scenario.id,
        params={**params, "cpus": "all" if failed is None else answer.cpus},
        mode="prove",
        verdict=answer.verdict,
        property=answer.property,
        expect=str(scenario.expect),
        expected=scenario.expect.met_by(answer.verdict, answer.property),
        message=answer.message or None,
        seconds=round(answer.seconds, 3),
        length=len(failed.run) if failed and failed.run is not None else None,
        certified=failed.certified if failed else None,
        cpus="all" if failed is None else answer.cpus,
        views=answer.views or None,
        shared_states=answer.shared_states or None,
        local_states=answer.local_states or None,
        glued=answer.glued or None,
        counters=list(answer.counters) or None,
        not_proved=["termination"] if answer.terminates is False else None,
        coverage={"few": [msgspec.to_builtins(proof.states) for proof in answer.few]},
        geometry=scenario.setup(scenario.parameters_from(params)).geometry.name,
        witness=str(kept.path) if kept and kept.path else None,
        token=kept.token if kept else None,
        digest=kept.witness.digest if kept else None,
        version=simbbm.__version__,
    )


def _how(row: VerdictRow, answer: EveryN) -> str:
    """How the answer was found."""
    if answer.failed is not None:
        return f"on {answer.cpus} CPUs, the smallest number that fails; {answer.seconds:.1f} s"
    searched = ", ".join(f"{proof.states:,}" for proof in answer.few)
    lines = []
    if row.verdict == Verdict.PROVED:
        layout = ", ".join(
            str(row.params[name]) for name in ("layout", "geometry") if name in row.params
        )
        ends = ", every run ends" if answer.terminates else ""
        lines.append(
            f"for every number of CPUs from 2 (safety, no deadlock{ends}; views of {answer.k}; "
            f"{layout or row.geometry}; counters {', '.join(answer.counters)})"
        )
    if answer.views:
        lines.append(
            f"{answer.views:,} views of {answer.shared_states:,} shared and "
            f"{answer.local_states:,} local states; {answer.glued:,} configurations, "
            f"{answer.seconds:.1f} s"
        )
    if searched:
        few = " and ".join(str(n) for n in range(2, len(answer.few) + 2))
        lines.append(f"{few} CPUs searched whole: {searched} states")
    if row.certificate:
        lines.append(f"certificate: {row.certificate}; check it with simbbm verify")
    if answer.terminates is False:
        lines.append(f"not proved: termination; may come again: {', '.join(answer.rounds[:5])}")
    return "\n  ".join(lines) or f"{answer.seconds:.1f} s"
