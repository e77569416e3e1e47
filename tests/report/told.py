"""Failing runs, told, for tests of what is made of them."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from simbbm import discovery
from simbbm.explore.counterexample.explanation import Explanation
from simbbm.explore.runs.run import Runner
from simbbm.explore.witness.recording import Witness, witness_of
from simbbm.model import Model
from simbbm.report.told.case import Case
from simbbm.report.told.story import Story
from simbbm.report.told.telling import Replayed, replayed, story_of


class Told(NamedTuple):
    """A run and its story."""

    witness: Witness
    model: Model
    story: Story
    run: Replayed

    def case(self, explained: Explanation | None = None) -> Case:
        """The run for those who write it: its story as it is here, and an explanation."""
        case = Case(self.witness, lambda: (self.witness, self.model))
        case.story, case.run, case.explained = self.story, self.run, explained
        return case


def told_of(witness: Witness, model: Model) -> Told:
    """A run that was recorded."""
    run = replayed(witness, model)
    return Told(witness, model, story_of(run), run)


@cache
def told(name: str) -> Told:
    """The first failing run of a scenario."""
    model = Model(discovery.find(name))
    runner = Runner(model, "default", 0)
    failed = (n for n in range(500) if runner.play(runner.chooser(n)).verdict != "HOLDS")
    witness = witness_of(model, "default", 0, next(failed))
    return told_of(witness, model)
