"""One drain instead of several is taken in the scenarios that it is made for, and changes none."""

from __future__ import annotations

from typing import Any

import pytest

from simbbm.arm64.descriptor import leaf
from simbbm.check.verdict import Verdict
from simbbm.explore.search.attempt import Attempt
from simbbm.explore.search.breadth_first import NO_LIMITS
from simbbm.explore.search.prove import Prover
from simbbm.explore.search.reductions import drains
from simbbm.model import Model
from simbbm.scenario import Scenario
from tests.explore.drained import (
    CHECKS,
    NOABORT,
    assert_same,
    of,
    two,
    used,
)
from tests.scenarios.everything import BIG, GOOD, TWINS
from tests.support import (
    FLAG,
    NEW,
    OLD,
    PX,
    PY,
)


def test_stores_of_leaves_drain_in_one_order() -> None:
    """A contiguous group loses its hint: one store after the other."""
    stores = of(("str", PX, leaf(OLD)), ("str", PY, leaf(NEW)), ("dsb", "ish"), ("str", FLAG, 1))
    contiguous: dict[str, Any] = {
        "x": leaf(OLD, contiguous=True),
        "y": leaf(NEW, contiguous=True),
        "features": NOABORT,
    }
    system = two(stores, always=CHECKS, **contiguous)

    assert assert_same(system)
    assert used(system)


def test_the_real_granule_is_proved_in_few_states() -> None:
    """Sixteen stores clear the contiguous hint of a group."""
    params = {"cpus": 2, "layout": "contpmd", "geometry": "4k"}
    proof = Prover(Model(GOOD, params)).prove()

    assert proof.verdict == Verdict.PROVED
    assert proof.states < 1_200


def _ways(twin: Scenario, params: dict[str, Any]) -> set[str]:
    attempt = Attempt(Model(twin, params), NO_LIMITS, frozenset(), symmetry=True, ample=True)
    return {str(failure.verdict) for failure in attempt.searched.failures}


def _cases() -> list[Any]:
    """Each twin on two layouts; the larger spaces are for the nightly run."""
    return [
        pytest.param(
            twin,
            layout,
            marks=[pytest.mark.quality] * (layout == "mixed" or twin.name in BIG),
            id=f"{twin.name}-{layout}",
        )
        for twin in (GOOD, *TWINS)
        for layout in ("contpmd", "mixed")
    ]


@pytest.mark.parametrize(("twin", "layout"), _cases())
def test_every_twin_keeps_its_verdict(
    twin: Scenario, layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is without this reduction."""
    params = {"cpus": 2, "layout": layout}
    found = _ways(twin, params)
    monkeypatch.setattr(drains, "path", lambda *_: None)

    assert found == _ways(twin, params)
