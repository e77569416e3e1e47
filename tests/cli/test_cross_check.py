"""`--cross-check` of `check` and `explore`."""

from __future__ import annotations

from importlib import import_module

import pytest

from simbbm.arm64.rows import Row, State
from simbbm.explore.search.reductions.reduced_system import ReducedSystem
from tests.cli.commandline import Cli

GOOD = "linear_map_split::good"
SMALL = ("-p", "cpus=2", "-p", "layout=pmd", "--cross-check")


def test_what_it_came_to_is_said(simbbm: Cli) -> None:
    assert "cross-checked: the same answer without reductions, in" in simbbm.ok(
        "explore", "bbm_minimal::good", "--cross-check"
    )
    assert "Cross-checked without reductions: 1, none with another answer; 1 came" in simbbm.ok(
        "check", GOOD, *SMALL
    )
    assert "; 0 came to the same one, 1 to the limits first" in simbbm.ok(
        "check", GOOD, *SMALL, "--max-states", "700"
    )
    assert simbbm.row("check", GOOD, *SMALL)["coverage"]["cross_check"]["same"]


def test_a_contradiction_is_an_internal_error(simbbm: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reduction to states in which hardware comes first loses the failure."""
    successors = ReducedSystem.successors

    def one(space: ReducedSystem, state: State, rows: list[Row]) -> list[tuple[int, State]]:
        found = list(successors(space, state, rows))
        return found[-1:] if space.ample else found

    monkeypatch.setattr(ReducedSystem, "successors", one)
    monkeypatch.setattr(import_module("simbbm.explore.search.prove"), "NEAR", 1)
    found = simbbm("explore", "linear_map_split::m10_no_dsb_after_tlbi", *SMALL)

    assert 5 == found.exit_code
    assert "one without reductions found VIOLATED:no_size_change_seen" in found.stderr
