"""Searches held against brute force, on one scenario.

Symmetry has to keep every way to fail and every state up to permutation. Persistent sets have to
find a failure iff there is one, and where there is none, every end. Nobody may meet what cannot
happen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import permutations, product
from typing import Any, NamedTuple

from simbbm.arm64.machine import Arm64
from simbbm.arm64.rows import State
from simbbm.arm64.state import Machine
from simbbm.check.verdict import Verdict
from simbbm.core.system import Move
from simbbm.explore.search.attempt import Attempt
from simbbm.explore.search.breadth_first import NO_LIMITS
from simbbm.explore.search.prove import Proof, Prover
from simbbm.explore.search.reductions.reduced_system import ReducedSystem
from simbbm.model import Model
from simbbm.scenario import Scenario
from tests.differential.oracle import (
    STUCK,
    Everything,
    Structure,
    Way,
    explore,
    judged,
    structure,
)
from tests.differential.rounds import is_fair, rounds

MODES = {"symmetry": (True, False), "persistent sets": (False, True), "both": (True, True)}
"""Which reductions are wanted: symmetry, persistent sets."""


class DisagreementError(AssertionError):
    """A search says something else than brute force."""


class Compared(NamedTuple):
    """What was compared, for statistics."""

    states: int
    ways: frozenset[Way]
    reduced: bool
    """A search with all reductions met fewer states."""
    alone: frozenset[str]
    """Kinds of moves of which one was enough in some state (`drains`, `invalidations`)."""


class Known(NamedTuple):
    """What brute force knows."""

    everything: Everything
    fair: set[Structure]
    """States of rounds in which runs may stay."""
    ways: dict[Way, int]
    """How runs may fail, such rounds included; the nearest of those counts."""


class Searched(NamedTuple):
    """What one search met."""

    states: list[Machine]
    transitions: int
    ways: dict[Way, int]
    ends: list[Machine]
    deadlocks: list[Machine]
    livelocks: list[Machine]
    rounds: list[Machine]
    alike: tuple[tuple[int, ...], ...]
    whole: bool
    """Without persistent sets."""
    alone: frozenset[str]
    """Kinds of moves of which one was enough in some state, where the CPU has other moves."""


def compare(scenario: Scenario, params: Mapping[str, Any] = {}, limit: int = 3_000) -> Compared:
    """Raise DisagreementError if any search disagrees with brute force; TooLargeError beyond."""
    known = known_of(Model(scenario, params).system, limit)
    states = fewest = len(known.everything.edges)
    alike: tuple[tuple[int, ...], ...] = ()
    alone = frozenset[str]()
    for mode, (symmetry, ample) in MODES.items():
        if mode == "both" and not alike:
            continue  # There is nothing but persistent sets.
        found = searched(scenario, params, symmetry=symmetry, ample=ample)
        alike = found.alike if symmetry else alike
        _same(mode, known, found)
        fewest, alone = min(fewest, len(found.states)), alone | found.alone
    _same_verdict(scenario, params, known)
    return Compared(states, frozenset(known.ways), fewest < states, alone)


def known_of(system: Arm64, limit: int) -> Known:
    """Find out all that can happen, by brute force."""
    everything = explore(system, limit)
    fair, ways = rounds(everything), dict(everything.ways)
    if fair and not everything.deadlocks:
        ways[STUCK] = min(everything.depth[state] for state in fair)
    return Known(everything, fair, ways)


def searched(
    scenario: Scenario, params: Mapping[str, Any], *, symmetry: bool, ample: bool
) -> Searched:
    """Search to the end, past every failure."""
    attempt = Attempt(
        Model(scenario, params), NO_LIMITS, frozenset(), symmetry=symmetry, ample=ample
    )
    one = attempt.search
    states = list(map(attempt.space.rows.machine, one.states))
    ended, failing = set(one._ended), {i: (str(v), p) for i, (v, p) in one._failing}
    fair = one.rounds.fair if one.rounds else ()
    return Searched(
        states,
        attempt.searched.transitions,
        {(str(f.verdict), f.problem.property): len(f.walk) for f in attempt.searched.failures},
        [states[i] for i in sorted(ended - failing.keys())],
        [states[i] for i in sorted(ended) if failing.get(i) == STUCK],
        [states[i] for i in one.lost],
        [states[i] for part in fair or () for i in sorted(part)],
        attempt.space.symmetry.classes,
        attempt.space.ample is None,
        frozenset(kind for state in one.states for kind in _alone(attempt.space, state)),
    )


def _alone(space: ReducedSystem, state: State) -> Iterator[str]:
    """The kind of a move that a search takes here, if it leaves out other moves of its CPU."""
    rows = space.rows.rows(state)
    choice = space.chosen(state, rows)
    if choice and len(choice.moves) < len(moves := rows[choice.cpu].moves):
        yield moves[choice.moves[0]].kind


def _same(mode: str, known: Known, found: Searched) -> None:
    """Hold one search against all that can happen."""
    whole, everything = found.whole, known.everything
    # Rounds that can be left are looked for where persistent sets do not hide them.
    ways = known.ways if whole else everything.ways
    # A violation ends a run: persistent sets may leave out what comes in other orders only.
    violated = bool(ways.keys() - {STUCK})
    expected, got = ways.keys(), found.ways.keys()
    if not got <= expected or ((whole or not violated) and got != expected):
        raise DisagreementError(f"{mode}: {sorted(got)}, by brute force {sorted(expected)}")
    if violated and not got - {STUCK}:
        raise DisagreementError(f"{mode}: {sorted(got)}, by brute force {sorted(expected)}")
    if whole and found.ways != ways:
        raise DisagreementError(f"{mode}: {found.ways} steps, by brute force {ways}")
    kinds = {
        "states": (set(everything.edges), found.states),
        "states of fair rounds": (known.fair, found.rounds),
    } | {
        kind: (getattr(everything, kind), getattr(found, kind))
        for kind in ("ends", "deadlocks", "livelocks")
    }
    for kind, (expected, states) in kinds.items():
        if extra := len({structure(state) for state in states} - expected):
            raise DisagreementError(f"{mode}: {extra} {kind} that there are not")
        keeps = whole or (kind in ("ends", "deadlocks") and not violated)
        if keeps and (missing := len(expected - _orbits(states, found.alike))):
            raise DisagreementError(f"{mode}: {missing} of {len(expected)} {kind} are missing")


def permuted(state: Machine, alike: Iterable[Sequence[int]]) -> Iterator[Structure]:
    """Every state that a permutation of CPUs that are alike makes of this one."""
    alike = list(alike)
    for orders in product(*(permutations(numbers) for numbers in alike)):
        order = list(range(len(state.cpus)))
        for numbers, others in zip(alike, orders, strict=True):
            for number, other in zip(numbers, others, strict=True):
                order[number] = other
        yield structure(state, order)


def _orbits(states: list[Machine], alike: tuple[tuple[int, ...], ...]) -> set[Structure]:
    return {other for state in states for other in permuted(state, alike)}


def _same_verdict(scenario: Scenario, params: Mapping[str, Any], known: Known) -> None:
    """The prover says what brute force does, and its counterexample is one."""
    proof, ways = Prover(Model(scenario, params)).prove(), known.ways
    if proof.verdict == Verdict.PROVED:
        if ways:
            raise DisagreementError(f"PROVED, by brute force {sorted(ways)}")
        return
    way = str(proof.verdict), proof.property or ""
    if way not in ways:
        raise DisagreementError(f"{way}, by brute force {sorted(ways)}")
    assert proof.run is not None
    system = Model(scenario, params).system
    state = system.initial()
    for k in proof.run:
        state = system.apply(state, system.moves(state)[k])
    end = judged(system, state, system.moves(state))
    goes_round = proof.loop is not None and is_fair(
        known.everything, _along(system, proof)[proof.loop :]
    )
    if end != way and structure(state) not in known.everything.livelocks and not goes_round:
        raise DisagreementError(f"{way}: its counterexample ends in {end}")
    steps = len(proof.run) if proof.loop is None else proof.loop
    if proof.certified and steps != ways[way]:
        raise DisagreementError(f"{way} in {steps} steps, {ways} by brute force")


def _along(system: Arm64, proof: Proof) -> list[tuple[Structure, Move]]:
    """The states of a counterexample, and which move is taken in each."""
    state, taken = system.initial(), []
    for k in proof.run or ():
        move = system.moves(state)[k]
        taken.append((structure(state), move))
        state = system.apply(state, move)
    return taken
