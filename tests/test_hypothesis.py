"""The bridge to Hypothesis: it draws scenarios, simbbm searches schedules, and both shrink."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from simbbm_scenarios import bbm_minimal
from simbbm_scenarios.linear_map_split import good

from simbbm import KERNEL_PAGE, CpuSetup, Descriptor, Features, Setup, UsageError, Verdict, leaf
from simbbm.hypothesis import (
    DoesNotHoldError,
    Steps,
    features,
    interference,
    layouts,
    must_hold,
    program,
    programs,
    systems,
)
from simbbm.hypothesis.interpreter import OBSERVES
from simbbm.hypothesis.strategies import LARGE
from simbbm.model import Model

PAGE = (Path(__file__).parents[1] / "simbbm/guide/pytest.md").read_text()
PLAIN = settings(deadline=None, database=None, derandomize=True)
X, PAGES = bbm_minimal.X, (KERNEL_PAGE, KERNEL_PAGE + 1)
NO_EXPLANATION = (Phase.generate, Phase.shrink)


@settings(PLAIN, max_examples=60)
@given(layout=layouts(), has=features())
def test_every_layout_and_cpu_that_is_drawn_can_be_built(layout: str, has: Features) -> None:
    setup = Model(good, {"cpus": 2, "layout": layout, "cpu1": has}).setup

    assert has == setup.cpus[1].features
    assert layout.partition("+")[0] in LARGE


@pytest.mark.parametrize("strategy", [features(), layouts(), interference(), programs([X], PAGES)])
def test_what_is_drawn_shrinks_to_the_plainest(strategy: st.SearchStrategy[Any]) -> None:
    plainest = find(strategy, lambda _: True, settings=PLAIN)

    assert plainest in (Features(), "pmd", (), (("ldr", X),))


def beside(setup: Setup, steps: Steps, has: Features = Features()) -> Setup:  # noqa: B008 - frozen
    """A machine with one more CPU, which does these steps."""
    third = CpuSetup(program, setup.cpus[1].regime, steps, has)
    return replace(setup, cpus=(*setup.cpus, third))


@settings(PLAIN, max_examples=8)
@given(steps=interference([X], PAGES, most=2), has=features())
def test_break_before_make_holds_beside_interference(steps: Steps, has: Features) -> None:
    proof = must_hold(beside(bbm_minimal.good.setup({}), steps, has))

    assert (Verdict.PROVED, True) == (proof.verdict, proof.states > 100)


def test_interference_writes_nothing_and_waits_for_nothing() -> None:
    writes = ("str", "stlr", "stxr", "stlxr", "ldaddal", "msr", "wait", "await", "wfe")

    @settings(PLAIN, max_examples=200)
    @given(steps=interference([X], PAGES, most=6))
    def drawn(steps: Steps) -> None:
        assert not any(name in writes for name, *_ in steps)

    drawn()


def test_a_store_by_somebody_else_is_found_and_made_small() -> None:
    """Of what was drawn the one step that matters is left, and the nearest schedule is shown."""
    other: tuple[int, Descriptor] = (bbm_minimal.PMD_VA, leaf(1))
    setup = bbm_minimal.good.setup({})

    @settings(PLAIN, max_examples=60, phases=NO_EXPLANATION)
    @given(steps=programs([X], PAGES, descriptors=[other], most=3))
    def holds(steps: Steps) -> None:
        if any(step[1:2] == other[:1] for step in steps):
            must_hold(beside(setup, steps), max_states=2_000)

    with pytest.raises(DoesNotHoldError) as raised:
        holds()
    told = str(raised.value)
    assert told.startswith("VIOLATED:no_tlb_conflict: ")
    assert re.search(r"^> +1 .*drain pmd = leaf\(0x1\) <-0$", told, re.MULTILINE)
    assert f"steps=(('str', {other[0]}," in "".join(raised.value.__notes__)


def test_parameters_and_the_schedule_of_a_scenario_are_shown() -> None:
    with pytest.raises(AssertionError, match="no_size_change_seen") as raised:
        must_hold("bbm_minimal::live_change", {"cpu1": Features(bbm=2, ets2=True)})

    told = str(raised.value)
    assert "  cpu1=bbm=2,noabort=False,ets2=True," in told
    assert "drain pmd = table(pte)" in told


def test_a_machine_that_is_too_large_is_given_back_and_counted() -> None:
    judged = []

    @settings(PLAIN, max_examples=5)
    @given(states=st.sampled_from((10_000, 5)))
    def drawn(states: int) -> None:
        must_hold(bbm_minimal.good, max_states=states)
        judged.append(states)

    drawn()
    assert {10_000} == {*judged}


@settings(PLAIN, max_examples=5)
@given(system=systems())
def test_whole_systems_are_scenarios(system: Any) -> None:
    model = Model(system.scenario())

    assert model.system.moves(model.system.initial()) or not model.setup.cpus


def test_observing_steps_are_those_of_the_table() -> None:
    """The interpreter keeps what a step observed."""
    from simbbm.arm64.execution.instructions import RULES

    known = {name for name, rule in RULES.items() if rule.observes and "." not in name}
    assert known - {"mrs", "hvc"} == {*OBSERVES}


def test_without_hypothesis_one_line_says_what_to_install() -> None:
    code = "import sys; sys.modules['hypothesis'] = None; import simbbm.hypothesis"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    *_, last = done.stderr.splitlines()
    wanted = "simbbm.hypothesis needs Hypothesis: pip install 'simbbm[hypothesis]'"
    assert f"ModuleNotFoundError: {wanted}" == last


def test_the_example_of_the_guide_passes(pytester: pytest.Pytester) -> None:
    found = re.search(r"<!-- hypothesis -->\n```python\n(.*?)```", PAGE, re.DOTALL)
    assert found
    pytester.makeini("[pytest]\naddopts = -n0 -p no:randomly -p no:asyncio")
    pytester.makepyfile(found[1])
    pytester.runpytest_subprocess().assert_outcomes(passed=2)


def test_outside_of_a_property_test_it_is_an_assertion() -> None:
    assert must_hold("bbm_minimal::good").states == must_hold(bbm_minimal.good).states
    with pytest.raises(UsageError, match="more than 5 states"):
        must_hold(bbm_minimal.good, max_states=5)
