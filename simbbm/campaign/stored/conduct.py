"""A campaign that is kept: from a plan and a store to the end, or to where it was stopped.

What is settled is kept before anything follows from it, so that a process that is killed at any
moment has lost what its workers were doing, and nothing else: the same command goes on, and the
store is in the end the same.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import msgspec

from simbbm.campaign.chunks import Job
from simbbm.campaign.orchestrator import Orchestrator
from simbbm.campaign.planner import ChunkPlanner
from simbbm.campaign.stored import work
from simbbm.campaign.stored.batches import Batch, CampaignPlanner, Work
from simbbm.campaign.stored.batches import Small as Answer
from simbbm.campaign.stored.plan import Planned
from simbbm.campaign.stored.shares import BATCHES_PER_ROUND, Worth, share
from simbbm.campaign.stored.store import Finding, Kept, Once, Shrunk, Store
from simbbm.campaign.stress import FINDER
from simbbm.explore.witness.files import name_of
from simbbm.explore.witness.kept import keep
from simbbm.host.amounts import amount

SECONDS_BETWEEN = 5.0
"""How often it is noted how long a campaign was worked on, if nothing else is to be noted."""


class Progress(NamedTuple):
    """How far a campaign is."""

    runs: int
    runs_requested: int | None
    failures: int
    findings: int
    arms: int
    arms_ended: int

    @property
    def told(self) -> str:
        """What was found, in words."""
        arms = f"{self.arms_ended:,} of {amount(self.arms, 'arm')}"
        failed = f"{self.failures:,} failed" if self.failures else ""
        found = amount(self.findings, "finding") if self.findings else ""
        return ", ".join(filter(None, (arms, failed, found)))


class Ending(NamedTuple):
    """How it ended."""

    interrupted: bool
    complete: bool
    lost_workers: int


def conduct(
    plan: Planned,
    store: Store,
    pool: Executor,
    jobs: int,
    on_progress: Callable[[Progress], object] = lambda _: None,
) -> Ending:
    """Go on with a campaign. UsageError if its store cannot be written to any more."""
    return _Conductor(plan, store, jobs, on_progress).conduct(pool)


def witnesses_of(store: Path) -> Path:
    """The folder of the witnesses of a store."""
    return store.with_name(f"{store.name}.witnesses")


class _Conductor:
    def __init__(
        self, plan: Planned, store: Store, jobs: int, on_progress: Callable[[Progress], object]
    ) -> None:
        self._plan = plan
        self._store = store
        self._on_progress = on_progress
        self._planner = CampaignPlanner(plan.arms, jobs, plan.batch)
        self._kinds = _kinds(plan)
        self._findings = {kept.name for kept in store.findings()}
        self._sampled = [0] * len(plan.arms)
        self._errors = [store.notes(number)[1] for number in range(len(plan.arms))]
        self._noted = monotonic()
        self._rounds = 0
        self._resume()

    def _resume(self) -> None:
        """Tell the planner what is done."""
        done = defaultdict[int, set[int]](set)
        for one in self._store.shrunk():
            if one.finding:  # what could not be made small is tried again
                done[one.arm].add(one.run)
        for number in range(len(self._plan.arms)):
            stop, total, self._sampled[number] = self._store.sum(number)
            self._planner.go_on(number, stop, total, self._store.failing(number), done[number])
        for shares in self._store.shares():
            self._planner.share(shares.items())
            self._rounds += 1

    def conduct(self, pool: Executor) -> Ending:
        """Go on to the end."""
        left = self._plan.time
        if left is not None:
            left = max(0.0, left - self._store.seconds)
        if left != 0:
            asyncio.run(self._to_the_end(pool, left))
        return Ending(
            self._planner.interrupted,
            not self._planner.to_be_shrunk and all(map(_complete, self._planner.arms)),
            sum(arm.lost_workers for arm in self._planner.arms),
        )

    async def _to_the_end(self, pool: Executor, seconds: float | None) -> None:
        self._share()
        orchestrator = Orchestrator(
            self._planner, pool, self._call, seconds=seconds, on_event=self._keep
        )
        try:
            await orchestrator.finish()
        finally:
            self._keep()

    def _call(self, what: Work) -> tuple[Any, ...]:
        arm = self._plan.arms[what.arm]
        job = Job(
            FINDER,
            arm.scenario,
            tuple(arm.params.items()),
            arm.strategy,
            self._plan.seed,
            arm.max_steps,
            arm.stop == "first",
            work.SAMPLED,
            arm.source,
        )
        if isinstance(what, Batch):
            return work.run_batch, job, what.chunk
        return work.make_small, job, what.run, self._plan.shrink

    # Keeping

    def _keep(self) -> None:
        """Keep what is settled, and share out more runs if all are made."""
        planner = self._planner
        kept = [(one, self._witness(one)) for one in planner.shrunk]
        now = monotonic()
        if planner.settled or kept or now - self._noted >= SECONDS_BETWEEN:
            with self._store.transaction():
                for settled in planner.settled:
                    self._store.add_batch(settled, self._kinds[settled.arm])
                for number, doubt in planner.doubts.items():
                    self._store.note(number, doubt=doubt)
                for one, finding in kept:
                    name = finding.name if finding else ""
                    self._store.add_shrunk(Shrunk(*one.of, name, one.why), finding)
                self._store.add_seconds(now - self._noted)
            self._sampled_more()
            self._findings |= {finding.name for _, finding in kept if finding}
            self._noted = now
            planner.settled.clear()
            planner.shrunk.clear()
            planner.doubts.clear()
        self._note_errors()
        self._share()
        self._on_progress(self._progress())

    def _note_errors(self) -> None:
        """Note why the runs of some arms cannot be made; one that had been is tried again."""
        for number, arm in enumerate(self._planner.arms):
            error = str(arm.sum.broke.error) if arm.sum.broke else None
            if error != self._errors[number] and (error or arm.sum.runs):
                self._errors[number] = error
                self._store.note(number, doubt=self._store.notes(number)[0], error=error)

    def _sampled_more(self) -> None:
        for arm, _, tally in self._planner.settled:
            self._sampled[arm] += sum(sample.runs for sample in tally.samples)

    def _witness(self, one: Answer) -> Kept | None:
        """Write the witness of a failure that was made small; its name is that of its content."""
        if one.answer is None:
            return None
        witness = msgspec.structs.replace(one.answer.witness, found=None)
        written = keep(witness, witnesses_of(self._store.path))
        assert witness.property is not None
        found = Finding(
            scenario=witness.scenario,
            params=dict(witness.params),
            verdict=witness.verdict,
            property=witness.property,
            message=witness.message,
            steps=witness.steps,
            certified=one.answer.certified,
        )
        return Kept(
            name_of(witness), written.token, written.path.name if written.path else "", found
        )

    # Sharing runs out

    def _share(self) -> None:
        """Begin another round, if one is over and there is something left to share out."""
        if not self._planner.round_over:
            return
        worth = self._worth()
        shares = self._by_worth(worth) if self._plan.adaptive else self._equally(worth)
        if shares:
            with self._store.transaction():
                self._store.add_shares(self._rounds, shares)
            self._rounds += 1
        self._planner.share(shares)

    def _by_worth(self, worth: Sequence[Worth]) -> list[tuple[int, int]]:
        batches = BATCHES_PER_ROUND * len(self._plan.arms)
        if self._plan.runs is not None:
            left = self._plan.runs - sum(arm.runs or 0 for arm in self._planner.arms)
            batches = min(batches, left // self._plan.batch)
        return [(n, many * self._plan.batch) for n, many in share(worth, batches)] if worth else []

    def _equally(self, worth: Sequence[Worth]) -> list[tuple[int, int]]:
        """For as long as there is time: of each arm so many that nobody waits."""
        batches = -(-self._planner.room // max(1, len(worth)))
        return [(one.arm, batches * self._plan.batch) for one in worth]

    def _worth(self) -> list[Worth]:
        once = self._store.once() if self._plan.adaptive else {}
        return [
            Worth(n, once.get(n, Once(0, 0)), self._sampled[n], arm.sum.runs, arm.sum.steps)
            for n, arm in enumerate(self._planner.arms)
            if self._plan.arms[n].runs is None and self._planner.open_to_runs(n)
        ]

    def _progress(self) -> Progress:
        arms = self._planner.arms
        totals = [arm.sum for arm in arms]
        return Progress(
            sum(total.runs for total in totals),
            self._plan.runs_requested,
            sum(total.failures.total() for total in totals),
            len(self._findings),
            len(arms),
            sum(arm.finished for arm in arms),
        )


def _complete(arm: ChunkPlanner) -> bool:
    """Whether an arm has its answer."""
    return arm.complete or (arm.cut is not None and arm.summed > arm.cut)


def _kinds(plan: Planned) -> Mapping[int, int]:
    """Which arms run the same machine, so that their states are the same."""
    numbers: dict[bytes, int] = {}
    found = {}
    for number, arm in enumerate(plan.arms):
        key = msgspec.json.encode((arm.scenario, arm.params), order="sorted")
        found[number] = numbers.setdefault(key, len(numbers))
    return found
