"""A counterexample that cannot be played on a machine without memory is a defect, not a finding."""

from __future__ import annotations

import pytest

from simbbm.check.verdict import Verdict
from simbbm.core.errors import ModelError
from simbbm.core.graph import Ended, Graph, Node
from simbbm.core.system import Problem
from simbbm.explore.counterexample.confirm import confirm
from simbbm.explore.runs.run import run_one
from simbbm.explore.search.prove import Prover, witness_along
from simbbm.explore.witness.recording import witness_of
from simbbm.model import Model
from tests.scenarios.everything import GOOD, twin

M07 = twin("m07_count_before_switch")
PARAMS = {"cpus": 2, "layout": "pmd"}
WAY = Verdict.VIOLATED, "no_size_change_seen"


def labels() -> tuple[str, ...]:
    for number in range(1_000):
        result = run_one(Model(M07, PARAMS), "default", 0, number)
        if result.verdict is Verdict.VIOLATED:
            assert result.labels
            return result.labels
    raise AssertionError


def test_what_really_fails_is_confirmed() -> None:
    assert confirm(Model(M07, PARAMS), labels(), *WAY) is None  # type: ignore[func-returns-value]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda run: run[:-1], "played again it is None:None"),
        (lambda run: (*run, run[-1]), "there it is VIOLATED"),
        (lambda run: ("cpu9:nothing", *run), "step 0, cpu9:nothing, is not possible"),
    ],
)
def test_what_does_not_is_refused(change: object, told: str) -> None:
    with pytest.raises(ModelError, match=told):
        confirm(Model(M07, PARAMS), change(labels()), *WAY)  # type: ignore[operator]


def test_another_verdict_is_refused() -> None:
    with pytest.raises(ModelError, match="played again it is VIOLATED:no_size_change_seen"):
        confirm(Model(M07, PARAMS), labels(), Verdict.VIOLATED, "no_tlb_conflict")


def test_a_run_that_only_the_graph_believes_in_is_no_witness(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The graph of states judges wrongly: nobody prints what it found."""
    follow = Graph.follow

    def wrong(graph: Graph[object], node: Node[object], k: int) -> Node[object]:
        found = follow(graph, node, k)
        if found.ended is Ended.HOLDS:
            found.ended, found.problem = Ended.VIOLATED, Problem("no_panic", "so it seems")
        return found

    monkeypatch.setattr(Graph, "follow", wrong)
    with pytest.raises(ModelError, match="played again it is HOLDS:None"):
        witness_of(Model(GOOD, PARAMS), "polite", 0)


def test_a_search_and_the_run_that_it_found_must_agree() -> None:
    proof = Prover(Model(M07, PARAMS)).prove()
    assert proof.run is not None

    with pytest.raises(ModelError, match="for a search, and VIOLATED:no_size_change_seen"):
        witness_along(Model(M07, PARAMS), proof.run, way=(Verdict.STUCK, "terminates"))
