"""Verdicts, and the expectations that they are compared with."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from enum import StrEnum
from typing import NamedTuple

from simbbm.check.catalogue import CATALOGUE
from simbbm.core.errors import ScenarioError


class Verdict(StrEnum):
    """The possible answers. HOLDS is about one run; SAMPLED about many, and never a proof."""

    HOLDS = "HOLDS"
    PROVED = "PROVED"
    SAMPLED = "SAMPLED"
    VIOLATED = "VIOLATED"
    STUCK = "STUCK"
    POSSIBLE = "POSSIBLE"
    """A view for every number of CPUs shows a failure, which may be unreal (`explore/every_n/`)."""
    INCONCLUSIVE = "INCONCLUSIVE"


def settles(verdict: Verdict, *, proof_due: bool) -> bool:
    """Whether a verdict is an answer.

    INCONCLUSIVE and POSSIBLE are none, nor is SAMPLED where a proof is due.
    """
    open_ = (Verdict.INCONCLUSIVE, Verdict.POSSIBLE)
    return verdict not in open_ and not (proof_due and verdict is Verdict.SAMPLED)


class Expectation(NamedTuple):
    """What a scenario is expected to do: hold, or fail in one of some ways."""

    failures: tuple[tuple[Verdict, str], ...] = ()

    @staticmethod
    def parse(text: str, *, own: bool = False) -> Expectation:
        """Read `HOLDS`, or alternatives like `VIOLATED:no_tlb_conflict|STUCK:terminates`.

        `own`: a property that the catalogue does not have may be one of the scenario's own, to be
        checked once these are known (`require_known`).
        """
        if text == "HOLDS":
            return Expectation()
        failures = []
        for alternative in text.split("|"):
            verdict, _, name = alternative.partition(":")
            known = name in CATALOGUE or (own and name.isidentifier())
            if verdict not in ("VIOLATED", "STUCK") or not known:
                raise ScenarioError(
                    f"expectation {text!r}: {alternative!r} is not VIOLATED:property or "
                    "STUCK:terminates",
                    "simbbm list --properties names the properties",
                )
            if (verdict == "STUCK") != (name == "terminates"):
                raise ScenarioError(f"expectation {text!r}: terminates goes with STUCK alone")
            failures.append((Verdict(verdict), name))
        return Expectation(tuple(failures))

    def require_known(self, said: str, own: Iterable[str]) -> None:
        """Raise ScenarioError if a property is neither in the catalogue nor one of these."""
        known = [*CATALOGUE, *own]
        for verdict, name in self.failures:
            if name not in known:
                close = get_close_matches(name, known, n=1, cutoff=0.0)
                raise ScenarioError(
                    f"{said}: expectation {verdict}:{name}: there is no such property",
                    f"did you mean {close[0]}? The scenario's own are named in its Setup",
                )

    def __str__(self) -> str:
        return "|".join(f"{v}:{name}" for v, name in self.failures) or "HOLDS"

    @property
    def holds(self) -> bool:
        """Whether the scenario is a good one."""
        return not self.failures

    def met_by(self, verdict: Verdict, name: str | None) -> bool | None:
        """Whether a verdict is the expected one; None if it says nothing either way.

        HOLDS is said of one run: a good scenario's does, and so may a bad twin's.
        """
        if verdict in (Verdict.VIOLATED, Verdict.STUCK):
            return (verdict, name) in self.failures
        if verdict in (Verdict.PROVED, Verdict.SAMPLED):
            return self.holds
        return True if verdict is Verdict.HOLDS and self.holds else None
