"""Five kinds of properties: each is judged on what it says, and on nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from simbbm import Move, Problem, Property, Shared
from simbbm.arm64.descriptor import RO, leaf
from simbbm.arm64.features import DELAYED
from simbbm.arm64.machine import Arm64
from simbbm.check.catalogue import CATALOGUE_BY_KIND, Kind
from simbbm.check.properties import no_stale_translation, terminates
from simbbm.check.verdict import Verdict
from simbbm.explore.search.prove import Prover
from simbbm.model import Model
from simbbm.scenario import Setup, scenario
from tests.check.test_properties import TABLES, judged
from tests.scenarios.everything import GOOD
from tests.support import OLD, PX, X, explore, little

DSB, ISB = ("dsb", "ish"), ("isb",)
CHANGED = (("str", PX, leaf(OLD, RO)), DSB, ISB, ("ldr", X))
"""The load may still use the entry that was there before the store."""


def two_cpus(*, window: int, **judges: Any) -> Arm64:
    """The load is translated before or after another CPU's store, and performed later."""
    others = CHANGED[:2], CHANGED[-1:]
    return little(*others, x=leaf(OLD), hardware=DELAYED._replace(window=window), **judges)


def system(*, window: int, **judges: Any) -> Arm64:
    return little(CHANGED, x=leaf(OLD), hardware=DELAYED._replace(window=window), **judges)


def no_broadcast(shared: Shared, move: Move) -> Problem | None:
    """A property of somebody's own: judged by what the move says of itself."""
    if move.what.endswith(".tlbi.vmalle1is"):
        return Problem("no_broadcast", f"cpu{move.cpu} sends a TLBI to all", move.cpu)
    return None


def test_the_catalogue_says_of_which_kind_a_property_is() -> None:
    kinds = {name: kind for kind, names in CATALOGUE_BY_KIND.items() for name in names}

    assert {p.name: p.kind for p in judged(TABLES)} == {
        p.name: kinds[p.name] for p in judged(TABLES)
    }
    assert set(Kind) == set(CATALOGUE_BY_KIND)


def test_a_step_property_of_ones_own_fails_where_the_step_is_taken() -> None:
    def build() -> Setup:
        own = Property("no_broadcast", step=no_broadcast)
        return replace(GOOD.setup({"cpus": 2, "layout": "pmd"}), properties=(own, terminates))

    proof = Prover(Model(scenario(expect="VIOLATED:no_broadcast", story="x")(build))).prove()

    assert (Verdict.VIOLATED, "no_broadcast") == (proof.verdict, proof.property)
    assert "sends a TLBI to all" in proof.message


@pytest.mark.parametrize("window", [1, 2, 4])
def test_a_stale_access_is_judged_only_where_that_is_promised(window: int) -> None:
    assert no_stale_translation.step is not None
    promised = explore(system(window=window, step=(no_stale_translation.step,)))

    assert {"no_stale_translation"} == promised.problems
    assert set() == explore(system(window=window)).problems


@pytest.mark.parametrize("window", [2, 4])
def test_states_carry_what_a_step_property_looks_at_only_if_there_is_one(window: int) -> None:
    def noted(states: Any) -> int:
        flights = (cpu.flight for state in states for cpu in state.cpus if cpu.flight)
        return sum(any(entry.stale for entry in flight.window) for flight in flights)

    def nothing(shared: Shared, move: Move) -> None:
        """A step property that never fails."""

    without = explore(two_cpus(window=window)).states
    states = explore(two_cpus(window=window, step=(nothing,))).states

    assert (0, True) == (noted(without), noted(states) > 0)
    assert len(without) < len(states)
