"""Every execution of a test, by exhaustive search over the states of its machine.

Executions end where every thread is done. A state that is not final and has no moves is a
speculation that turned out wrong: hardware would have squashed it, so it is no execution and is
dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter
from typing import Any, Literal, NamedTuple

from simbbm.arm64.features import Hardware
from simbbm.arm64.state import Machine
from simbbm.core.system import Move
from simbbm.explore.witness.record import Witness
from simbbm.litmus.made import AnyTest
from simbbm.litmus.scenario import PROGRAM, LitmusSystem, is_final, scenario_of
from simbbm.litmus.setup import HARDWARE
from simbbm.litmus.witness import witness_of
from simbbm.model import Model

MAX_STATES = 2_000_000
MAX_SECONDS = 60.0
_LOOK_EVERY = 1_000
"""States between two looks at the clock."""

Recorded = Literal["all", "reached", "none"]
"""Which outcomes get a witness: all, the first in which the condition holds, none."""


class Ending(NamedTuple):
    """One outcome, and the way to the first state that shows it."""

    outcome: Any
    text: str
    reached: bool
    """Whether the condition holds here."""
    way: tuple[int, ...]
    """The index of each move."""
    witness: Witness | None = None
    """The run to it, where it was asked for."""


class Result(NamedTuple):
    """What the search of one test showed; data alone, which a worker can send."""

    test: AnyTest
    states: int
    seconds: float
    complete: bool
    endings: tuple[Ending, ...]

    @property
    def reached(self) -> bool | None:
        """Whether some execution ends in the condition; None if that is not known."""
        if any(ending.reached for ending in self.endings):
            return True
        return False if self.complete else None

    def holds(self, ending: Ending) -> bool:
        """Whether the condition holds: `forall` is about ends in which it does not."""
        return ending.reached != (self.test.quantifier == "forall")

    @property
    def observation(self) -> str:
        """Always, Sometimes or Never, as herd says it."""
        found = {self.holds(ending) for ending in self.endings}
        return "Sometimes" if len(found) == 2 else "Always" if True in found else "Never"


def run(
    test: AnyTest,
    *,
    ets2: bool = False,
    window: int | None = None,
    max_states: int = MAX_STATES,
    max_seconds: float = MAX_SECONDS,
    eager: bool = True,
    hardware: Hardware = HARDWARE,
    programs: bool = False,
    recorded: Recorded = "none",
) -> Result:
    """Search all executions of a test.

    `eager`: do steps at once that change nothing for anybody else (`Move.enables`). It and
    `hardware` are for tests of the tests.
    """
    scenario = scenario_of(test, hardware._replace(eager_steps=eager))
    given = {"ets2": "yes" if ets2 else "no"} | ({} if window is None else {"window": window})
    start = perf_counter()
    model = Model(scenario, given | ({"source": PROGRAM} if programs else {}))
    machine = model.anew().system
    assert isinstance(machine, LitmusSystem)
    search = Search(machine, max_states, max_seconds, eager=eager)
    endings = sorted(search.endings(), key=lambda ending: ending.text)
    seconds = perf_counter() - start
    endings = _recorded(model, endings, recorded)
    return Result(test, len(search.parents), seconds, search.complete, tuple(endings))


def _recorded(model: Model, endings: list[Ending], recorded: Recorded) -> list[Ending]:
    """The endings, with a witness of those that are to have one."""
    first = next((i for i, ending in enumerate(endings) if ending.reached), None)
    return [
        ending._replace(witness=witness_of(model, ending.way, ending.text))
        if recorded == "all" or (recorded == "reached" and i == first)
        else ending
        for i, ending in enumerate(endings)
    ]


class Search:
    """Breadth first, so that the way to an outcome is a shortest one."""

    def __init__(
        self, machine: LitmusSystem, max_states: int, max_seconds: float, *, eager: bool
    ) -> None:
        self.machine = machine
        self.eager = eager
        self.parents: dict[Machine, tuple[Machine, int] | None] = {}
        self.complete = True
        self._max_seconds = max_seconds
        self._first: dict[Any, Machine] = {}
        self._explore(max_states, perf_counter() + max_seconds)

    def _explore(self, max_states: int, deadline: float) -> None:
        machine, parents = self.machine, self.parents
        # Walkers may set access flags when every thread is done as well. That is looked at last:
        # most of what it leads to is also reached by a run in which they do so before.
        goes_on = any(cpu.features.updates_descriptors for cpu in machine.spec.cpus)
        ended: list[Machine] = []
        outcome, apply = machine.observer.outcome, machine.apply
        initial = machine.initial()
        parents[initial] = None
        frontier, left = [initial], set[Machine]()
        while frontier:
            following: list[Machine] = []
            for i, state in enumerate(frontier):
                late = i % _LOOK_EVERY == 0 and perf_counter() > deadline
                if late or len(parents) > max_states:
                    self.complete = False
                    return
                if is_final(state) and state not in left:
                    self._first.setdefault(outcome(state), state)
                    ended.append(state)
                    continue
                for k, move in self._moves(state):
                    after = apply(state, move)
                    if after not in parents:
                        parents[after] = state, k
                        following.append(after)
            frontier = following
            if goes_on and not frontier:
                frontier, ended = ended, []
                left.update(frontier)

    def _moves(self, state: Machine) -> Iterator[tuple[int, Move]]:
        """What is looked at: a step that only enables others alone, where there is one.

        It reads and writes nothing but its own thread's window, depends on nothing that others
        could change, and stays possible until it is taken; so it commutes with whatever would have
        come first, and every outcome is still met (`arm64/execution/execute.py:Executor`).
        """
        moves = self.machine.moves(state)
        if self.eager:
            for k, move in enumerate(moves):
                if move.enables:
                    return iter([(k, move)])
        return enumerate(moves)

    def endings(self) -> Iterator[Ending]:
        """Return every outcome that was met, as far as there is time to look at them."""
        observer, deadline = self.machine.observer, perf_counter() + self._max_seconds
        for outcome, state in self._first.items():
            if perf_counter() > deadline:
                self.complete = False
                return
            if observer.counts(outcome):
                text, reached = observer.text(outcome), observer.reached(outcome)
                yield Ending(outcome, text, reached, self._way_to(state))

    def _way_to(self, state: Machine) -> tuple[int, ...]:
        way = []
        while (parent := self.parents[state]) is not None:
            state, k = parent
            way.append(k)
        return tuple(reversed(way))
