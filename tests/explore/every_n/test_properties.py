"""No property gets at the number of CPUs: one that might is refused, or shown one CPU at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from simbbm import Cpu, OneCpu, Property, cpu_numbers, each_cpu, no_fault_on_live_map
from simbbm.check.properties import _each_cpu
from simbbm.check.verdict import Verdict
from simbbm.core.system import Problem
from simbbm.explore.certificate.file import VERSION, Certificate
from simbbm.explore.certificate.verify import verify
from simbbm.explore.every_n.counting import Refused
from simbbm.explore.every_n.setting import model_for_all
from simbbm.explore.search.prove import Prover
from simbbm.model import Model
from simbbm.scenario import Scenario
from tests.explore.every_n.gathering import FLAG, of, proved
from tests.explore.every_n.test_refused import counted, nothing

FOUR = Problem("four", "there are four")


def found(is_four: object) -> Problem | None:
    return FOUR if is_four else None


# Predicates that fail on four CPUs, and on no fewer.


def by_length(shared: Any, machine: Any) -> Problem | None:
    return found(len(machine.cpus) == 4)


def by_a_sum(shared: Any, machine: Any) -> Problem | None:
    return found(sum(1 for _ in machine.cpus) == 4)


def by_counting(shared: Any, machine: Any) -> Problem | None:
    count = 0
    for _ in machine.cpus:
        count += 1
    return found(count > 3)


def by_an_index(shared: Any, machine: Any) -> Problem | None:
    try:
        return found(machine.cpus[3])
    except IndexError:
        return None


def by_a_slice(shared: Any, machine: Any) -> Problem | None:
    return found(machine.cpus[3:])


def by_numbering(shared: Any, machine: Any) -> Problem | None:
    return found(any(number == 3 for number, _ in enumerate(machine.cpus)))


def by_unpacking(shared: Any, machine: Any) -> Problem | None:
    match machine.cpus:
        case (_, _, _, _):
            return FOUR
    return None


def by_zipping(shared: Any, machine: Any) -> Problem | None:
    return found(list(zip(range(9), machine.cpus, strict=False))[3:])


def by_who_has_come(shared: Any, machine: Any) -> Problem | None:
    return found(sum(pe.finished for pe in machine.cpus) == 4)


def by_iterating(shared: Any, machine: Any) -> Problem | None:
    every = iter(machine.cpus)
    return found([next(every, None) for _ in range(4)][3])


def by_what_cpus_share(shared: Any, machine: Any) -> Problem | None:
    """Of each CPU it is written there which of its pages are constant."""
    return found(len(shared.constant) == 4)


def by_the_programs(shared: Any, machine: Any) -> Problem | None:
    return found(len({*map(id, machine.cpus)}) > 3)


ALWAYS = [
    by_length, by_a_sum, by_counting, by_an_index, by_a_slice, by_numbering, by_unpacking,
    by_zipping, by_who_has_come, by_iterating, by_what_cpus_share, by_the_programs,
]  # fmt: skip


def by_who_moves(shared: Any, move: Any) -> Problem | None:
    return found(move.cpu == 3)


def by_the_name_of_a_move(shared: Any, move: Any) -> Problem | None:
    return found("cpu3" in move.label)


STEP = [by_who_moves, by_the_name_of_a_move]


def promising(held: Property) -> Scenario:
    return of(nothing, counted, more=lambda _: (held,))


def refusal(it: Scenario) -> str:
    """Why there is no machine for every number of CPUs."""
    with pytest.raises(Refused) as refused:
        model_for_all(it, {}, 2)
    return str(refused.value)


def test_the_proof_and_its_check_refuse_alike() -> None:
    it = promising(Property("four", by_length, uniform=True))
    answer = proved(it)

    assert answer.verdict is Verdict.INCONCLUSIVE
    assert "four is shown how many CPUs there are" in answer.message
    empty = Certificate(
        version=VERSION, simbbm="", scenario=it.id, params={}, k=2,
        targets={}, readings={}, shared=[], locals=[], met=[], views=[], levels=None, orders=None,
    )  # fmt: skip
    assert answer.message == f"refused: {verify(empty, it).fault}"


@pytest.mark.parametrize("check", ALWAYS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("kind", ["check", "final"])
def test_a_property_of_states_that_may_count_is_refused(
    check: Callable[..., Any], kind: str
) -> None:
    always, final = (None, check) if kind == "final" else (check, None)
    it = promising(Property("four", always, final, uniform=True))

    assert "four is shown how many CPUs there are" in refusal(it)


@pytest.mark.parametrize("check", STEP, ids=lambda check: check.__name__)
def test_a_property_of_moves_that_knows_who_moves_is_refused(check: Callable[..., Any]) -> None:
    it = promising(Property("four", step=check, uniform=True))

    assert "four is shown how many CPUs there are" in refusal(it)
    assert Prover(Model(it, {"cpus": 4})).prove().verdict is Verdict.VIOLATED


def test_a_judge_that_is_handed_to_what_simbbm_brings_is_refused() -> None:
    def four(shared: Any, machine: Any, number: int, pe: Any) -> str | None:
        return " is the fourth" if number == 3 else None

    assert "is shown how many CPUs there are" in refusal(promising(_each_cpu("four", four)))


# What a predicate of one CPU is shown.


def never(one: OneCpu) -> str | None:
    return None


def test_one_that_is_shown_one_cpu_is_proved() -> None:
    it = promising(each_cpu("fine", never))

    assert proved(it).verdict is Verdict.PROVED
    assert proved(promising(each_cpu("fine", never, at_end=True))).verdict is Verdict.PROVED


def has_finished(one: OneCpu) -> str | None:
    return "has finished" if one.pe.finished else None


@pytest.mark.parametrize("at_end", [False, True])
def test_what_it_says_of_a_cpu_counts(at_end: bool) -> None:
    answer = proved(promising(each_cpu("done", has_finished, at_end=at_end)))

    assert (answer.verdict, answer.property, answer.cpus) == (Verdict.VIOLATED, "done", 2)
    assert answer.message == "cpu0 has finished"


def knows(one: OneCpu, wanted: Any) -> str | None:
    point: Any = one.pe.point
    return "knows that there are four" if point.args[1:] == (wanted,) else None


def test_it_cannot_ask_for_the_number_either() -> None:
    told = "N is compared with a number"
    assert told in proved(promising(each_cpu("four", knows, 4))).message
    it = of(nothing, counted, more=lambda n: (each_cpu("four", is_four, n),))
    assert told in proved(it).message


def is_four(one: OneCpu, n: Any) -> str | None:
    return "is one of four" if n == 4 else None


MET: list[int] = []


def remembers(one: OneCpu) -> str | None:
    MET.append(1)
    return None


def of_a_type(one: OneCpu, n: Any) -> str | None:
    return "is one of four" if type(n) is int and n == 4 else None


def test_it_looks_at_constants_alone() -> None:
    assert "MET" in refusal(promising(each_cpu("met", remembers)))
    it = of(nothing, counted, more=lambda n: (each_cpu("four", of_a_type, n),))
    assert "type()" in refusal(it)


async def flushes(cpu: Cpu, *_: Any) -> None:
    """Has a TLBI of its own pending for a while."""
    await cpu.ldaddal(FLAG, 1)
    await cpu.tlbi("vmalle1")
    await cpu.dsb("nsh")


def is_flushed_by_the_fourth(one: OneCpu) -> str | None:
    return "is told" if any(p.issuer == 3 for p in one.pe.pending_tlbis) else None


def test_it_is_not_told_whose_tlbi_is_pending() -> None:
    it = of(nothing, flushes, more=lambda _: (each_cpu("told", is_flushed_by_the_fourth),))

    assert proved(it).verdict is Verdict.PROVED
    assert Prover(Model(it, {"cpus": 4})).prove().verdict is Verdict.PROVED


def test_what_a_property_is_made_of_does_not_depend_on_the_number() -> None:
    def seats(n: Any) -> int:
        return len(cpu_numbers(n))

    def given(n: Any) -> tuple[Property, ...]:
        def judge(one: OneCpu, most: int = seats(n)) -> str | None:
            return "is one of five" if most == 5 else None

        return (each_cpu("five", judge),)

    told = "depends on how many CPUs there are"
    assert told in refusal(of(nothing, counted, more=given))
    assert told in refusal(
        of(nothing, counted, more=lambda n: (each_cpu("five", is_four, seats(n)),))
    )
    live = lambda n: (no_fault_on_live_map(0, ((seats(n), 1),)),)  # noqa: E731
    assert told in refusal(of(nothing, counted, more=live))
