"""A prover that does less than it says is found out by the checker, which shares none of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from simbbm import Cpu
from simbbm.check.verdict import Verdict
from simbbm.explore.certificate.verify import verify
from simbbm.explore.every_n import prove, termination, writing
from simbbm.explore.every_n.actions import Action, Actions
from simbbm.explore.every_n.certify import certificate_of
from simbbm.explore.every_n.counting import Counting
from simbbm.explore.every_n.fewer import Fewer
from simbbm.explore.every_n.reading import Reading
from simbbm.explore.every_n.steps import Steps
from simbbm.explore.every_n.stuck import stuck
from simbbm.explore.every_n.views import Views, final_problem
from simbbm.scenario import Scenario
from tests.explore.every_n import test_fewer as fewer
from tests.explore.every_n.gathering import (
    ANNOUNCED,
    COUNTERS,
    begins,
    called,
    calls,
    counts,
    equals,
    gathers,
    joins,
    of,
    proved,
)
from tests.explore.every_n.test_gathering import takes, waits_for_all

GATHERING = of(gathers, counts)
CALLING = of(calls, called)
ANNOUNCING = of(begins, joins, counters=ANNOUNCED, start={})
CROWDED = of(
    waits_for_all, takes, counters={0: COUNTERS[0]}, args=lambda n: (n, "waits"), expect="HOLDS"
)
PANICKING = of(
    waits_for_all, takes, counters={0: COUNTERS[0]}, args=lambda n: (n, "panics"), expect="HOLDS"
)


def test_an_announcement_is_proved() -> None:
    """With the two pieces of history that it takes: without them everybody seems to wait."""
    assert (proved(ANNOUNCING).verdict, proved(ANNOUNCING).terminates) == (Verdict.PROVED, True)


Patch = Callable[[Callable[..., Any]], Callable[..., Any]]


def all_but_last(real: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, **more: list(real(*args, **more))[:-1]


def all_but_first(real: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, **more: list(real(*args, **more))[1:]


def only_first(real: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, **more: list(real(*args, **more))[:1]


def never(_: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, **more: iter(())  # noqa: ARG005


def nothing_wrong(_: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, **more: None  # noqa: ARG005


def not_to_the_last(real: Callable[..., Any]) -> Callable[..., Any]:
    """Calls never come to an end that somebody outside is."""

    def called_next(*args: Any) -> Iterator[Any]:
        return (w for w in real(*args) if w.batch_left)

    return called_next


def keeps_few_views(real: Callable[..., Any]) -> Callable[..., Any]:
    """Views of shared states beyond the third are dropped."""

    def keep(self: Views, shared: int, members: tuple[int, ...]) -> None:
        if shared < 3:
            real(self, shared, members)

    return keep


def ignores_others(real: Callable[..., Any]) -> Callable[..., Any]:
    """Nothing that a CPU does changes another."""

    def other(self: Action, number: int) -> Any:
        real(self, number)
        return self.actions.parts.locals[number]

    return other


def blind(real: Callable[..., Any]) -> Callable[..., Any]:
    """A move is never wrong."""

    def of_configuration(*args: Any) -> Iterator[Any]:
        return (step._replace(problem=None) for step in real(*args))

    return of_configuration


def always(value: Any) -> Patch:
    return lambda _: lambda *args, **more: value  # noqa: ARG005


def given_back(real: Callable[..., Any]) -> Callable[..., Any]:
    """The counters stay what they were."""
    return lambda c, result, *rest: result  # noqa: ARG005


def stays(real: Callable[..., Any]) -> Callable[..., Any]:
    """A CPU that moves is where it was."""
    return lambda self: real(self) if self.local < 0 else self.local


def not_yet(real: Callable[..., Any]) -> Callable[..., Any]:
    """Nobody is ever the last who counts."""
    return lambda self, *_: [(False,) * len(self.targets[0])]


def only(wanted: Callable[[set[int]], bool]) -> Patch:
    """Only some sets of CPUs are glued, by how many are in different states."""

    def patch(real: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args: [m for m in real(*args) if wanted(set(m))]

    return patch


async def stores_two(cpu: Cpu, n: Any) -> None:
    await cpu.wait(fewer.FLAG, equals, n)
    await cpu.str(fewer.SIGN, 1)
    await cpu.str(fewer.DATUM, 1)
    await cpu.dsb("ish")
    await cpu.str(fewer.GO, 1)


async def sees_the_second(cpu: Cpu, _: Any) -> None:
    await cpu.ldaddal(fewer.FLAG, 1)
    await cpu.wait(fewer.DATUM, equals, 1)
    await cpu.ldr(fewer.SIGN)
    await cpu.wait(fewer.GO, equals, 1)


POLLING = fewer.of(stores_two, sees_the_second)

MUTANTS: dict[str, tuple[Any, str, Patch, Scenario]] = {
    "the last step is dropped": (Steps, "of", all_but_last, GATHERING),
    "the first step is dropped": (Steps, "of", all_but_first, CALLING),
    "the last gluing is dropped": (Views, "_gluings", all_but_last, GATHERING),
    "one gluing a view": (Views, "_gluings", only_first, CALLING),
    "views are dropped": (Views, "_keep", keeps_few_views, GATHERING),
    "all but one variant of a counter": (Counting, "after", all_but_first, ANNOUNCING),
    "an atomic has one outcome": (Reading, "_atomic", only_first, ANNOUNCING),
    "one way to be called": (writing, "_called", only_first, CALLING),
    "nobody outside is called last": (writing, "_called", not_to_the_last, CALLING),
    "others are not told": (Action, "other", ignores_others, GATHERING),
    "no moves of the last kind": (Actions, "of", all_but_last, CALLING),
    "what is wrong is not seen": (Steps, "of", blind, PANICKING),
    "who waits is not looked at": (prove, "stuck", never, CROWDED),
    "nobody is asked if he can tell": (Fewer, "_tells", always(False), POLLING),
    "who comes later is not asked": (Fewer, "meets", always(False), POLLING),
    "an announcement stays due": (writing, "_announced", given_back, ANNOUNCING),
    "nobody knows what is due": (writing, "_with_duties", lambda _: lambda r: r, ANNOUNCING),
    "a stored value is every target": (Counting, "_is", always(True), GATHERING),
    "steps use up what they do not": (termination, "_keeps_ranks", always(False), GATHERING),
    "nobody is the last": (Counting, "after", not_yet, GATHERING),
    "the first move of each CPU": (Actions, "_moves", only_first, CALLING),
    "nobody is counted": (writing, "_share", lambda _: lambda s, *_: s, GATHERING),
    "who moves stays": (Action, "own_number", stays, GATHERING),
    "what all share stays": (Action, "shared_number", lambda _: lambda s: s.shared, GATHERING),
    "only those alike are glued": (Views, "_gluings", only(lambda m: len(m) == 1), GATHERING),
    "those alike are not glued": (Views, "_gluings", only(lambda m: len(m) > 1), GATHERING),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_of_the_prover_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where, what, patch, scenario = MUTANTS[name]
    with monkeypatch.context() as patched:
        patched.setattr(where, what, patch(getattr(where, what)))
        patched.setattr(prove, "final_problem", nothing_wrong(final_problem))
        if where is not prove:
            patched.setattr(prove, "stuck", never(stuck))
        answer = proved(scenario)
        assert answer.verdict is Verdict.PROVED  # else nobody is deceived
        assert answer.closed is not None
        certificate = certificate_of(answer.closed, scenario.id, {}, answer.levels)

    assert verify(certificate, scenario).fault


@pytest.mark.parametrize("scenario", [GATHERING, CALLING, ANNOUNCING])
def test_the_prover_as_it_is_passes(scenario: Scenario) -> None:
    answer = proved(scenario)
    assert answer.closed is not None

    assert not verify(certificate_of(answer.closed, scenario.id, {}), scenario).fault
