"""Results compared with published verdicts: test by test, and in sum."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from simbbm.core.errors import ScenarioError, UsageError
from simbbm.litmus import as_program
from simbbm.litmus.herd.tree import HerdTest
from simbbm.litmus.made import AnyTest
from simbbm.litmus.notation.reader import Line, Verdict
from simbbm.litmus.notation.syntax import Malformed, Unsupported
from simbbm.litmus.run import MAX_SECONDS, MAX_STATES, Recorded, Result, run


class Judged(NamedTuple):
    """One test, run or not, compared with its verdict."""

    line: Line
    ets2: bool
    result: Result | None
    lost: str | None = None
    """Why there is no result of a test that was begun: its worker died."""

    @property
    def verdict(self) -> Verdict | None:
        """The published verdict that it is compared with."""
        return self.line.verdict_for(ets2=self.ets2)

    @property
    def reached(self) -> bool | None:
        """Whether the condition is reached; None if that is not known."""
        return self.result.reached if self.result else None

    @property
    def ok(self) -> bool | None:
        """Whether that is as the verdict says; None without a verdict or an answer."""
        if self.verdict is None or self.lost:
            return None
        if self.result is None:
            return False
        return None if self.reached is None else self.reached == (self.verdict == "allowed")

    @property
    def inconclusive(self) -> str | None:
        """Why there is no answer, if a limit was hit."""
        if self.lost or self.result is None or self.reached is not None:
            return self.lost
        spent = f"{self.result.states:,} states and {self.result.seconds:.0f} s"
        return f"not reached within {spent}; --max-states and --max-seconds raise the limits"

    @property
    def malformed(self) -> UsageError | None:
        """Why it is no test, if only a run could show that."""
        return None if self.line.unsupported else self.line.error

    @property
    def unsupported(self) -> str | None:
        """What the machine does not have."""
        return str(self.line.error) if self.line.unsupported else None


class Score(NamedTuple):
    """Sums over tests."""

    total: int
    forbidden_ok: int
    forbidden: int
    allowed_ok: int
    allowed: int
    unsupported: int
    inconclusive: int

    @property
    def text(self) -> str:
        """In one line."""
        return (
            f"forbidden never reached {self.forbidden_ok}/{self.forbidden}, "
            f"allowed reached {self.allowed_ok}/{self.allowed}, "
            f"unsupported {self.unsupported}, inconclusive {self.inconclusive}"
        )


def judge(
    line: Line,
    *,
    ets2: bool,
    window: int | None = None,
    max_states: int = MAX_STATES,
    max_seconds: float = MAX_SECONDS,
    programs: bool = False,
    outcomes: bool = False,
) -> Judged:
    """Run a test if it can be, and judge it; `programs`: its threads as programs.

    The outcome that should not be reached has a witness, all outcomes if they are asked for.
    """
    if line.test is None:
        return Judged(line, ets2, None)
    told = _not_a_program(line.test) if programs else ""
    if told:
        told = f"{line.name}: {told}"
        return Judged(line._replace(test=None, error=Unsupported(told)), ets2, None)
    try:
        result = run(
            line.test,
            ets2=ets2,
            window=window,
            max_states=max_states,
            max_seconds=max_seconds,
            programs=programs,
            recorded=_recorded(line, ets2=ets2, outcomes=outcomes),
        )
    except ScenarioError as error:  # only a run shows what a register holds
        told = f"{line.test.file}:{line.number}: {line.name}: {error.message}"
        return Judged(line._replace(test=None, error=Malformed(told, error.hint)), ets2, None)
    return Judged(line, ets2, result)


def _not_a_program(test: AnyTest) -> str:
    """Why a test's threads cannot be programs; empty if they can."""
    if isinstance(test, HerdTest):
        return "a test of herd7 is run as a listing alone"
    if not all(as_program.expressible(thread) for thread in test.threads):
        return "a handler uses what its thread has loaded, which no program's can"
    return ""


def _recorded(line: Line, *, ets2: bool, outcomes: bool) -> Recorded:
    if outcomes:
        return "all"
    return "reached" if line.verdict_for(ets2=ets2) == "forbidden" else "none"


def score(tests: Iterable[Judged]) -> Score:
    """Add up."""
    tests = list(tests)
    forbidden = [t for t in tests if t.verdict == "forbidden"]
    allowed = [t for t in tests if t.verdict == "allowed"]
    return Score(
        total=len(tests),
        forbidden_ok=sum(t.ok is True for t in forbidden),
        forbidden=len(forbidden),
        allowed_ok=sum(t.ok is True for t in allowed),
        allowed=len(allowed),
        unsupported=sum(t.unsupported is not None for t in tests),
        inconclusive=sum(t.inconclusive is not None for t in tests),
    )
