"""Many campaigns of each of several bad twins: the rows of the kill table, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from simbbm import discovery
from simbbm.campaign.processes import available_cpus
from simbbm.campaign.tasks import SideBySide
from simbbm.core.errors import ScenarioError
from simbbm.explore.strategies.kill import Kills, Trials, kills
from simbbm.model import Model


class Target(NamedTuple):
    """A twin to be found, in a form that can be sent to another process."""

    scenario: str
    params: dict[str, Any]
    strategies: tuple[str, ...]
    trials: Trials

    def __str__(self) -> str:
        return self.scenario


class Found(NamedTuple):
    """A row of the table: what was found by column, or why it is not known."""

    target: Target
    by: dict[str, Kills]
    why: str = ""
    error: bool = False
    """Whether the scenario's author is at fault."""
    interrupted: bool = False


def look(target: Target) -> Found:
    """Make all campaigns of one twin."""
    scenario = discovery.find(target.scenario)
    try:
        model = Model(scenario, target.params)
        return Found(target, kills(model, target.strategies, target.trials))
    except ScenarioError as error:
        return Found(target, {}, str(error), error=True)


def unanswered(target: Target, why: str, *, interrupted: bool) -> Found:
    """The row for a twin whose worker was lost, or interrupted, in its campaigns."""
    return Found(target, {}, why, interrupted=interrupted)


def look_at_all(
    targets: Sequence[Target],
    jobs: int | None,
    waiting: Callable[[str], AbstractContextManager[object]],
) -> SideBySide[Target, Found]:
    """The rows of all twins, in order."""
    return SideBySide(look, unanswered, targets, jobs or available_cpus(), waiting)
