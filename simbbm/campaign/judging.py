"""What may be said of a number of runs: SAMPLED only if all that were asked for came to an end."""

from __future__ import annotations

from typing import NamedTuple

from simbbm.campaign.tally import Tally
from simbbm.check.verdict import Verdict
from simbbm.explore.strategies.estimate import Estimate
from simbbm.host.amounts import amount


class Asked(NamedTuple):
    """What was asked for."""

    runs: int | None
    """None: as many as there was time for."""
    max_steps: int
    """Of each run."""


class Doubts(NamedTuple):
    """Why there may be no answer, whatever the counts are; empty if there is no such reason."""

    meaningless: str = ""
    """Why the runs may mean nothing."""
    stopped: str = ""
    """Why there are fewer runs than there might be."""


def judged(
    tally: Tally, asked: Asked, estimate: Estimate | None, doubts: Doubts
) -> tuple[Verdict, str]:
    """The verdict of some runs, and what was seen, or why there is none."""
    if tally.first:
        return tally.first.result.verdict, tally.first.result.message
    if why := _why_inconclusive(tally, asked, doubts):
        return Verdict.INCONCLUSIVE, why
    return Verdict.SAMPLED, "\n".join(said.text for said in (*tally.pct, estimate) if said)


def _why_inconclusive(tally: Tally, asked: Asked, doubts: Doubts) -> str:
    if doubts.meaningless or doubts.stopped:
        return doubts.meaningless or doubts.stopped
    if tally.inconclusive:
        return f"{amount(tally.inconclusive, 'run')} reached max_steps={asked.max_steps}"
    if asked.runs is not None and tally.runs < asked.runs:
        return f"only {tally.runs:,} of {asked.runs:,} runs were done"
    return "" if tally.runs else "no run was made"
