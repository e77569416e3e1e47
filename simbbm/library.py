"""The commands as functions, for programs that use simbbm: nothing is printed, no file is written.

A scenario is given by its id (`"linear_map_split::good"`, `"mine.py::good"`) or as it stands in a
module; its parameters as the command line has them (`{"cpus": 2}`), the others are the defaults. An
error is a `SimbbmError` of one line, by whose fault it is: `UsageError` for what the caller did (an
unknown id, parameter or file), `ScenarioError` for what a scenario's author did,
`ReplayDivergence` for a witness that does not fit its scenario any more, `ModelError` for a defect
of simbbm's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Literal, TypeVar, overload

import msgspec

from simbbm import discovery
from simbbm.arm64.features import Features
from simbbm.check.verdict import Verdict, settles
from simbbm.core.errors import (
    ModelError,
    ReplayDivergence,
    ScenarioError,
    SimbbmError,
    UsageError,
)
from simbbm.explore.witness.record import Witness
from simbbm.model import Model
from simbbm.scenario import Scenario

if TYPE_CHECKING:
    from simbbm.campaign.stress import StressResult
    from simbbm.explore.counterexample.shrink import Shrunk
    from simbbm.explore.runs.play import Run
    from simbbm.explore.runs.replay import Replay
    from simbbm.explore.search.prove import Proof

Parameters = Mapping[str, int | str | Features]
"""By name; `cpu1` is what CPU 1 implements, in place of what the scenario gives it."""
Details_co = TypeVar("Details_co", "Proof", "StressResult", "Run", covariant=True)
MAX_STEPS = 100_000


@dataclass(frozen=True, kw_only=True)
class Answer(Generic[Details_co]):
    """The answer of `check`, `explore`, `stress` or `run`."""

    scenario: str
    """Its id."""
    params: Mapping[str, int | str]
    """Every parameter's value."""
    verdict: Verdict
    property: str | None
    """The property that is broken, of VIOLATED and STUCK; else None."""
    message: str
    """What went wrong, or what kept it from an answer; may be empty."""
    expected: bool | None
    """Whether that is what the scenario expects; None: it says nothing either way."""
    passed: bool | None
    """As `expected`; but None for a sample of a scenario that claims a proof (`evidence`)."""
    witness: Witness | None
    """The counterexample or, of `run`, the run."""
    details: Details_co
    """The evidence: states and reductions of a search, counts of a sample, one run's digest."""


def check(
    scenario: Scenario | str,
    params: Parameters | None = None,
    *,
    max_states: int = 100_000,
    max_seconds: float = 60.0,
    runs: int = 10_000,
    seed: int = 0,
    jobs: int | None = None,
) -> Answer[Proof] | Answer[StressResult]:
    """Hold a `scenario` against what is expected of it: a proof if the limits allow, else a sample.

    That is `explore` with `params` as far as `max_states` and `max_seconds`; if it gives no answer,
    `stress` with `runs`, `seed` and `jobs`. Returns either's `Answer`. Raises UsageError and
    ScenarioError.
    """
    answer = explore(scenario, params, max_states=max_states, max_seconds=max_seconds)
    if answer.verdict is not Verdict.INCONCLUSIVE:
        return answer
    return stress(scenario, params, runs=runs, seed=seed, jobs=jobs)


def kernel_image(path: str | Path, name: str = "linear_map_split") -> Scenario:
    """The scenario of a kernel image: its own machine code, to be asked about like any other.

    `path` is an arm64 Image, packed or not, or a vmlinux; `name` that of the scenario. Raises
    UsageError if the file is no kernel that splits its linear map.
    """
    return discovery.find(f"{path}::{name}")


def explore(
    scenario: Scenario | str,
    params: Parameters | None = None,
    *,
    max_states: int | None = None,
    max_seconds: float | None = None,
    max_memory: int | None = None,
    symmetry: bool = True,
    ample: bool = True,
) -> Answer[Proof]:
    """Visit every state that any schedule of a `scenario` with `params` can lead to.

    It gives up after `max_states`, `max_seconds` or `max_memory` (bytes of the process) and then
    says INCONCLUSIVE; else PROVED, or VIOLATED or STUCK with a nearest counterexample. Without
    `symmetry` CPUs that are alike are told apart, without `ample` every move is taken in every
    state. `details` is a `Proof`. Raises UsageError and ScenarioError.
    """
    from simbbm.explore.search.breadth_first import Limits
    from simbbm.explore.search.prove import Prover, counterexample_of

    limits = Limits(states=max_states, seconds=max_seconds, memory=max_memory)
    model = _asked(scenario, params)
    proof = Prover(model, limits, symmetry=symmetry, ample=ample).prove()
    witness = counterexample_of(model, proof)
    return _answer(model, proof, witness, expected=_expected(model, proof))


def stress(
    scenario: Scenario | str,
    params: Parameters | None = None,
    *,
    runs: int | None = 10_000,
    seconds: float | None = None,
    seed: int = 0,
    strategy: str = "default",
    max_steps: int = MAX_STEPS,
    jobs: int | None = None,
    stop: Literal["first", "never"] = "first",
) -> Answer[StressResult]:
    """Run many schedules: `runs` of them, or for some `seconds`, or whichever comes first.

    Each run of the `scenario` with `params` ends after `max_steps` at the latest. `seed` decides,
    not how many processes work (`jobs`, by default one a core). They find the scenario by its id,
    or in the file that it stands in. Runs that all hold are SAMPLED, never a proof. `strategy` is a
    name of the command line's, `stop` whether the first failing run ends it. `details` is a
    `StressResult`. Raises UsageError and ScenarioError.
    """
    from simbbm.campaign.stress import StressRequest
    from simbbm.campaign.stress import stress as run_all
    from simbbm.explore.witness.recording import witness_of

    model = _asked(scenario, params)
    request = StressRequest(
        scenario_id=model.scenario.id,
        params=model.params,
        runs=runs,
        time=seconds,
        seed=seed,
        strategy=strategy,
        max_steps=max_steps,
        jobs=jobs,
        stop=stop,
    )
    result = run_all(request)
    witness, number = None, result.first_failure
    if number is not None:
        witness = witness_of(model, strategy, seed, number, max_steps)
    return _answer(model, result, witness, expected=_expected(model, result))


def run(
    scenario: Scenario | str,
    params: Parameters | None = None,
    *,
    seed: int = 0,
    strategy: str = "default",
    number: int = 0,
    max_steps: int = MAX_STEPS,
) -> Answer[Run]:
    """Run one schedule of a `scenario` with `params`.

    It is the one with this `number` of `stress` with the same `seed` and `strategy`. HOLDS says
    nothing of other schedules. `witness` is the run, also when it holds, `details` its `Run`.
    One that reaches `max_steps` is INCONCLUSIVE, unless it can be seen to go round for ever
    (STUCK). Raises UsageError and ScenarioError.
    """
    from simbbm.explore.runs.run import run_one
    from simbbm.explore.strategies.named import strategy as named
    from simbbm.explore.witness.recording import Found, witness_from

    model, plan = _asked(scenario, params), named(strategy)
    result = run_one(model, plan, seed, number, max_steps)
    witness = witness_from(result, Found(plan.name, seed, number))
    return _answer(model, result, witness, expected=result.expected)


def replay(witness: Witness | str | Path, scenario: Scenario | str | None = None) -> Replay:
    """Follow a `witness` (a record, a token or a file) and say whether it shows what it showed.

    `scenario` is needed for a witness of a user's file, which is a program and is not run because
    somebody's witness says so. Of what is returned `result` is REPRODUCED, STALE or DIVERGED, and
    `how` says by what kind of replay. Raises UsageError for what is no witness, or is one of
    another scenario.
    """
    from simbbm.explore.runs.replay import replay as follow

    return follow(*_recorded(witness, scenario))


def shrink(
    witness: Witness | str | Path,
    scenario: Scenario | str | None = None,
    *,
    max_states: int = 20_000,
) -> Shrunk:
    """Make a counterexample small; verdict and property stay.

    `witness` and `scenario` are as in `replay`. Returns a record with the small `witness` and
    whether it is `certified` to be a shortest one, which takes that no search needs more than
    `max_states`. Raises ReplayDivergence if the witness does not reproduce, UsageError if it is no
    counterexample.
    """
    from simbbm.explore.counterexample.shrink import shrink as made_small

    return made_small(*_recorded(witness, scenario), max_states)


@overload
def show(
    witness: Witness | str | Path,
    scenario: Scenario | str | None = None,
    *,
    form: Literal["columns", "ftrace", "html", "json", "mermaid"] = "columns",
    width: int = 100,
    everything: bool = False,
    max_states: int = 5_000,
) -> str: ...


@overload
def show(
    witness: Witness | str | Path,
    scenario: Scenario | str | None = None,
    *,
    form: Literal["perfetto"],
    width: int = 100,
    everything: bool = False,
    max_states: int = 5_000,
) -> bytes: ...


def show(
    witness: Witness | str | Path,
    scenario: Scenario | str | None = None,
    *,
    form: str = "columns",
    width: int = 100,
    everything: bool = False,
    max_states: int = 5_000,
) -> str | bytes:
    """Tell a `witness` in a `form`: what `simbbm show --as` writes, in text without colours.

    By default that is columns, one a CPU, with lines of at most `width` characters; `html` is a
    page, `json` the whole trace, `mermaid` a diagram, `ftrace` text for other tools and `perfetto`
    (bytes) a trace. Steps that do not matter for the end are left out unless `everything` is asked
    for. What the failure needs, and how likely it is, is looked for in `max_states`. `scenario` as
    in `replay`. Raises ReplayDivergence if the witness does not fit the scenario any more,
    UsageError for a form that there is not, or that needs a package which is not installed.
    """
    from simbbm.report.forms import Request, require, whole, written
    from simbbm.report.told.case import Case

    require(form)
    recorded = _recorded(witness, scenario)
    case = Case(recorded[0], lambda: recorded, states=max_states)
    return whole(written(form, Request(case, everything=everything, width=width)))


def _asked(scenario: Scenario | str, params: Parameters | None) -> Model:
    """The model of a scenario with its id."""
    return Model(discovery.identified(scenario), params)


def _recorded(
    witness: Witness | str | Path, scenario: Scenario | str | None
) -> tuple[Witness, Model]:
    """The witness with all parameters, and its model."""
    from simbbm.explore.runs.replay import model_of
    from simbbm.explore.witness.files import read
    from simbbm.recorded import recorded

    found = witness if isinstance(witness, Witness) else read(str(witness))
    if scenario is None:
        return recorded(found, (), "if you trust it, say which scenario it is of")
    model = model_of(found, discovery.identified(scenario))
    return msgspec.structs.replace(found, params=model.params), model


def _expected(model: Model, details: Proof | StressResult) -> bool | None:
    return model.scenario.expect.met_by(details.verdict, details.property)


def _answer(
    model: Model,
    details: Details_co,
    witness: Witness | None,
    *,
    expected: bool | None,
) -> Answer[Details_co]:
    settled = settles(details.verdict, proof_due=model.scenario.claims_proof(model.params))
    return Answer(
        scenario=model.scenario.id,
        params=model.params,
        verdict=details.verdict,
        property=details.property,
        message=details.message,
        expected=expected,
        passed=expected if settled or expected is False else None,
        witness=witness,
        details=details,
    )


__all__ = [
    "Answer",
    "ModelError",
    "ReplayDivergence",
    "ScenarioError",
    "SimbbmError",
    "UsageError",
    "Verdict",
    "Witness",
    "check",
    "explore",
    "kernel_image",
    "replay",
    "run",
    "show",
    "shrink",
    "stress",
]
