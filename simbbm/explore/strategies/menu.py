"""The enabled moves of a node as choosers need them: by agent and by CPU, computed once.

Choosers depend on whose the moves are, not on what they do: nodes in which the same agents have as
many moves share one menu. It lives in the node's `policy` slot, so that strategies may share a
graph and a choice costs a draw and a few lookups.
"""

from __future__ import annotations

from typing import Any

from simbbm.core.graph import Node
from simbbm.core.system import Move

Moves = tuple[int, ...]


class AgentSet:
    """The agents that can move. Interned: one object for each set, so that it is cheap as a key."""

    __slots__ = ("names",)

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names


_agent_sets: dict[tuple[str, ...], AgentSet] = {}


def _agent_set(names: tuple[str, ...]) -> AgentSet:
    return _agent_sets.setdefault(names, AgentSet(names))


class Menu:
    """Moves as indices, grouped. Everything is in the canonical order of the moves."""

    __slots__ = (
        "agent_set",
        "agents",
        "cpus",
        "hardware",
        "items",
        "moves_of",
        "names",
        "programs",
        "single",
    )

    def __init__(self, moves: tuple[Move, ...]) -> None:
        by_agent: dict[str, list[int]] = {}
        cpu_of = {move.agent: move.cpu for move in moves}
        for k, move in enumerate(moves):
            by_agent.setdefault(move.agent, []).append(k)
        self.moves_of: dict[str, Moves] = {name: tuple(own) for name, own in by_agent.items()}
        self.items = tuple(self.moves_of.items())
        """The same, to go through."""
        self.names = tuple(self.moves_of)
        """The agents that can move."""
        self.agent_set = _agent_set(self.names)
        self.agents = tuple(self.moves_of.values())
        """Agent by agent, its moves."""
        self.single = () if any(m[1:] for m in self.agents) else tuple(m[0] for m in self.agents)
        """Agent by agent, its only move; empty if some agent has several."""
        by_cpu: dict[int, list[Moves]] = {}
        for name, own in self.moves_of.items():
            by_cpu.setdefault(cpu_of[name], []).append(own)
        self.cpus = tuple(map(tuple, by_cpu.values()))
        """CPU by CPU, the moves of each of its agents."""
        programs = tuple(name for name in self.names if name == f"cpu{cpu_of[name]}")
        self.programs = _agent_set(programs)
        """The agents that are programs."""
        self.hardware = tuple(name for name in self.names if name not in programs)
        """All other agents."""


_menus: dict[tuple[str, ...], Menu] = {}
"""By the agent of each move, whose name says its CPU."""


def menu_of(node: Node[Any]) -> Menu:
    """Compute a node's menu and store it in `node.policy`, where choosers look first."""
    agents = tuple([edge[0] for edge in node.edges])
    menu = _menus.get(agents)
    if menu is None:
        menu = _menus[agents] = Menu(node.moves)
    node.policy = menu
    return menu
