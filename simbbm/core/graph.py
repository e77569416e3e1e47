"""The graph of states reached so far in this process: nodes that remember moves and successors.

Random walks through a protocol reach the same states again and again; a node computes its moves
and judges its properties once. The graph is a cache of a pure function: dropping it changes speed
and nothing else.

What it keeps of a state is a key: for a machine the numbers of its parts (`arm64.rows`), so that
runs and searches walk one representation.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from simbbm.core.system import Move, Problem, System

S = TypeVar("S")
Key = Any
"""What a graph keeps of a state: hashable, and equal for equal states."""

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
    """A state with its moves. It keeps the state's key, and makes the state when it is asked."""

    __slots__ = (
        "_moves",
        "digest",
        "edges",
        "ended",
        "key",
        "keys",
        "policy",
        "problem",
        "races",
    )

    def __init__(
        self, keys: Keys[S], key: Key, moves: tuple[Move, ...] | None, edges: tuple[Edge, ...] = ()
    ) -> None:
        self.keys = keys
        self.key = key
        self._moves = moves
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

    @property
    def state(self) -> S:
        """The state."""
        return self.keys.state(self.key)

    @property
    def moves(self) -> tuple[Move, ...]:
        """Its moves; empty where a property fails, whatever the system could do."""
        if self._moves is None:
            self._moves = self.keys.moves(self.key)
        return self._moves


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


class Keys(Protocol[S]):
    """The states of a system as keys, for a graph: smaller than they are, and stepped sooner."""

    @property
    def full(self) -> bool:
        """Whether so much is remembered that the graph should begin anew."""

    def anew(self) -> Keys[S]:
        """Keys that remember nothing. Nodes with keys of before stay what they are."""

    def key(self, state: S) -> Key:
        """The key of a state."""

    def state(self, key: Key) -> S:
        """The state of a key."""

    def moves(self, key: Key) -> tuple[Move, ...]:
        """The moves of a state on which no property fails."""

    def after(self, key: Key, k: int) -> Key:
        """The key after the k-th move."""

    def judged(self, key: Key) -> Judged:
        """The judgement of a state."""


class States(Generic[S]):
    """States that are their own keys: of a system that has no others."""

    full = False

    def __init__(self, system: System[S]) -> None:
        self.system = system

    def anew(self) -> States[S]:
        """These: they remember nothing."""
        return self

    def key(self, state: S) -> S:
        """The state itself."""
        return state

    def state(self, key: S) -> S:
        """The state itself."""
        return key

    def moves(self, key: S) -> tuple[Move, ...]:
        """Its moves."""
        return self.system.moves(key)

    def after(self, key: S, k: int) -> S:
        """The state after the k-th move."""
        return self.system.apply(key, self.system.moves(key)[k])

    def judged(self, key: S) -> Judged:
        """The judgement of the state."""
        return judge(self.system, key)


class Graph(Generic[S]):
    """Nodes by state, made when first asked for."""

    def __init__(
        self, system: System[S], keys: Keys[S] | None = None, max_nodes: int = MAX_NODES
    ) -> None:
        self.system = system
        self.max_nodes = max_nodes
        self._keys: Keys[S] = States(system) if keys is None else keys
        self._nodes: dict[Key, Node[S]] = {}
        self._edges: dict[tuple[str, str], Edge] = {}
        """One edge for each agent and label, which moves share until they are walked."""
        self.initial = self.node(system.initial())

    def node(self, state: S) -> Node[S]:
        """Return the node of a state."""
        return self._node(self._keys, self._keys.key(state))

    def follow(self, node: Node[S], k: int) -> Node[S]:
        """Return the node after the k-th move."""
        agent, label, after = node.edges[k]
        if after is None:
            after = self._node(node.keys, node.keys.after(node.key, k))
            edges = node.edges
            node.edges = (*edges[:k], (agent, label, after), *edges[k + 1 :])
        found: Node[S] = after
        return found

    def digest(self, node: Node[S]) -> str:
        """Return the digest of a node's state, found once."""
        if node.digest is None:
            node.digest = self.system.digest(node.state)
        return node.digest

    def _node(self, keys: Keys[S], key: Key) -> Node[S]:
        """The node of a key; of a key from before the graph has begun anew, too."""
        if keys is not self._keys:
            return self.node(keys.state(key))
        node = self._nodes.get(key)
        if node is None:
            if len(self._nodes) >= self.max_nodes or keys.full:
                self._begin_anew()
                return self._add(self._keys.key(keys.state(key)))
            node = self._add(key)
        return node

    def _begin_anew(self) -> None:
        self._nodes.clear()
        self._edges.clear()
        self._keys = self._keys.anew()
        self.initial = self._add(self._keys.key(self.system.initial()))

    def _add(self, key: Key) -> Node[S]:
        keys = self._keys
        moves, ended, problem = keys.judged(key)
        edges = tuple([self._edge(move) for move in moves])
        # While runs go on, the names are enough until somebody asks for the moves.
        node = self._nodes[key] = Node(keys, key, moves if ended else None, edges)
        node.ended, node.problem = ended, problem
        return node

    def _edge(self, move: Move) -> Edge:
        """The edge of a move that was not walked."""
        names = agent, label = move.agent, move.label
        return self._edges.setdefault(names, (agent, label, None))
