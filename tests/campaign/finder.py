"""Scenarios whose workers die, hang or complain, by id: `toys::NAME` or `toys::NAME|ARGUMENT`.

A worker process imports this module by name and calls `find`.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from simbbm.core.errors import ScenarioError
from simbbm.scenario import Scenario
from tests.explore.toys import Toy, toy_scenario

State = tuple[str, ...]
AGENTS = ("cpu0", "cpu1", "cpu2")
RARE = ("cpu0", "cpu1", "cpu2", "cpu0")
"""A beginning that one run in about 81 takes."""


def find(scenario_id: str) -> Scenario:
    """The scenario of an id."""
    name, _, argument = scenario_id.partition("::")[2].partition("|")
    toy = Toy(dict.fromkeys(AGENTS, 4))
    if name == "fails":
        toy.judge = lambda state: "rare" if state == RARE else None
    elif name == "fails_in_two_ways":
        ways: dict[State, str] = {RARE: "rare", RARE[::-1]: "other"}
        toy.judge = ways.get
    elif name != "holds":
        toy.before = _BEFORE[name](argument)
    return toy_scenario(toy, scenario_id)


def _dies_once(marker: str) -> Callable[[State], None]:
    def before(state: State) -> None:
        if state == RARE and not Path(marker).exists():
            Path(marker).touch()
            os.kill(os.getpid(), signal.SIGKILL)

    return before


def _dies(_: str) -> Callable[[State], None]:
    def before(state: State) -> None:
        if state == RARE:
            os.kill(os.getpid(), signal.SIGKILL)

    return before


def _complains(_: str) -> Callable[[State], None]:
    def before(state: State) -> None:
        if state == RARE:
            raise ScenarioError("a program is wrong", "mend it")

    return before


def _hangs(_: str) -> Callable[[State], None]:
    def before(state: State) -> None:
        if state == RARE:
            time.sleep(600)

    return before


def _slow(seconds: str) -> Callable[[State], None]:
    def before(_: State) -> None:
        time.sleep(float(seconds))

    return before


_BEFORE = {
    "dies_once": _dies_once,
    "dies": _dies,
    "complains": _complains,
    "hangs": _hangs,
    "slow": _slow,
}
