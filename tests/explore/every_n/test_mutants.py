"""A prover that does less than it says is found out by the checker, which shares none of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from simbbm.check.verdict import Verdict
from simbbm.explore.certificate.verify import verify
from simbbm.explore.every_n import prove, writing
from simbbm.explore.every_n.actions import Action, Actions
from simbbm.explore.every_n.certify import certificate_of
from simbbm.explore.every_n.counting import Counting
from simbbm.explore.every_n.reading import Reading
from simbbm.explore.every_n.steps import Steps
from simbbm.explore.every_n.stuck import stuck
from simbbm.explore.every_n.views import Views, final_problem
from simbbm.scenario import Scenario
from tests.explore.every_n.gathering import (
    ANNOUNCED,
    COUNTERS,
    begins,
    called,
    calls,
    counts,
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
        certificate = certificate_of(answer.closed, scenario.id, {})

    assert verify(certificate, scenario).fault


@pytest.mark.parametrize("scenario", [GATHERING, CALLING, ANNOUNCING])
def test_the_prover_as_it_is_passes(scenario: Scenario) -> None:
    answer = proved(scenario)
    assert answer.closed is not None

    assert not verify(certificate_of(answer.closed, scenario.id, {}), scenario).fault
