"""What is left of a path to a DSB is foreseen, and is what would be followed (`drains`)."""

from __future__ import annotations

from typing import Any

import pytest

from simbbm import discovery
from simbbm.arm64.context import Shared
from simbbm.arm64.cpu import CpuState
from simbbm.arm64.translation.memory import Memory
from simbbm.core.system import Move
from simbbm.explore.search.prove import Prover
from simbbm.explore.search.reductions import drains
from simbbm.model import Model


@pytest.mark.parametrize("layout", ["contpte", "mixed"])
def test_what_was_foreseen_of_a_path_is_what_is_followed(
    layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, foreseen, times = drains.path, drains._foreseen, [0]

    def kept(pe: CpuState, memory: Memory) -> Any:
        found = foreseen(pe, memory)
        times[0] += found is not None
        return found

    def compared(shared: Shared, pe: CpuState, memory: Memory, moves: tuple[Move, ...]) -> Any:
        found = path(shared, pe, memory, moves)
        anew = drains._Follower(shared, pe, memory).follow() if found else None
        assert found == (anew and anew.path)
        return found

    monkeypatch.setattr(drains, "SHORT", 1)
    monkeypatch.setattr(drains, "_foreseen", kept)
    monkeypatch.setattr(drains, "path", compared)
    params = {"cpus": 2, "layout": layout, "geometry": "scaled4"}
    assert Prover(Model(discovery.find("linear_map_split::good"), params)).prove().run is None
    assert times[0] > 10
