"""Random walks: among agents uniformly, or among CPUs first.

Uniform over *agents* and not over moves, so that one with many moves (a load that may see many
results) does not crowd out the rest. CPU-first gives a CPU with much pending hardware no more turns
than a quiet one.

A draw is a 16-bit number of the tape, scaled; a choice among one draws nothing.
"""

from __future__ import annotations

from typing import Any

from simbbm.core.choice import Chooser, Tape
from simbbm.core.graph import Node
from simbbm.explore.strategies.menu import menu_of
from simbbm.explore.strategies.profile import Profile


class AgentWalk:
    """An agent uniformly, then one of its moves."""

    __slots__ = ("_draw",)

    def __init__(self, seed: bytes) -> None:
        self._draw = Tape(seed).numbers.__next__

    def choose(self, node: Node[Any]) -> int:
        """Return the next move."""
        menu: Any = node.policy or menu_of(node)
        agents = menu.single
        if agents:
            n = len(agents)
            single: int = agents[self._draw() * n >> 16] if n > 1 else agents[0]
            return single
        agents = menu.agents
        n = len(agents)
        moves = agents[self._draw() * n >> 16] if n > 1 else agents[0]
        n = len(moves)
        k: int = moves[self._draw() * n >> 16] if n > 1 else moves[0]
        return k


class CpuWalk:
    """A CPU uniformly, then one of its agents, then one of that agent's moves."""

    __slots__ = ("_numbers",)

    def __init__(self, seed: bytes) -> None:
        self._numbers = Tape(seed).numbers

    def choose(self, node: Node[Any]) -> int:
        """Return the next move."""
        menu: Any = node.policy or menu_of(node)
        cpus = menu.cpus
        n = len(cpus)
        agents = cpus[next(self._numbers) * n >> 16] if n > 1 else cpus[0]
        n = len(agents)
        moves = agents[next(self._numbers) * n >> 16] if n > 1 else agents[0]
        n = len(moves)
        k: int = moves[next(self._numbers) * n >> 16] if n > 1 else moves[0]
        return k


class RandomWalk:
    """The strategies `random` and `cpu-first`."""

    needs_calibration = False

    def __init__(self, *, cpu_first: bool = False) -> None:
        self._walk: type[AgentWalk | CpuWalk] = CpuWalk if cpu_first else AgentWalk
        self.name = "cpu-first" if cpu_first else "random"

    def calibrated(self, profile: Profile) -> RandomWalk:  # noqa: ARG002 - the protocol's
        """Return the strategy itself: it has no parameters."""
        return self

    def chooser(self, seed: bytes, number: int) -> Chooser:  # noqa: ARG002 - the protocol's
        """One walk."""
        return self._walk(seed)
