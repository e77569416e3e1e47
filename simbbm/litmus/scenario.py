"""A litmus test as a scenario: what runs, shows and replays scenarios does so with tests too.

Its id is `path/to/file.jsonl::name`. Its one property says that no execution ends in the condition;
a test whose verdict is `allowed` is expected to violate it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from simbbm.arm64.features import Hardware
from simbbm.arm64.machine import Arm64, MachineSpec
from simbbm.arm64.state import Machine
from simbbm.arm64.translation.constant import constant_pages
from simbbm.check.verdict import Expectation, Verdict
from simbbm.core.errors import UsageError
from simbbm.core.system import Problem
from simbbm.host.reading import is_file, quoted
from simbbm.litmus.files import read_file
from simbbm.litmus.made import AnyTest, Made, made
from simbbm.litmus.setup import HARDWARE, NEVER_REACHED, WINDOW, Options
from simbbm.scenario import Parameter, Scenario, Setup

LISTING, PROGRAM = "listing", "program"
PARAMETERS = (
    Parameter("ets2", "choice", "no", choices=("no", "yes")),
    Parameter("window", "int", WINDOW, min=1, max=WINDOW),
    Parameter("source", "choice", LISTING, choices=(LISTING, PROGRAM)),
)


class LitmusSystem(Arm64):
    """The machine with a test's listings on it, and the test's condition as its property."""

    def __init__(self, spec: MachineSpec, test: AnyTest, made: Made) -> None:
        constant = None
        if spec.handler_args:
            # Its programs are listings in another form, so all that they may store is known.
            (listings,) = spec.handler_args
            pairs = zip(spec.cpus, listings, strict=True)
            known = tuple(cpu._replace(listing=listing) for cpu, listing in pairs)
            constant = constant_pages(replace(spec, cpus=known))
        super().__init__(spec, constant=constant)
        self.test = test
        self.observer = made.observer(self.shared.memories)

    def forget(self) -> None:
        """Drop what can be computed again, but no pool: a search knows states by identity."""
        self.forget_moves()

    def unfinished(self, state: Machine) -> tuple[str, ...]:  # noqa: ARG002
        """Return (): a blocked state that is not final is a squashed speculation, no deadlock."""
        return ()

    def problem(self, state: Machine) -> Problem | None:
        """Return the condition, where every thread is done and it holds."""
        if not is_final(state):
            return None
        outcome = self.observer.outcome(state)
        if not (self.observer.counts(outcome) and self.observer.reached(outcome)):
            return None
        told = f"an execution ends in {self.test.text.strip()}: {self.observer.text(outcome)}"
        return Problem(NEVER_REACHED, told)


def is_final(state: Machine) -> bool:
    """Whether every thread has done everything, and its stores have reached memory.

    What else hardware still does changes no outcome.
    """
    return all(pe.finished and not pe.buffer.stores for pe in state.cpus)


@dataclass(frozen=True, eq=False, kw_only=True)
class LitmusScenario(Scenario):
    """A scenario that is a litmus test."""

    test: AnyTest
    made: Made

    def machine(self, spec: MachineSpec, setup: Setup) -> LitmusSystem:  # noqa: ARG002
        """Make the transition system, whose property is the test's condition."""
        return LitmusSystem(spec, self.test, self.made)


def scenario_of(test: AnyTest, hardware: Hardware = HARDWARE) -> LitmusScenario:
    """Make a scenario of a test. Other `hardware` than Arm's is for tests of the tests."""
    ready = made(test)
    allowed = Expectation(((Verdict.VIOLATED, NEVER_REACHED),))
    return LitmusScenario(
        build=partial(_build, ready, hardware),
        story=test.note or f"{test.verdict or 'unknown'}: {test.text.strip()}",
        expect=allowed if test.verdict == "allowed" else Expectation(),
        parameters=PARAMETERS,
        id=f"{test.file}::{test.name}",
        file=test.file,
        test=test,
        made=ready,
    )


def _build(
    ready: Made,
    hardware: Hardware,
    *,
    ets2: str = "no",
    window: int = WINDOW,
    source: str = LISTING,
) -> Setup:
    return ready.setup(Options(ets2 == "yes", window, hardware, source == PROGRAM))


def scenarios_in(file: str) -> list[Scenario]:
    """Return the tests of a file as scenarios; raise the first error if it has no test at all."""
    path = Path(file)
    if not is_file(path):
        raise UsageError(f"there is no file {quoted(file)}", "a litmus test is file.jsonl::name")
    lines = read_file(path)
    found: list[Scenario] = [scenario_of(line.test) for line in lines if line.test]
    if not found:
        raise next(line.error for line in lines if line.error)
    return found
