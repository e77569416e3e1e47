"""A model is checked when it is made, and made once."""

from __future__ import annotations

import pytest

from simbbm import discovery
from simbbm.arm64.features import Hardware
from simbbm.core.errors import EditError, UsageError
from simbbm.model import Model

GOOD = discovery.find("linear_map_split::good")
SMALL = {"cpus": 2, "layout": "pmd"}


def test_one_with_an_edit_that_names_nothing_cannot_be_made() -> None:
    misspelt = GOOD.twin("x", expect="HOLDS", drop=["flush_tlb_all.tlbi.vmalle1si"])

    with pytest.raises(EditError, match="no step is called that"):
        Model(misspelt, SMALL)


def test_one_with_parameters_that_are_not_allowed_cannot_be_made() -> None:
    with pytest.raises(UsageError, match="cpus=99: not allowed"):
        Model(GOOD, {"cpus": 99})
    with pytest.raises(UsageError, match="cpus=1: not allowed"):
        Model(GOOD).with_(cpus=1)


def test_what_is_derived_is_another_only_if_something_differs() -> None:
    model = Model(GOOD, SMALL)

    assert model is model.with_(**SMALL)
    assert {**model.params, "cpus": 3} == model.with_(cpus=3).params
    assert "late drain" not in model.on(without_late_drains).setup.hardware.freedoms


def without_late_drains(hardware: Hardware) -> Hardware:
    return hardware.without("late drain")


def test_a_machine_is_shared_unless_it_is_made_anew() -> None:
    model = Model(GOOD, SMALL)
    met = model.graph.initial
    alone = model.anew()

    assert model.graph.system is model.system
    assert alone.system is not model.system
    assert alone.graph.initial is not met
    assert alone.system.spec.automaton is not model.system.spec.automaton
    assert model.system.digest(met.state) == alone.system.digest(alone.graph.initial.state)
