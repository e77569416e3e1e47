"""The merged protocol where loads overtake earlier operations: it relies on no order of theirs."""

from __future__ import annotations

import pytest

from tests.scenarios.everything import GOOD, everything


@pytest.mark.parametrize(("cpus", "layout"), [(2, "pmd"), (2, "mixed"), (2, "pud"), (3, "pmd")])
def test_good_holds_with_loads_that_overtake(cpus: int, layout: str) -> None:
    in_order = everything(GOOD, cpus=cpus, layout=layout)
    on_window = everything(GOOD, cpus=cpus, layout=layout, window=4)

    assert {"HOLDS"} == set(on_window.ends)
    assert on_window.states > in_order.states
