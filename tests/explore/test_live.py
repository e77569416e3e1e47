"""Edits that change nothing are refused, or doubted; which runs came first does not matter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from simbbm import discovery
from simbbm.arm64.execution.weaken import As
from simbbm.arm64.ops import Cpu
from simbbm.campaign.stress import StressRequest, stress
from simbbm.changes import Change
from simbbm.check.verdict import Verdict
from simbbm.core.errors import EditError
from simbbm.core.program import routine
from simbbm.core.programs.edits import Edits
from simbbm.explore.counterexample.ablate import Ablator
from simbbm.explore.runs import live
from simbbm.explore.runs.live import require_live
from simbbm.explore.runs.replay import model_of, replay
from simbbm.explore.runs.run import run_one
from simbbm.explore.search.breadth_first import Limits
from simbbm.explore.search.prove import Prover
from simbbm.explore.strategies.kill import Trials, kills
from simbbm.explore.witness.recording import witness_of
from simbbm.linux.mmu import split_pmd, split_pud
from simbbm.linux.tlbflush import flush_tlb_all
from simbbm.model import Model
from simbbm.scenario import Scenario
from tests.campaign import finder

GOOD = discovery.find("linear_map_split::good")
SMALL: dict[str, Any] = {"cpus": 2, "layout": "pmd"}
BY_PAGE = "flush_tlb_kernel_range.tlbi.vaale1is"
"""Only done with flush=pages."""
LOAD_BEARING = "idmap_cpu_set_reserved_ttbr1.dsb.nsh"


@routine
async def flush_by_page(cpu: Cpu) -> None:
    """What is dropped is not in here."""
    await cpu.dsb("ishst")
    await cpu.tlbi("vmalle1is")
    await cpu.dsb("ish")
    await cpu.isb()


def dropping(*steps: str, expect: str = "HOLDS") -> Scenario:
    return replace(GOOD.twin("x", expect=expect, drop=steps, **SMALL), id="mine.py::x")


@pytest.mark.parametrize(
    "twin",
    [
        dropping(BY_PAGE),
        dropping(BY_PAGE, LOAD_BEARING, expect="VIOLATED:no_size_change_seen"),
        GOOD.twin("x", expect="HOLDS", replace={flush_tlb_all: flush_by_page}).twin(
            "x", expect="HOLDS", drop=[BY_PAGE]
        ),
        replace(GOOD, edits=Edits(weaken=((BY_PAGE, As("tlbi.vaale1")),))),
    ],
)
def test_what_no_schedule_comes_to_is_refused(twin: Scenario) -> None:
    """Whatever the rest of the twin does, and whoever asks."""
    with pytest.raises(EditError, match=f"{BY_PAGE}, but no schedule comes to such a step"):
        Prover(Model(twin, SMALL)).prove()


def test_what_only_the_origin_does_counts_for_twins_that_fail_alone() -> None:
    """One that holds has come to all that it does; one that fails may have more before it."""
    other = GOOD.twin("x", expect="HOLDS", replace={flush_tlb_all: flush_by_page}, **SMALL)
    step = "flush_tlb_all.isb"

    with pytest.raises(EditError, match=f"{step}, but no schedule comes to"):
        Prover(Model(other.twin("x", expect="HOLDS", drop=[step], cpus=3, layout="mixed"))).prove()
    failing = other.twin(
        "x", expect="VIOLATED:no_size_change_seen", drop=[step, LOAD_BEARING], **SMALL
    )
    assert Verdict.VIOLATED is Prover(Model(failing)).prove().verdict


def test_it_is_refused_before_a_campaign_and_after_any_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finder, "find", lambda _: dropping(BY_PAGE))
    request = StressRequest(
        scenario_id="x", params=SMALL, runs=10, jobs=1, finder="tests.campaign.finder:find"
    )

    with pytest.raises(EditError, match="no schedule comes to"):
        stress(request)
    with pytest.raises(EditError, match="no schedule comes to"):
        run_one(Model(dropping(BY_PAGE), SMALL), "random", seed=1)


def replayed(twin: Scenario) -> None:
    """A run that the origin has made, under the twin's name."""
    ran = witness_of(Model(GOOD, SMALL), "random", seed=1)
    witness = msgspec.structs.replace(ran, scenario=twin.id)
    replay(witness, model_of(witness, twin))


@pytest.mark.parametrize(
    "asked",
    [
        lambda twin: Prover(Model(twin, SMALL)).prove(),
        lambda twin: run_one(Model(twin, SMALL), "random", seed=1),
        lambda twin: witness_of(Model(twin, SMALL), "random", seed=1),
        lambda twin: kills(Model(twin, SMALL), ["random"], Trials(campaigns=6, cap=1)),
        replayed,
    ],
    ids=["explore", "run", "witness", "kill table", "replay"],
)
def test_it_is_refused_whoever_asks(asked: Callable[[Scenario], object]) -> None:
    with pytest.raises(EditError, match=f"{BY_PAGE}, but no schedule comes to such a step"):
        asked(dropping(BY_PAGE))


@routine
async def nothing(*_: object) -> None:
    """In place of what never runs."""


def test_a_call_that_no_schedule_makes_is_refused() -> None:
    twin = GOOD.twin(
        "x", expect="HOLDS", replace={"split_to_ptes_pud_entry/split_pud": unsplit}, **SMALL
    )

    with pytest.raises(EditError, match="/split_pud, but nothing calls it"):
        Prover(Model(twin)).prove()
    assert require_live(Model(twin, SMALL | {"layout": "pud"})) is None


@routine
async def unsplit(cpu: Cpu, k: Any, pudp: int, pud: Any, state: Any) -> Any:
    """The PUD stays as it is."""
    return state


def test_own_edits_may_idle_where_they_do_not_by_default() -> None:
    """Of several edits; at other parameters than its own, where a twin has such."""
    twin = dropping(BY_PAGE, "flush_tlb_all.tlbi.vmalle1is").twin(
        "x", expect="HOLDS", flush="pages"
    )
    here = SMALL | {"flush": "all"}

    assert Verdict.PROVED == Prover(Model(twin, here), Limits(states=20_000)).prove().verdict
    assert require_live(Model(twin, SMALL | {"flush": "pages"})) is None
    with pytest.raises(EditError, match="split_pmd, but nothing calls it with these parameters"):
        require_live(
            Model(
                GOOD.twin("x", expect="HOLDS", replace={split_pmd: nothing, split_pud: nothing}),
                {"cpus": 2, "layout": "pages"},
            ),
        )


def test_a_change_in_the_id_was_asked_of_these_parameters() -> None:
    """It may not idle, though it acts by default."""
    step = "split_pud.dsb.ishst"
    changed = dropping("flush_tlb_all.tlbi.vmalle1is").changed(Change(step, "remove"))

    assert require_live(Model(changed, GOOD.parameters_from({}))) is None
    with pytest.raises(EditError, match=f"~remove~{step} drops {step}, but no schedule"):
        Prover(Model(changed, SMALL)).prove()


def test_what_is_beyond_the_limit_is_doubted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither as expected nor the author's mistake."""
    monkeypatch.setattr(live, "LIMITS", Limits(states=5))
    twin = dropping(BY_PAGE)
    run = run_one(Model(twin, SMALL), "polite", seed=0)
    assert run.verdict is Verdict.HOLDS
    assert run.doubt
    assert run.doubt.endswith("no schedule comes to such a step within 5 states")


@pytest.mark.parametrize("change", ["remove", "delay", "weaken:dmb.nsh"])
def test_an_ablation_of_what_is_not_there_is_refused(change: str) -> None:
    """At once, and not taken for a step that the program cannot go on without."""
    step = "idmap_cpu_set_reserved_ttbr1.dsb.nhs"

    with pytest.raises(EditError, match="nearest: idmap_cpu_set_"):
        Ablator(Model(GOOD, SMALL), Limits(states=5)).ablate(Change(step, change))
    with pytest.raises(EditError, match="nearest: idmap_cpu_set_"):
        Model(discovery.find(f"linear_map_split::good~{change}~{step}"))


def test_what_is_no_weaker_form_is_refused() -> None:
    changed = GOOD.changed(Change(LOAD_BEARING, "weaken:dsb.sy"))

    with pytest.raises(EditError, match=r"dsb.sy is no weaker form of dsb.nsh .*: dmb.nsh"):
        Prover(Model(changed, SMALL)).prove()
