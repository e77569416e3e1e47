"""Fair cycles: sets of states in which a run may stay for ever though every agent gets its turns.

Runs have obligations: a store that may reach memory does so eventually, a TLBI acts, a program
takes its next step. An *obligation* is a move that is not optional, identified across states by its
CPU and what it does (`core.system.Move`). A run is fair if it meets every obligation that stays
enabled from some moment on (weak fairness, or justice: Lehmann, Pnueli, Stavi, "Impartiality,
justice and fairness", ICALP 1981). Nothing else is promised, so hardware choices are adversarial:
which entry an access uses, whether an entry is evicted or filled again, what a racing load returns.
A program's step is met by any of its moves, so the outcome that the program waits for need never
occur.

From some moment on, an infinite run over finitely many states stays among states that it visits
infinitely often. They are strongly connected. So an infinite fair run exists iff there is a
strongly connected part such that each obligation, in some state of it, cannot be met, or is met by
a move inside it: a run that goes through the whole part repeatedly is one. It is enough to look at
the maximal parts, the components: where in a component an obligation could always be met and never
is, this is so in every part of it. (That is the emptiness of a generalised Büchi automaton.)

*What was done early* (a translation, a value) was begun a bounded number of instructions ago. A run
may use it, but not infinitely often: such moves are left out of cycles (`Move.early`).

*Loops of exclusives.* The architecture promises that of contending LoadExcl/StoreExcl loops at
least one gets on, and nothing for each of them (Arm ARM, "Load-Exclusive and Store-Exclusive
instruction usage restrictions"). Here a monitor is lost to another CPU's store and to exceptions
alone, never spuriously. So a cycle in which store-exclusives fail has stores that succeed, and then
some CPU makes progress, or exceptions, for which nothing is promised. No cycle has to be excluded
for it.

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
    """An obligation: whose move it is, and what it does."""

    cpu: int
    duty: str
    issuer: int

    def moved(self, places: tuple[int, ...] | None) -> Obligation:
        """The same obligation after a permutation of the CPUs."""
        if places is None:
            return self
        issuer = self.issuer if self.issuer < 0 else places[self.issuer]
        return Obligation(places[self.cpu], self.duty, issuer)


class Edge(NamedTuple):
    """A move, and where it leads."""

    move: Move
    target: int
    places: tuple[int, ...] | None = None
    """By CPU number, its place in the target; None if no CPU is moved."""


class Rounds(NamedTuple):
    """The cycles of a state graph."""

    components: int
    """Strongly connected components that have an edge inside; 0: there is no cycle."""
    fair: tuple[frozenset[int], ...] | None
    """Sets of states in which a fair run may stay for ever; None: not searched for."""

    @property
    def left(self) -> bool:
        """Whether every run is known to end."""
        return self.components == 0 or self.fair == ()


def obligation(move: Move) -> Obligation:
    """The obligation that a move meets."""
    return Obligation(move.cpu, move.duty, move.issuer)


def obligations(moves: Iterable[Move]) -> frozenset[Obligation]:
    """The obligations that can be met in a state with these moves."""
    return frozenset(obligation(move) for move in moves if not move.optional)


def rounds(graph: Following, edges_of: Callable[[int], Iterable[Edge]] | None) -> Rounds:
    """The cycles of a graph; `edges_of` gives the edges of a state that lies in a cycle.

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
    """The parts of a component, without early moves, in which a fair run may stay."""
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
    """Whether in some state of a component an obligation is met, or cannot be met."""
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
    """An obligation that could be met in every state of a loop and never is: the loop is not fair.

    A loop is given as the enabled moves and the one that is taken, state by state.
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

    `inside` are the states of a part in which a fair run may stay; `start` is one of them.
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
    """The shortest path inside the part to a goal move, with that move and its successor."""
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
