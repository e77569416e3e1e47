"""Every shipped scenario, once with reductions and once without, as far as 100,000 states go."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.commandline import Cli

pytestmark = pytest.mark.quality


@pytest.mark.timeout(3600)
def test_every_shipped_scenario_has_the_same_answer_without_reductions(tmp_path: Path) -> None:
    """`simbbm check --all --cross-check`; a contradiction would exit with 5."""
    told = Cli(tmp_path).ok("check", "--all", "--cross-check", "--witness-dir", tmp_path)
    print(told.splitlines()[-1])  # noqa: T201 - what this is for

    assert "none with another answer" in told
