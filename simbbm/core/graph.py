"""The graph of states reached so far in this process: nodes that remember moves and successors.

Random walks through a protocol reach the same states again and again; a node computes its moves
and judges its properties once. The graph is a cache of a pure function: dropping it changes speed
and nothing else.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Generic, NamedTuple, TypeVar

from simbbm.core.system import Move, Problem, System

S = TypeVar("S")

MAX_NODES = 150_000


class Ended(StrEnum):
    """Why nothing follows a node."""

    HOLDS = "HOLDS"
    VIOLATED = "VIOLATED"
    STUCK = "STUCK"


Edge = tuple[str, str, Any]
"""What a run looks at of a move: its agent, its label, the node after it (None until walked).

A plain tuple, and the node after it beside its names: a run visits thousands of nodes, and what
takes its time is to fetch them into the processor's cache."""


class Node(Generic[S]):
    """A state with its moves."""

    __slots__ = ("digest", "edges", "ended", "moves", "policy", "problem", "races", "state")

    def __init__(self, state: S, moves: tuple[Move, ...], edges: tuple[Edge, ...] = ()) -> None:
        self.state = state
        self.moves = moves
        self.edges = edges
        """By the index of the move."""
        self.ended: Ended | None = None
        self.problem: Problem | None = None
        self.digest: str | None = None
        """What `Graph.digest` found."""
        self.policy: object = None
        """A chooser's own notes on this node (a pure function of it)."""
        self.races: list[tuple[str, ...] | None] | None = None
        """The notes of partial order sampling: which agents each move races with."""


class Judged(NamedTuple):
    """The judgement of a state: its moves, and whether and how the run ends there."""

    moves: tuple[Move, ...]
    """Empty where a property fails, whatever the system could do."""
    ended: Ended | None
    problem: Problem | None


def judge(system: System[S], state: S) -> Judged:
    """Judge a state: a property fails, no obligatory move is enabled, or the run goes on."""
    if problem := system.problem(state):
        return Judged((), Ended.VIOLATED, problem)
    moves = system.moves(state)
    if any(not move.optional for move in moves):
        return Judged(moves, None, None)
    if waiting := system.unfinished(state):
        return Judged(moves, Ended.STUCK, Problem("terminates", "; ".join(waiting)))
    if problem := system.final_problem(state):
        return Judged(moves, Ended.VIOLATED, problem)
    return Judged(moves, Ended.HOLDS, None)


class Graph(Generic[S]):
    """Nodes by state, made when first asked for."""

    def __init__(self, system: System[S], max_nodes: int = MAX_NODES) -> None:
        self.system = system
        self.max_nodes = max_nodes
        self._nodes: dict[S, Node[S]] = {}
        self._edges: dict[tuple[str, ...], Edge] = {}
        """One edge for each agent and label, which moves share until they are walked."""
        self.initial = self.node(system.initial())

    def node(self, state: S) -> Node[S]:
        """Return the node of a state."""
        node = self._nodes.get(state)
        if node is None:
            if len(self._nodes) >= self.max_nodes:
                self._nodes.clear()
                self.initial = self.node(self.system.initial())
            verdict = judge(self.system, state)
            edges = tuple([self._edge(move) for move in verdict.moves])
            node = Node(state, verdict.moves, edges)
            node.ended, node.problem = verdict.ended, verdict.problem
            self._nodes[state] = node
        return node

    def _edge(self, move: Move) -> Edge:
        """The edge of a move that was not walked."""
        agent, label = names = move.agent, move.label
        return self._edges.setdefault(names, (agent, label, None))

    def follow(self, node: Node[S], k: int) -> Node[S]:
        """Return the node after the k-th move."""
        edges = node.edges
        agent, label, after = edges[k]
        if after is None:
            after = self.node(self.system.apply(node.state, node.moves[k]))
            node.edges = (*edges[:k], (agent, label, after), *edges[k + 1 :])
        found: Node[S] = after
        return found

    def digest(self, node: Node[S]) -> str:
        """Return the digest of a node's state, found once."""
        if node.digest is None:
            node.digest = self.system.digest(node.state)
        return node.digest
