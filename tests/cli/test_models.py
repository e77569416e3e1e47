"""How often a command builds what it works on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from simbbm.arm64.features import Hardware
from simbbm.model import Model
from simbbm.scenario import Scenario
from tests.cli.commandline import Cli


@pytest.mark.parametrize(
    "line",
    [
        ("explore", "linear_map_split::m10_no_dsb_after_tlbi", "-p", "cpus=2", "-p", "layout=pmd"),
        ("run", "bbm_minimal::live_change", "--trace", "--strategy", "random"),
    ],
)
def test_a_command_makes_each_model_once(
    simbbm: Cli, monkeypatch: pytest.MonkeyPatch, line: tuple[str, ...]
) -> None:
    made: list[tuple[str, dict[str, Any], Hardware]] = []
    make = Model.__init__

    def count(self: Model, scenario: Scenario, params: Mapping[str, Any] | None = None) -> None:
        make(self, scenario, params)
        made.append((scenario.id, self.params, self.setup.hardware))

    monkeypatch.setattr(Model, "__init__", count)
    assert simbbm.ok(*line)
    assert made
    assert all(made.count(each) == 1 for each in made)
