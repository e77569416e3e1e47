"""What a chooser sees in a node: its moves by agent and by CPU, worked out once.

A menu is a pure function of the node and lives in its `policy` slot, so that strategies may share a
graph and a choice costs a draw and a few lookups.
"""

from __future__ import annotations

from typing import Any

from simbbm.core.graph import Node

Moves = tuple[int, ...]


class AgentSet:
    """Who can move. One object for each set that is met, so that it is cheap as a key."""

    __slots__ = ("names",)

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names


_agent_sets: dict[tuple[str, ...], AgentSet] = {}


class Menu:
    """A node's moves as indices, grouped. Everything is in the canonical order of the moves."""

    __slots__ = (
        "agent_set",
        "agents",
        "cpus",
        "hardware",
        "moves_of",
        "programs",
        "races",
        "single",
    )

    def __init__(self, node: Node[Any]) -> None:
        by_agent: dict[str, list[int]] = {}
        cpu_of: dict[str, int] = {}
        for k, move in enumerate(node.moves):
            by_agent.setdefault(move.agent, []).append(k)
            cpu_of[move.agent] = move.cpu
        self.moves_of: dict[str, Moves] = {name: tuple(moves) for name, moves in by_agent.items()}
        names = tuple(self.moves_of)
        self.agent_set = _agent_sets.setdefault(names, AgentSet(names))
        self.agents = tuple(self.moves_of.values())
        """Agent by agent, its moves."""
        self.single = () if any(m[1:] for m in self.agents) else tuple(m[0] for m in self.agents)
        """Agent by agent, its only move; empty if somebody has several."""
        by_cpu: dict[int, list[Moves]] = {}
        for name, moves in self.moves_of.items():
            by_cpu.setdefault(cpu_of[name], []).append(moves)
        self.cpus = tuple(map(tuple, by_cpu.values()))
        """CPU by CPU, the moves of each of its agents."""
        self.programs = tuple(name for name in names if name == f"cpu{cpu_of[name]}")
        """The agents that are programs."""
        self.hardware = tuple(name for name in names if name != f"cpu{cpu_of[name]}")
        """All other agents."""
        self.races: dict[int, tuple[str, ...]] = {}
        """`explore.strategies.pos` notes here whom a move races with."""


def menu_of(node: Node[Any]) -> Menu:
    """Make a node's menu and leave it there. Choosers look at `node.policy` first."""
    menu = Menu(node)
    node.policy = menu
    return menu
