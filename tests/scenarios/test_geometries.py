"""The real granules: the protocol holds, a twin is caught, and what a granule lacks is refused."""

from __future__ import annotations

from typing import Any

import pytest

from simbbm.core.errors import UsageError
from simbbm.explore.runs.run import run_one
from simbbm.model import Model
from tests.scenarios.everything import GOOD, twin

REAL = ["4k", "16k", "64k"]


@pytest.mark.parametrize("geometry", REAL)
@pytest.mark.parametrize("layout", ["pmd", "contpmd"])
def test_good_holds_and_a_missing_isb_is_caught(geometry: str, layout: str) -> None:
    params: dict[str, Any] = {"cpus": 2, "geometry": geometry, "layout": layout}

    assert run_one(Model(GOOD, params), "random", seed=0).verdict == "HOLDS"
    caught = run_one(Model(twin("m11_no_isb_before_tlbi"), params), "random", seed=0)
    assert (caught.verdict, caught.property) == ("VIOLATED", "no_size_change_seen")


@pytest.mark.parametrize("geometry", ["16k", "64k"])
@pytest.mark.parametrize("layout", ["pud", "pud39"])
def test_level_1_blocks_are_refused_where_there_are_none(geometry: str, layout: str) -> None:
    with pytest.raises(UsageError, match=f"the {geometry} granule has no level 1 blocks"):
        GOOD.setup({"geometry": geometry, "layout": layout})
