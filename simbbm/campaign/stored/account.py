"""What a store says of its campaign, as rows: the same for equal plans, whatever came between.

No scenario is loaded for it, and no time and no path on this machine is in it. Of a campaign with
a budget in time the rows are those of the runs that there was time for.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

from simbbm.campaign.answers.sampling import numbers_of
from simbbm.campaign.judging import Asked, Doubts, judged
from simbbm.campaign.stored.plan import Arm
from simbbm.campaign.stored.store import Finding, Kept, Shrunk, Store
from simbbm.campaign.tally import Tally
from simbbm.check.verdict import Expectation, Verdict
from simbbm.explore.strategies.estimate import Estimate
from simbbm.report.campaign_rows import CampaignRow, FindingRow
from simbbm.report.rows import VerdictRow


class Account(NamedTuple):
    """All rows of a campaign."""

    campaign: CampaignRow
    arms: tuple[VerdictRow, ...]
    given: tuple[dict[str, str], ...]
    """The parameters that the plan gives each arm."""
    findings: tuple[FindingRow, ...]


class _Arm(NamedTuple):
    """What is known of an arm."""

    arm: Arm
    wanted: int | None
    tally: Tally
    estimate: Estimate | None
    labels: int
    never: list[str]
    """Labels that runs of other arms of this machine took, and none of this one."""
    doubt: str | None
    error: str | None
    finding: Kept | None
    """What its first failure is when it is small."""


def account(store: Store) -> Account:
    """Read a store."""
    plan, shares = store.plan, store.shares()
    findings = {kept.name: kept for kept in store.findings()}
    shrunk = {(one.arm, one.run): one for one in store.shrunk()}
    rows, total = [], Tally()
    for number, planned in enumerate(plan.arms):
        _, tally, sampled = store.sum(number)
        given = planned.runs
        if plan.runs is not None:
            given = sum(each.get(number, 0) for each in shares)
        doubt, error = store.notes(number)
        small = shrunk.get((number, tally.first.number)) if tally.first else None
        kept = findings.get(small.finding) if small else None
        estimate = None if tally.first else store.estimate(number, sampled)
        labels, never = store.labels(number)
        known = _Arm(planned, given, tally, estimate, labels, never, doubt, error, kept)
        rows.append(_row(known, plan.seed, store.version))
        total.add(tally)
    found = _findings(shrunk.values(), plan.arms, findings)
    inconclusive = sum(row.verdict == Verdict.INCONCLUSIVE for row in rows)
    campaign = CampaignRow(
        arms=len(rows),
        runs=total.runs,
        runs_requested=plan.runs_requested,
        failures=total.failures.total(),
        findings=len(found),
        unexpected=sum(row.expected is False for row in rows),
        inconclusive=inconclusive,
        complete=not inconclusive,
        steps=total.steps,
        digest=f"{total.digest:032x}",
        seed=plan.seed,
        batch=plan.batch,
        adaptive=plan.adaptive,
        rounds=[[each.get(n, 0) for n in range(len(rows))] for each in shares] or None,
        version=store.version,
    )
    return Account(campaign, tuple(rows), tuple(arm.given for arm in plan.arms), found)


def _row(known: _Arm, seed: int, version: str) -> VerdictRow:
    arm, tally = known.arm, known.tally
    doubts = Doubts(known.error or known.doubt or "")
    verdict, message = judged(tally, Asked(known.wanted, arm.max_steps), known.estimate, doubts)
    first = tally.first
    settled = verdict != Verdict.INCONCLUSIVE
    outcome = first.result if first else None
    expect = Expectation.parse(arm.expect, own=True)
    return VerdictRow(
        scenario=arm.scenario,
        params=arm.params,
        mode="sample",
        verdict=verdict,
        property=outcome.property if outcome else None,
        expect=arm.expect,
        expected=expect.met_by(verdict, outcome.property if outcome else None),
        message=message or None,
        runs=tally.runs,
        runs_requested=known.wanted,
        failures=tally.failures.total(),
        first_failure=first.number if first else None,
        steps=tally.steps,
        length=outcome.steps if outcome else None,
        strategy=arm.strategy,
        seed=seed,
        surprises=first.surprises if first else None,
        estimate=numbers_of(tally.pct, known.estimate) if settled and not first else None,
        coverage={"labels": known.labels, "never": known.never} if known.labels else None,
        digest=outcome.digest if outcome else f"{tally.digest:032x}",
        token=known.finding.token if known.finding else None,
        version=version,
    )


def _findings(
    shrunk: Iterable[Shrunk], arms: tuple[Arm, ...], kept: dict[str, Kept]
) -> tuple[FindingRow, ...]:
    """The findings, by where they were met first."""
    of = Counter[str]()
    met = defaultdict[str, dict[int, None]](dict)
    for one in shrunk:
        if one.finding in kept:
            of[one.finding] += 1
            met[one.finding][one.arm] = None
    return tuple(_finding_row(kept[n].found, kept[n], [*met[n]], of[n], arms) for n in met)


def _finding_row(
    found: Finding, kept: Kept, met: list[int], of: int, arms: tuple[Arm, ...]
) -> FindingRow:
    params: dict[str, Any] = dict(found.params)
    return FindingRow(
        scenario=found.scenario,
        params=params,
        verdict=found.verdict,
        property=found.property,
        message=found.message,
        length=found.steps,
        certified=found.certified,
        arms=met,
        strategies=list(dict.fromkeys(arms[n].strategy for n in met)),
        shrunk=of,
        witness=kept.file or None,
        token=kept.token,
    )
