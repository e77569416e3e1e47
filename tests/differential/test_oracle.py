"""The explorer that searches are held against, on systems of which everything is known."""

from __future__ import annotations

import pytest

from simbbm.arm64.machine import Arm64
from simbbm.hypothesis.interpreter import Steps
from simbbm.hypothesis.systems import Member, System
from simbbm.model import Model
from tests.differential.compare import permuted
from tests.differential.oracle import STUCK, Everything, TooLargeError, explore, structure
from tests.differential.rounds import is_fair, rounds
from tests.scenarios.everything import SHIPPED, walk


def system(*programs: Steps, **more: object) -> Arm64:
    """A machine with a CPU for each program."""
    members = tuple(Member(n) for n in range(len(programs)))
    return Model(System(programs, members, **more).scenario()).system  # type: ignore[arg-type]


def everything(*programs: Steps, limit: int = 1_000) -> Everything:
    """All that can happen to these programs."""
    return explore(system(*programs), limit)


def sizes(found: Everything) -> tuple[int, int, int, int]:
    """States, ends, deadlocks and livelocks."""
    return len(found.edges), len(found.ends), len(found.deadlocks), len(found.livelocks)


def test_every_interleaving_is_there_once() -> None:
    found = everything((("nop",), ("nop",)), (("nop",),))

    assert ((6, 1, 0, 0), 7) == (sizes(found), sum(map(len, found.edges.values())))
    assert {} == found.ways


def test_every_order_of_a_store_and_a_load_has_its_end() -> None:
    """Store, drain and load: the load before the drain or after it."""
    found = everything((("str", "flag", 1),), (("ldr", "flag"),))

    assert (7, 2, 0, 0) == sizes(found)


def test_a_violation_ends_a_run_and_the_nearest_counts() -> None:
    saw = ("ldr", "flag"), ("panic_if", (1, 1))
    found = everything((("str", "flag", 1),), saw)

    assert {("VIOLATED", "no_panic"): 4} == found.ways
    assert (8, 1, 0, 0) == sizes(found)


def test_a_deadlock_is_where_nothing_follows() -> None:
    found = everything((("nop",), ("wfe",)), (("sev",),))
    assert (5, 1, 0, 0) == sizes(found)

    found = everything((("nop",), ("wfe",)))
    assert ((2, 0, 1, 0), {STUCK: 1}) == (sizes(found), found.ways)


def test_a_livelock_is_where_no_end_can_be_reached() -> None:
    """Who looks too early goes round for ever."""
    early = ("ldr", "flag"), ("if", 0, (("until", 1, (("ldr", "flag2"),)),), ())
    found = everything((("str", "flag", 1),), early)

    assert (0, 3) == (len(found.deadlocks), len(found.livelocks))
    assert (1, {STUCK: 1}) == (len(found.ends), found.ways)


def test_properties_are_asked_of_every_state_and_at_the_end() -> None:
    live = ("str", "pte x", "new"), ("dsb", "ish")
    assert {("VIOLATED", "no_tlb_conflict"): 2} == everything(live).ways
    last = explore(system(live, properties=("preserved",)), 100)
    assert {("VIOLATED", "translations_preserved"): 3} == last.ways


def test_what_is_too_large_is_not_said_to_be_done() -> None:
    with pytest.raises(TooLargeError):
        everything((("nop",),) * 9, limit=9)
    assert (10, 1, 0, 0) == sizes(everything((("nop",),) * 9, limit=10))


@pytest.mark.parametrize("name", ["bbm_minimal::good", "erratum_4118414::reused_page"])
def test_structures_tell_apart_what_digests_do(name: str) -> None:
    scenario = next(s for s in SHIPPED if s.id == name)
    machine, pairs = Model(scenario).system, set[tuple[object, str]]()
    found = walk(machine, lambda state: pairs.add((structure(state), machine.digest(state))))

    assert found.states == len(pairs) == len(dict(pairs)) == len({text for _, text in pairs})
    assert found.states == len(explore(Model(scenario).system, 1_000).edges)


def test_issuers_are_renamed_with_their_cpus() -> None:
    """Two alike CPUs, of which either has issued a TLBI."""
    flush: Steps = (("tlbi", "vmalle1is"),)
    machine = Model(System((flush,), (Member(0), Member(0))).scenario()).system
    first = machine.initial()
    one, other = (machine.apply(first, move) for move in machine.moves(first))

    assert structure(one) != structure(other)
    assert {structure(one), structure(other)} == set(permuted(one, [(0, 1)]))
    assert [structure(one)] == [*permuted(one, [])]


RETRY: Steps = (("until", 1, (("ldr", "flag"),)),)


def test_a_round_may_be_left_only_if_somebody_has_to_end_it() -> None:
    """The store has to come some time; a stale entry may be kept for ever."""
    assert set() == rounds(everything(RETRY, (("str", "flag", 1),)))
    assert 1 == len(rounds(everything(RETRY)))

    stale: Steps = (("str", "pte x", "old"), ("dsb", "ishst"), ("isb",), ("str", "x", 1))
    machine = system(stale, entries=(("pte x", "ro"),), handler="retry", properties=())
    found = explore(machine, 1_000)
    assert not found.livelocks
    assert rounds(found)


def test_a_loop_is_fair_if_it_comes_back_and_keeps_nobody_waiting() -> None:
    found = everything(RETRY, (("nop",),))
    [(poll, there), (nop, _)] = next(out for out in found.edges.values() if len(out) == 2)
    alone = next(state for state, out in found.edges.items() if len(out) == 1)

    assert not is_fair(found, [(there, poll)]), "the nop can be done all the time"
    assert not is_fair(found, [(there, nop)]), "it does not come back"
    assert is_fair(found, [(alone, found.edges[alone][0][0])])
