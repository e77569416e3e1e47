"""An image above what T0SZ reaches: the secondaries have to widen it for the idmap (S4)."""

from __future__ import annotations

import pytest

from simbbm.core.choice import Polite
from simbbm.core.graph import Graph
from simbbm.model import Model
from tests.scenarios.everything import GOOD, walk

PARAMS = {"cpus": 2, "layout": "pmd", "image": "high"}


def test_good_holds_on_every_schedule() -> None:
    assert {"HOLDS"} == set(walk(Model(GOOD, PARAMS).system).ends)


@pytest.mark.parametrize(("image", "widened"), [("high", True), ("low", False)])
def test_t0sz_is_widened_only_where_the_idmap_needs_it(image: str, widened: bool) -> None:
    graph = Graph(Model(GOOD, PARAMS | {"image": image}).system)
    chooser, node, labels = Polite(), graph.initial, set()
    while node.ended is None:
        k = chooser.choose(node)
        labels.add(node.moves[k].label)
        node = graph.follow(node, k)

    there = "cpu1:cpu_install_idmap/cpu_set_idmap_tcr_t0sz.msr.tcr_el1" in labels
    back = "cpu1:cpu_uninstall_idmap/cpu_set_default_tcr_t0sz.msr.tcr_el1" in labels
    assert (widened, widened) == (there, back)
