"""Failing runs, told, for tests of what is made of them."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from simbbm import discovery
from simbbm.explore.runs.run import Runner
from simbbm.explore.witness.recording import Witness, witness_of
from simbbm.model import Model
from simbbm.report.story import Story, tell


class Told(NamedTuple):
    """A run and its story."""

    witness: Witness
    model: Model
    story: Story


@cache
def told(name: str) -> Told:
    """The first failing run of a scenario."""
    model = Model(discovery.find(name))
    runner = Runner(model, "default", 0)
    failed = (n for n in range(500) if runner.play(runner.chooser(n)).verdict != "HOLDS")
    witness = witness_of(model, "default", 0, next(failed))
    return Told(witness, model, tell(witness, model))
