"""The whole ablation table of the merged protocol, against the one that is kept."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from simbbm.cli.app import simbbm
from tests.explore.test_ablate import SNAPSHOT

pytestmark = pytest.mark.quality


@pytest.mark.timeout(1800)
def test_the_kept_table_is_what_the_tool_prints() -> None:
    shown = CliRunner().invoke(simbbm, ["ablate", "linear_map_split::good", "--as", "markdown"])

    print(shown.stdout)  # noqa: T201 - the table is what a reader wants
    assert SNAPSHOT.read_text() == shown.stdout
    assert " inconclusive " not in shown.stdout
