"""Rounds in which a run may stay for ever, though everybody whose turn it is gets it.

A run owes something: a store that may reach memory does so some time, a TLBI that may act acts, a
program that can go on goes on. Each is an *obligation*: a move that is not optional, known again
from state to state by whose it is and what it does (`core.system.Move`). A run is fair if it meets
every obligation that it could meet all the time from some moment on (weak fairness, or justice:
Lehmann, Pnueli, Stavi, "Impartiality, justice and fairness", ICALP 1981). Nothing else is promised,
so hardware is against us: which of the entries that a CPU may hold an access uses, whether it is
evicted or filled again, what a load gets that races. A program's step is met by any of its moves,
so of its several outcomes one that is wanted need never come.

A run of finitely many states stays, from some moment on, among states that it comes back to again
and again. They are strongly connected. So a fair run can go on for ever iff there is a strongly
connected part such that each obligation, in some state of it, cannot be met, or is met by a move
inside it: a run that goes through the whole part, over and over, is one. It is enough to look at
the largest parts, the components: where in a component an obligation could always be met and never
is, this is so in every part of it. (That is the emptiness of a generalised Büchi automaton.)

*What was done early* (a translation, a value) was begun a bounded number of instructions ago. A run
may use it, but not again and again: such moves are left out of rounds (`Move.early`).

*Loops of exclusives.* The architecture promises that of contending LoadExcl/StoreExcl loops at
least one gets on, and nothing to each (Arm ARM, "Load-Exclusive and Store-Exclusive instruction
usage restrictions"). Here a monitor is lost to another CPU's store and to exceptions alone, never
spuriously. So a round in which store-exclusives fail has stores that succeed, and then somebody
gets on, or exceptions, of which nothing is promised. No round has to be taken out for it.

*Symmetry.* In a quotient by permutations of like CPUs an edge leads to the representative of what
follows, in which each CPU has another place: it carries that permutation. Whether an obligation is
ever met is asked of the obligation, wherever its CPU goes: the pairs of a state and an obligation
are followed, not the states alone (Emerson, Sistla, "Utilizing symmetry when model checking under
fairness assumptions", TOPLAS 19(4), 1997: their threaded graph). Every path of the quotient is one
of the machine's up to a permutation of which some power is the identity, so a component's path can
be gone again until each CPU is where it was.

*Persistent sets* keep whether there is an infinite run, and no more of it than that. Let the
reduced graph have no cycle; then there is no infinite run at all. By induction from its ends: let
no infinite run start in the successors of a state, and one, m1 m2 ..., in the state itself. If it
has a move of the state's persistent set, the first of these commutes with all before it, so it
can be taken first, and the rest is an infinite run of a successor. If it has none, any move of the
set commutes with all of it and leaves it possible, after it, for a successor. (Valmari, "Stubborn
sets for reduced state space generation", 1990, theorem on infinite executions.) A cycle of the
reduced graph says nothing about fairness; then the search is made again without persistent sets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from simbbm.core.system import Move, System
from simbbm.explore.search.digraph import Following, cyclic_components, following


class Obligation(NamedTuple):
    """Whose move it is, and what it does."""

    cpu: int
    duty: str
    issuer: int

    def moved(self, places: tuple[int, ...] | None) -> Obligation:
        """The same after each CPU has gone to another place."""
        if places is None:
            return self
        issuer = self.issuer if self.issuer < 0 else places[self.issuer]
        return Obligation(places[self.cpu], self.duty, issuer)


class Edge(NamedTuple):
    """A move, and where it leads."""

    move: Move
    target: int
    places: tuple[int, ...] | None = None
    """By CPU its place in the target; None if each keeps its own."""


class Rounds(NamedTuple):
    """Where in a graph a run can go round."""

    components: int
    """Strongly connected components that have an edge inside; 0: there is no cycle."""
    fair: tuple[frozenset[int], ...] | None
    """Sets of states among which a run may stay for ever; None: that was not looked for."""

    @property
    def left(self) -> bool:
        """Whether every run is known to end."""
        return self.components == 0 or self.fair == ()


def obligation(move: Move) -> Obligation:
    """What a move meets."""
    return Obligation(move.cpu, move.duty, move.issuer)


def obligations(moves: Iterable[Move]) -> frozenset[Obligation]:
    """What can be met in a state that has these moves."""
    return frozenset(obligation(move) for move in moves if not move.optional)


def rounds(graph: Following, edges_of: Callable[[int], Iterable[Edge]] | None) -> Rounds:
    """The rounds of a graph; `edges_of` tells the moves of a state that lies in a cycle.

    None where the graph does not keep fairness, or its states are not known any more.
    """
    components = list(cyclic_components(graph))
    if edges_of is None:
        return Rounds(len(components), None)
    fair = list[frozenset[int]]()
    for component in components:
        fair += _fair_parts({state: tuple(edges_of(state)) for state in sorted(component)})
    return Rounds(len(components), tuple(fair))


def _fair_parts(edges: Mapping[int, Sequence[Edge]]) -> Iterator[frozenset[int]]:
    """The parts of a component that are left without early moves and can be stayed in."""
    states = list(edges)
    names = {state: i for i, state in enumerate(states)}
    pairs = (
        (names[state], names[edge.target])
        for state in states
        for edge in edges[state]
        if edge.target in names and not edge.move.early
    )
    for numbers in cyclic_components(following(len(states), pairs)):
        part = frozenset(states[i] for i in numbers)
        inside = {
            state: [e for e in edges[state] if e.target in part and not e.move.early]
            for state in part
        }
        open_ = {state: obligations(e.move for e in edges[state]) for state in part}
        start = min(part)
        if all(_is_met(due, start, inside, open_) for due in sorted(open_[start])):
            yield part


def _is_met(
    due: Obligation,
    start: int,
    inside: Mapping[int, Sequence[Edge]],
    open_: Mapping[int, frozenset[Obligation]],
) -> bool:
    """Whether somewhere in a component an obligation is met, or cannot be."""
    waiting = [(start, due)]
    seen = set(waiting)
    while waiting:
        state, due = waiting.pop()
        if due not in open_[state]:
            return True
        for edge in inside[state]:
            if obligation(edge.move) == due:
                return True
            after = edge.target, due.moved(edge.places)
            if after not in seen:
                seen.add(after)
                waiting.append(after)
    return False


def kept_waiting(loop: Iterable[tuple[Iterable[Move], Move]]) -> Obligation | None:
    """What could be met all the time in a loop and never is: the loop is not fair.

    A loop is the moves that are possible, and the one that is taken, state by state.
    """
    always: frozenset[Obligation] | None = None
    met = set()
    for possible, taken in loop:
        now = obligations(possible)
        always = now if always is None else always & now
        met.add(obligation(taken))
    return min((always or frozenset()) - met, default=None)


def loop_from(system: System[Any], start: Any, inside: Callable[[Any], bool]) -> tuple[int, ...]:
    """A fair loop from a state back to itself, as indices of moves; short, if not the shortest.

    `inside` says which states are of a part that can be stayed in; `start` is one of them.
    """
    open_ = obligations(system.moves(start))
    here, walk = start, list[int]()
    while open_:

        def meets(move: Move, after: Any, open_: frozenset[Obligation] = open_) -> bool:
            return obligation(move) in open_ or not open_ <= obligations(system.moves(after))

        way, last, here = _nearest(system, here, inside, meets)
        walk += way
        open_ = (open_ - {obligation(last)}) & obligations(system.moves(here))
    if here != start:
        way, _, _ = _nearest(system, here, inside, lambda _, after: bool(after == start))
        walk += way
    return tuple(walk)


def _nearest(
    system: System[Any],
    start: Any,
    inside: Callable[[Any], bool],
    goal: Callable[[Move, Any], bool],
) -> tuple[tuple[int, ...], Move, Any]:
    """The shortest way through the inside to a move that is a goal, that move, what follows it."""
    ways: dict[Any, tuple[int, ...]] = {start: ()}
    for state in (queue := [start]):
        for k, move in enumerate(system.moves(state)):
            after = system.apply(state, move)
            if move.early or not inside(after):
                continue
            way = (*ways[state], k)
            if goal(move, after):
                return way, move, after
            if after not in ways:
                ways[after] = way
                queue.append(after)
    raise AssertionError("a strongly connected part has a way to each of its states")
