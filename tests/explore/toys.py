"""Transition systems of a few lines, whose every run can be counted by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from simbbm.arm64.geometry import SCALED
from simbbm.arm64.machine import MachineSpec
from simbbm.check.verdict import Expectation
from simbbm.core.graph import Graph
from simbbm.core.system import STEP, Footprint, Move, Problem
from simbbm.core.values import digest
from simbbm.scenario import Scenario, Setup

Judge = Callable[[tuple[str, ...]], str | None]


@dataclass
class Toy:
    """Agents that each take a number of steps; a state is who has moved, in order.

    `judge` names the property that fails in a state. `optional` agents may move for ever and change
    nothing. With `stuck` the programs never say that they have finished. `before` is called with
    every state that a move is applied to. `waits` says which agent has to wait in which state.
    """

    steps: Mapping[str, int]
    judge: Judge | None = None
    optional: tuple[str, ...] = ()
    stuck: bool = False
    before: Callable[[tuple[str, ...]], object] | None = None
    waits: Callable[[tuple[str, ...], str], bool] | None = None

    def initial(self) -> tuple[str, ...]:
        return ()

    def moves(self, state: tuple[str, ...]) -> tuple[Move, ...]:
        left = [a for a in self.steps if state.count(a) < self.steps[a]]
        left = [a for a in left if not (self.waits and self.waits(state, a))]
        obligatory = tuple(self._move(agent, f"{agent}.{state.count(agent)}") for agent in left)
        optional = (self._move(agent, agent) for agent in self.optional)
        return (*obligatory, *optional) if left else ()

    def _move(self, agent: str, label: str) -> Move:
        cpu = int("".join(filter(str.isdigit, agent)) or 0)
        kind = STEP if agent == f"cpu{cpu}" else "hardware"
        return Move(agent, label, cpu, agent in self.optional, Footprint(), agent, kind=kind)

    def apply(self, state: tuple[str, ...], move: Move) -> tuple[str, ...]:
        if self.before:
            self.before(state)
        return state if move.optional else (*state, move.agent)

    def problem(self, state: tuple[str, ...]) -> Problem | None:
        name = self.judge(state) if self.judge else None
        return Problem(name, f"after {' '.join(state)}") if name else None

    def final_problem(self, state: tuple[str, ...]) -> Problem | None:  # noqa: ARG002
        return None

    def recheck(self) -> None:
        """Nothing: there are no programs."""

    def forget(self) -> None:
        """Nothing is remembered."""

    def unfinished(self, state: tuple[str, ...]) -> tuple[str, ...]:  # noqa: ARG002
        return ("nobody says why",) if self.stuck else ()

    def digest(self, state: tuple[str, ...]) -> str:
        return digest(state)


@dataclass(frozen=True, eq=False)
class ToyScenario(Scenario):
    """A scenario that is a toy."""

    toy: Toy | None = None

    def parameters_from(self, given: Mapping[str, Any]) -> dict[str, Any]:
        return dict(given)

    def setup(self, parameters: Mapping[str, Any]) -> Setup:  # noqa: ARG002
        return Setup(geometry=SCALED, cpus=(), tables={}, properties=())

    def machine(self, spec: MachineSpec, setup: Setup) -> Any:  # noqa: ARG002
        return self.toy

    def graph(self, system: Any) -> Graph[Any]:
        return Graph(system)


def toy_scenario(toy: Toy, scenario_id: str = "toys::toy") -> ToyScenario:
    """Make a scenario of a toy."""

    def build() -> Any:
        raise NotImplementedError

    return ToyScenario(build, "a toy", Expectation(), (), id=scenario_id, toy=toy)
