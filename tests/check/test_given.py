"""What an author gave and should not have: one line says what is wrong and where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import pytest

from simbbm import discovery
from simbbm.check.properties import Property, no_fault_on_live_map, terminates
from simbbm.check.verdict import Verdict
from simbbm.core.errors import ScenarioError
from simbbm.core.system import Problem
from simbbm.explore.search.breadth_first import Limits
from simbbm.explore.search.prove import Prover
from simbbm.model import Model
from simbbm.scenario import Scenario, Setup, scenario

MODES = Literal["with", "without"]
GOOD = discovery.find("bbm_minimal::good")
FIVE: Any = 5
CPU0: Any = GOOD.setup({}).cpus[0]


def at_the_end(shared: Any, state: Any) -> Problem | None:
    return Problem("own_property", "it ends") if state.cpus[0].finished else None


def raises(shared: Any, state: Any) -> Problem | None:
    raise KeyError(1)


def says_yes(shared: Any, state: Any) -> Any:
    return True


def giving(*properties: Any, expect: str = "HOLDS", **changes: Any) -> Scenario:
    def build() -> Setup:
        return replace(GOOD.setup({}), properties=properties, **changes)

    return scenario(expect=expect, story="x")(build)


def no_setup() -> Setup:
    return Setup(symbol={})  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: giving("no_panic"), "properties: 'no_panic' is no Property"),
        (lambda: giving(no_fault_on_live_map), r"no_fault_on_live_map\(\.\.\.\) may give one"),
        (lambda: giving(terminates, cpus=[]), r"cpus: \[\] is no tuple"),
        (lambda: giving(terminates, cpus=("x",)), "cpus: 'x' is no CpuSetup"),
        (lambda: giving(terminates, cpus=CPU0), "cpus: CpuSetup is no tuple"),
        (lambda: giving(terminates, cpus=()), "the first of its cpus: None is no CpuSetup"),
        (lambda: giving(cpus=(CPU0._replace(program="x"),)), "cpu0's program: 'x' is no func"),
        (lambda: giving(cpus=(CPU0._replace(program=str),)), "cpu0's program: str is no func"),
        (lambda: giving(cpus=(CPU0._replace(regime=None),)), "cpu0's regime: None is no Regime"),
        (lambda: giving(cpus=(CPU0._replace(features=1),)), "cpu0's features: 1 is no Features"),
        (lambda: giving(cpus=(CPU0._replace(args=5),)), "cpu0's args: 5 is no tuple"),
        (lambda: giving(handler=5), "handler: 5 is no function or None"),
        (lambda: giving(tables={0: (1, 2)}), "the table at 0: 1 is no Descriptor"),
        (lambda: giving(tables={"a": ()}), "a key of tables: 'a' is no int"),
        (lambda: giving(data={1: None}), "data at 1: None is no word"),
        (lambda: giving(symbols={1: 2}), "symbols at 1: 2 is no str"),
        (lambda: giving(landmarks={"x": 1}), "landmarks at x: 1 is no predicate"),
        (lambda: giving(Property("own", FIVE)), "own's check: 5 is no predicate or None"),
        (lambda: giving(Property(FIVE)), "a property's name: 5 is no str"),
        (lambda: giving(terminates, tables=None), "tables: None is no Mapping"),
        (lambda: giving(terminates, geometry="4k"), "geometry: '4k' is no Geometry"),
        (lambda: scenario(story="x")(no_setup), r"test_given.py:\d+: .*TypeError: .*'symbol'"),
        (lambda: giving(expect="VIOLATED:own_propert"), "there is no such property"),
        (lambda: giving(Property("own", raises)), r"test_given.py:\d+: property own: KeyError: 1"),
        (lambda: giving(Property("own", says_yes)), "property own returned a bool"),
    ],
)
def test_what_is_of_another_kind_is_refused(build: Callable[[], Scenario], message: str) -> None:
    system = build()

    with pytest.raises(ScenarioError, match=message):
        Prover(Model(system), Limits(states=10)).prove()


def test_a_property_of_ones_own_may_be_expected() -> None:
    own = giving(Property("own_property", at_the_end), expect="VIOLATED:own_property")

    proof = Prover(Model(own)).prove()

    assert (Verdict.VIOLATED, "own_property") == (proof.verdict, proof.property)


def test_a_property_that_a_scenario_has_by_default_may_be_expected_without_it() -> None:
    def build(*, mode: str = "with") -> Setup:
        own = (Property("own_property", at_the_end),) if mode == "with" else ()
        return replace(GOOD.setup({}), properties=(terminates, *own))

    build.__annotations__["mode"] = MODES
    own = scenario(expect="VIOLATED:own_property", story="x")(build)

    assert () == Model(own, {"mode": "without"}).system.judged.final
