"""How often a command describes and builds what it works on."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from simbbm.arm64.features import Hardware
from simbbm.arm64.machine import Arm64
from simbbm.scenario import Scenario
from tests.cli.commandline import Cli


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Counter[Hardware | str]:
    """How many machines were built, by hardware; how often a scenario was asked for its setup."""
    counts = Counter[Hardware | str]()
    build, setup = Arm64.__init__, Scenario.setup

    def build_one(self: Arm64, spec: Any, *args: Any, **more: Any) -> None:
        counts[spec.hardware] += 1
        build(self, spec, *args, **more)

    def setup_one(self: Scenario, parameters: Any) -> Any:
        counts["setup"] += 1
        return setup(self, parameters)

    monkeypatch.setattr(Arm64, "__init__", build_one)
    monkeypatch.setattr(Scenario, "setup", setup_one)
    return counts


def test_a_failing_search_builds_a_machine_for_each_use_that_needs_its_own(
    simbbm: Cli, made: Counter[Hardware | str]
) -> None:
    """The same machine: to search, to play, to confirm, to search again for probabilities, to tell.

    Without each of its seven freedoms: one, to play and, for the three that are used, to search. A
    search that says which steps it met has a machine of its own, since their order is part of its
    answer, and its states go when it does; and the confirmation trusts nobody's. The story that
    `show` tells is made at once, by a replay as for any other witness.
    """
    assert simbbm.ok(
        *("explore", "linear_map_split::m10_no_dsb_after_tlbi", "-p", "cpus=2", "-p", "layout=pmd")
    )

    assert 1 == made.pop("setup")
    assert [1] * 7 + [5] == sorted(made.values())


@pytest.mark.parametrize(
    "line",
    [
        ("explore", "bbm_minimal::good"),
        ("run", "bbm_minimal::good", "--strategy", "random"),
    ],
)
def test_what_holds_builds_one(
    simbbm: Cli, made: Counter[Hardware | str], line: tuple[str, ...]
) -> None:
    assert simbbm.ok(*line)

    assert 1 == made.pop("setup")
    assert [1] == [*made.values()]


def test_a_trace_builds_another_whose_programs_have_met_nothing_else(
    simbbm: Cli, made: Counter[Hardware | str]
) -> None:
    """A failing one is confirmed on another, and a twin's polite run has one of its own."""
    assert simbbm.ok("run", "bbm_minimal::live_change", "--trace", "--strategy", "random")

    assert 1 == made.pop("setup")
    assert [4] == [*made.values()]
