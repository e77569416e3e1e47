"""`--cross-check`: a search without reductions stands beside the verdict, and must not differ."""

from __future__ import annotations

from importlib import import_module

import pytest

from simbbm.arm64.rows import Row, State
from simbbm.core.errors import ModelError
from simbbm.explore.search.breadth_first import NO_LIMITS, Limits
from simbbm.explore.search.cross_check import cross_check
from simbbm.explore.search.prove import Prover
from simbbm.explore.search.reductions.reduced_system import ReducedSystem
from simbbm.model import Model
from tests.scenarios.everything import GOOD, twin

SMALL = {"cpus": 2, "layout": "pmd"}
M10 = twin("m10_no_dsb_after_tlbi")


def test_two_answers_that_agree() -> None:
    for scenario in (GOOD, M10):
        crossed = cross_check(
            Model(scenario, SMALL), Prover(Model(scenario, SMALL)).prove(), NO_LIMITS
        )

        assert crossed.same


def test_a_limit_is_no_answer_and_is_said() -> None:
    crossed = cross_check(Model(GOOD, SMALL), Prover(Model(GOOD, SMALL)).prove(), Limits(states=50))

    assert (False, "--max-states 50 reached") == (crossed.same, crossed.stopped)
    assert "no other answer (--max-states 50 reached)" in crossed.told


def test_a_proof_of_what_fails_is_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where sets are reduced, hardware comes first in each state: the failure is lost."""
    successors = ReducedSystem.successors

    def one(space: ReducedSystem, state: State, rows: list[Row]) -> list[tuple[int, State]]:
        found = list(successors(space, state, rows))
        return found[-1:] if space.ample else found

    monkeypatch.setattr(ReducedSystem, "successors", one)
    monkeypatch.setattr(import_module("simbbm.explore.search.prove"), "NEAR", 1)
    proof = Prover(Model(M10, SMALL)).prove()
    with pytest.raises(ModelError, match=r"says \w+.*, one without reductions found VIOLATED"):
        cross_check(Model(M10, SMALL), proof, NO_LIMITS)


def test_a_failure_of_what_holds_is_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    proof = Prover(Model(M10, SMALL)).prove()
    with pytest.raises(ModelError, match="found nothing that fails, in all"):
        cross_check(Model(GOOD, SMALL), proof, NO_LIMITS)
