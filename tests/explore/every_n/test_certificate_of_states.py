"""A certificate of all states of so many CPUs is checked without any search."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import msgspec
import pytest

from simbbm.explore.certificate.enumeration import certificate_of_states
from simbbm.explore.certificate.file import State, States, pack
from simbbm.explore.certificate.listed import verify_states
from simbbm.explore.search.prove import Prover
from simbbm.model import Model
from tests.explore.every_n.gathering import adds, counts, gathers, of
from tests.explore.every_n.test_certificate import spins
from tests.explore.every_n.test_refused import panics

GATHERING = of(gathers, counts)
PARAMS = {"cpus": 2}


@cache
def certificate() -> States:
    return certificate_of_states(Model(GATHERING, PARAMS))


def edited(change: Callable[[list[State]], object]) -> States:
    states = list(certificate().states)
    change(states)
    return msgspec.structs.replace(certificate(), states=states)


def test_it_lists_what_a_search_without_reductions_visits() -> None:
    proof = Prover(Model(GATHERING, PARAMS), symmetry=False, ample=False).prove()

    assert len(certificate().states) == proof.states
    assert pack(certificate()) == pack(certificate_of_states(Model(GATHERING, PARAMS)))


def test_it_holds_and_every_run_ends() -> None:
    checked = verify_states(certificate(), GATHERING)

    assert (checked.fault, checked.ends) == ("", True)
    assert checked.steps >= len(certificate().states) - 1


def test_who_polls_is_not_certified_to_end() -> None:
    it = of(gathers, spins)
    checked = verify_states(certificate_of_states(Model(it, PARAMS)), it)

    assert (checked.fault, checked.ends) == ("", False)


def with_state(n: int, **changes: object) -> Callable[[list[State]], object]:
    def change(states: list[State]) -> None:
        states[n] = msgspec.structs.replace(states[n], **changes)

    return change


FAULTS: dict[str, Callable[[list[State]], object]] = {
    "the last state is missing": lambda states: states.pop(),
    "all but the first are missing": lambda states: states.__delitem__(slice(1, None)),
    "no state": lambda states: states.clear(),
    "another state": with_state(-1, digest="0" * 32),
    "another first state": with_state(0, digest="0" * 32),
    "from a later state": with_state(1, before=2),
    "from itself": with_state(1, before=1),
    "by no move": with_state(-1, move=99),
    "a state twice": lambda states: states.append(states[-1]),
    "states in another order": lambda states: states.reverse(),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(name: str) -> None:
    assert verify_states(edited(FAULTS[name]), GATHERING).fault


def test_another_scenario_is_not_what_it_lists() -> None:
    assert "no move leads to" in verify_states(certificate(), of(gathers, adds)).fault


def test_what_goes_wrong_is_not_certified() -> None:
    bad = of(panics, panics, expect="VIOLATED:no_panic")
    stuck = of(gathers, gathers)

    assert "there is a sixth" in verify_states(certificate_of_states(Model(bad, PARAMS)), bad).fault
    assert "waits in" in verify_states(certificate_of_states(Model(stuck, PARAMS)), stuck).fault


def test_parameters_are_all_named() -> None:
    some = msgspec.structs.replace(certificate(), params={})

    assert "parameters" in verify_states(some, GATHERING).fault
