"""The steps that programs can come to, as read from their code."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, NamedTuple

import pytest

from simbbm import discovery
from simbbm.arm64.ops import Aborted, Cpu
from simbbm.changes import edits
from simbbm.check.steps import Steps
from simbbm.core.errors import EditError
from simbbm.core.program import repeat_until, routine
from simbbm.core.programs.automaton import Automaton
from simbbm.core.programs.edits import Edits
from simbbm.core.programs.labels import parts
from simbbm.explore.runs.live import explored, politely
from simbbm.linux import proc
from simbbm.linux.barrier import equals
from simbbm.linux.mmu import split_pud
from simbbm.model import Model, _steps
from simbbm.scenario import NO_EDITS, Scenario, Setup, scenario
from tests.scenarios.everything import SHIPPED
from tests.support import skip

ORIGINS = tuple(s for s in SHIPPED if s.parent is None)
SEARCHED = ("linear_map_split::good", "bbm_minimal::good", "memory_hotplug::good")
GOOD = discovery.find("linear_map_split::good")


def exact_pattern(label: str) -> str:
    """The pattern that names the step with this label alone."""
    *routines, step = parts(label)
    kept = [name if "#" in name else f"{name}#1" for name in routines]
    return f"{'/'.join(kept)}.{step}"


@pytest.mark.parametrize("origin", ORIGINS, ids=[s.id for s in ORIGINS])
def test_every_step_that_a_run_comes_to_is_known(origin: Scenario) -> None:
    """What is read errs towards `can`."""
    model = Model(origin)
    automaton = model.system.spec.automaton
    assert isinstance(automaton, Automaton)
    steps = _steps(automaton, model.setup)
    labels = [*politely(model).labels]
    if origin.id in SEARCHED:
        labels += explored(model).space.system.spec.automaton.labels
    patterns = [exact_pattern(label) for label in labels]

    assert patterns
    assert [] == steps.unknown(Edits(drop=tuple(patterns)))


STEP = "idmap_cpu_set_reserved_ttbr1"


@pytest.mark.parametrize(
    ("edit", "nearest"),
    [
        (f"{STEP}.dsb", f"{STEP}.dsb.nsh"),
        (f"{STEP}.dsb.nhs", f"{STEP}.dsb.nsh"),
        (f"{STEP}.tlbi.vmalle2", f"{STEP}.tlbi.vmalle1"),
        ("idmap_set_reserved_ttbr1.dsb.nsh", f"{STEP}.dsb.nsh"),
        ("flush_tlb_kernel_range.tlbi.vaale1", "flush_tlb_kernel_range.tlbi.vaale1is"),
        ("walk_pud_range/flush_tlb_all.isb", "flush_tlb_all.isb"),
        ("flush_tlb_all/isb", None),
        ("boot.isb", None),
        ("isb", None),
        ("", None),
        ("nosuch~.isb", None),
    ],
)
def test_what_no_code_can_produce_is_refused_with_what_is_near(
    edit: str, nearest: str | None
) -> None:
    with pytest.raises(EditError, match="no step is called that") as caught:
        Model(replace(GOOD, edits=Edits(drop=(edit,))))

    assert caught.value.hint
    near = caught.value.hint.removeprefix("nearest: ")
    assert nearest in (near, None)
    Model(replace(GOOD, edits=Edits(drop=(near,))))


@pytest.mark.parametrize(
    "edit",
    [
        f"{STEP}.isb",
        f"{STEP}.isb#2",
        f"wait_linear_map_split_to_ptes/{STEP}#1.dsb.nsh#1",
        "stopper/cpu_stopper_thread/cpu_stopper_work/multi_cpu_stop.wait#4",
        "multi_cpu_stop/call_fn/linear_map_split_to_ptes/smp_processor_id_is.mrs.mpidr_el1",
        "cpu_stopper_thread/wait_for_work.wait.acquire",
        "flush_tlb_kernel_range.tlbi.vaale1is",
    ],
)
def test_what_code_can_produce_is_left_to_the_search(edit: str) -> None:
    machine = Model(replace(GOOD, edits=Edits(drop=(edit,)))).system

    assert (edit,) == machine.spec.automaton.edits.drop


def test_replacements_and_what_they_replace_have_steps() -> None:
    """A twin of a twin may name either."""
    twin = GOOD.twin("x", expect="HOLDS", replace={proc.scondary_cpu_wait: counts})

    for edit in ("counts.ldr", "wait_linear_map_split_to_ptes/counts.ldr", "scondary_cpu_wait.isb"):
        Model(twin.twin("x", expect="HOLDS", drop=[edit]))
    with pytest.raises(EditError, match="no step is called that"):
        Model(twin.twin("x", expect="HOLDS", drop=["scondary_cpu_wait/counts.ldr"]))


@routine
async def counts(cpu: Cpu, k: Any, swapper_ttb: Any) -> None:
    await cpu.ldr(k.flag_idmap)


@pytest.mark.parametrize("old", [equals, counts, skip, Steps])
def test_what_is_no_routine_of_the_programs_cannot_be_replaced(old: Any) -> None:
    with pytest.raises(EditError, match="nothing calls it"):
        Model(GOOD.twin("x", expect="HOLDS", replace={old: counts}))


@pytest.mark.parametrize(
    ("call", "nearest"),
    [
        (
            "linear_map_split_to_ptes/range_split_to_pte",
            "linear_map_split_to_ptes/range_split_to_ptes",
        ),
        ("linear_map_split/range_split_to_ptes", "linear_map_split_to_ptes/range_split_to_ptes"),
        ("scondary_cpu_wait/wait_for_one#2", "scondary_cpu_wait/wait_for_zero"),
        ("split_pmd/split_pud", None),
        ("nosuch/nowhere", None),
    ],
)
def test_a_call_that_no_code_makes_is_refused_with_what_is_near(
    call: str, nearest: str | None
) -> None:
    with pytest.raises(EditError, match=f"replaces {call}, but nothing is called there") as caught:
        Model(GOOD.twin("x", expect="HOLDS", replace={call: counts}))

    assert caught.value.hint
    near = caught.value.hint.removeprefix("nearest: ")
    assert nearest in (near, None)
    Model(GOOD.twin("x", expect="HOLDS", replace={near: counts}))


def test_what_stands_in_for_a_call_has_steps_and_makes_calls_itself() -> None:
    call = "linear_map_split_to_ptes/range_split_to_ptes#2"
    twin = GOOD.twin("x", expect="HOLDS", replace={call: splits_nothing})

    for edit in ("splits_nothing.nop", "linear_map_split_to_ptes/splits_nothing/counts.ldr"):
        Model(twin.twin("x", expect="HOLDS", drop=[edit]))
    with pytest.raises(EditError, match="no step is called that"):
        Model(twin.twin("x", expect="HOLDS", drop=["call_fn/splits_nothing.nop"]))


@routine
async def splits_nothing(cpu: Cpu, k: Any, start: int, end: int, state: Any) -> Any:
    await cpu.nop()
    await counts(cpu, k, start)
    return state


def test_what_the_default_machine_has_may_be_named_on_another() -> None:
    """A layout without level 1 blocks still has the code that would split them."""
    twin = GOOD.twin("x", expect="HOLDS", replace={split_pud: counts})

    assert not Model(twin, {"layout": "pages"}).system.spec.automaton.used_edits


def test_what_the_origin_has_by_default_may_be_named_by_a_twin_without_it() -> None:
    def build(*, mode: Literal["plain", "handled"] = "handled") -> Setup:
        setup = discovery.find("bbm_minimal::good").setup({})
        return setup if mode == "handled" else replace(setup, handler=None)

    build.__annotations__["mode"] = Literal["plain", "handled"]
    origin = scenario(story="x")(build)
    twin = origin.twin("x", expect="HOLDS", drop=["retry.eret"], mode="plain")

    assert Model(twin).system.shared.handler is None
    with pytest.raises(EditError, match="but no step is called that"):
        Model(origin.twin("x", expect="HOLDS", drop=["retry.iret"], mode="plain"))


# Programs of every form.

OPTION = "ishst"


@routine
async def forms(cpu: Cpu, option: str, fn: Any) -> None:
    await cpu.dsb()
    await cpu.dsb(option="nsh")
    await cpu.dmb(OPTION)
    await cpu.wait(0, is_one)
    await helps(cpu)
    await repeat_until(turn, cpu)
    await fn(cpu)
    load = cpu.ldar
    await load(0)
    assert option


async def helps(cpu: Cpu) -> None:
    """No frame of its own."""
    await cpu.sev()


async def turn(cpu: Cpu) -> bool:
    return bool(await cpu.ldxr(0))


@routine
async def by_name(cpu: Cpu, name: str) -> None:
    await getattr(cpu, name)()


def is_one(value: int) -> bool:
    return value == 1


class Record(NamedTuple):
    """Hands on what it does not know: no step comes of that."""

    inner: tuple[int, ...] = ()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


RECORD = Record()


async def calls(cpu: Cpu) -> None:
    await forms(cpu, "x", handed if RECORD.inner else plain)
    await by_name(cpu, "isb")


@routine
async def handed(cpu: Cpu) -> None:
    await cpu.sevl()


async def plain(cpu: Cpu) -> None:
    """Handed on, and awaited without a frame of its own."""
    await cpu.sev()
    await cpu.ldaxr(0)


async def instead(cpu: Cpu) -> None:
    """In place of a program: it keeps the program's name."""
    await cpu.daifset()


async def handler(cpu: Cpu, aborted: Aborted) -> None:
    await cpu.eret()


def unknown(*patterns: str, replace: Edits = NO_EDITS) -> list[str]:
    automaton = Automaton(replace)
    automaton.purity.require(calls, "x")
    automaton.purity.require(handler, "x")
    steps = Steps(automaton, [calls, handler])
    return [edit.name for edit in steps.unknown(Edits(drop=patterns))]


def test_steps_are_read_in_every_form() -> None:
    known = ["dsb.ish", "dsb.nsh", "dmb.ishst", "dmb.sy", "wait", "sev", "ldar", "ldaxr", "panic"]
    others = ["dsb.sy", "dmb.nothing", "wait.acquire", "wfe", "isb"]

    assert [] == unknown(*(f"forms.{step}" for step in known))
    assert [f"forms.{step}" for step in others] == unknown(*(f"forms.{step}" for step in others))


def test_a_program_keeps_its_name_where_another_runs_in_its_place() -> None:
    other = edits({calls: instead})

    assert ["calls.daifset"] == unknown("calls.daifset")
    assert [] == unknown("calls.daifset", "calls/forms.ldar", replace=other)


def test_who_calls_whom_is_read_in_every_form() -> None:
    known = ["forms/turn.ldxr", "calls/forms/handed.sevl", "handler.eret", "by_name.tlbi.vae1is"]
    others = ["helps.sev", "calls/turn/forms.sev", "handler.isb", "by_name.nothing", "turn.sevl"]

    assert [] == unknown(*known)
    assert others == unknown(*others)
