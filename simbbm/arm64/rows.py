"""A machine's transitions as rows of numbers, each computed once: what searches and runs walk.

A state has few different parts: the 114,083 states of the merged protocol on four CPUs consist of
565 CPU values and 97 memories. So each part gets a number, a state is a tuple of numbers, and what
one CPU can do in one memory is computed once, as a row, by the machine itself (`Arm64.moves_of`,
`Arm64.reacted`): a row is a memo of a pure function. So is what one event (a store that reaches
memory, a TLBI, an SEV) does to a CPU of each value.

Numbers are given in the order in which parts are met. They mean nothing outside of one `Rows`:
what is printed, kept or compared with other processes is the machine's state.

CPUs that share a TLB react together and not one by one: there, what a move does to all CPUs is
computed anew each time.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from simbbm.arm64.cpu import CpuState, Effect
from simbbm.arm64.machine import MAX_REMEMBERED, Arm64
from simbbm.arm64.state import Machine
from simbbm.arm64.translation.memory import Memory, Tables
from simbbm.core.graph import Judged, judge
from simbbm.core.programs.automaton import ControlPoint
from simbbm.core.system import Move, Problem

State = Sequence[int]
"""The numbers of a state's memory and failure, and of each CPU's value."""
MEMORY, FAILURE, CPUS = 0, 1, 2
"""Where they stand: that of CPU i at `CPUS + i`."""

Step = tuple[int, int, int, Any]
"""What a move does: the CPU's new value, the memory, the failure, and how all CPUs react (a
`Reaction` of each; where TLBs are shared, a function of the state); None: no other CPU notices."""

MAX_ROWS = 1_000_000
"""Rows that are remembered; beyond that they are computed again."""

P = TypeVar("P", bound=Hashable)
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Numbers(Generic[P]):
    """Numbers of the parts of one kind, in the order in which they are met."""

    def __init__(self) -> None:
        self.parts: list[P] = []
        self._numbers: dict[P, int] = {}

    def of(self, part: P) -> int:
        """The number of a part; a part that was not met before gets the next one."""
        number = self._numbers.setdefault(part, len(self.parts))
        if number == len(self.parts):
            self.parts.append(part)
        return number


class Memo(dict[K, V]):
    """The results of a function, each computed when it is first asked for."""

    def __init__(self, function: Callable[[K], V]) -> None:
        super().__init__()
        self._function = function

    def __missing__(self, key: K) -> V:
        """The function's result."""
        result = self[key] = self._function(key)
        return result


Reaction = Memo[int, int]
"""What an event does to a CPU of each value, by number."""


class Row:
    """What one CPU, program and hardware, can do in one memory."""

    __slots__ = ("due", "moves", "notes", "steps")

    def __init__(self, moves: tuple[Move, ...], steps: tuple[Step, ...]) -> None:
        self.moves = moves
        self.steps = steps
        """What each of the moves does."""
        self.due = any(not move.optional for move in moves)
        """Whether one of the moves is an obligation."""
        self.notes: Any = None
        """What `persistent_sets` found out about this row."""


class Rows:
    """The rows of one machine, and the states that consist of them."""

    def __init__(self, system: Arm64) -> None:
        self.system = system
        self.memories = Numbers[Memory]()
        self.failures = Numbers[Problem | None]()
        self.cpus = Numbers[CpuState]()
        self.failures.of(None)
        self.placeholder: ControlPoint | None = None
        """Where CPUs stand that take part in nothing: of events they notice only what happens to
        entries that they share (`explore/search/reductions/standing.py`)."""
        everybody = range(len(system.spec.cpus))
        self._free = [Memo(partial(self._new_row, cpu, owed=False)) for cpu in everybody]
        """By CPU number, its rows by the numbers of its value and of memory."""
        self._owed = [Memo(partial(self._new_row, cpu, owed=True)) for cpu in everybody]
        """The same, where others have not completed TLBIs of this CPU."""
        self.count = 0
        """How many rows are remembered."""
        self._reactions: dict[Hashable, Reaction] = {}
        self._issuers: dict[int, int] = {}
        """Of CPU values on which TLBIs are pending, the mask of these TLBIs' issuers."""
        self._fine: list[set[int]] = []
        """By memory, the CPU values in which every uniform property holds with its tables."""
        self._fine_by_tables: dict[Tables, set[int]] = {}
        self.after: Callable[[State, int, Step], State] = (
            self._after_together if system.common else self._after
        )
        """The state after a step of a CPU: `after(state, cpu, step)`."""

    def state(self, machine: Machine) -> State:
        """The numbers of a state's parts."""
        failure = self.failures.of(machine.failure)
        return (self.memories.of(machine.memory), failure, *map(self.cpu, machine.cpus))

    def machine(self, state: State) -> Machine:
        """The state that consists of these parts."""
        cpus = self.cpus.parts
        return Machine(
            self.memories.parts[state[MEMORY]],
            tuple([cpus[number] for number in state[CPUS:]]),
            self.failures.parts[state[FAILURE]],
        )

    def cpu(self, pe: CpuState) -> int:
        """The number of a CPU's value."""
        number = self.cpus.of(pe)
        if pe.pending_tlbis and number not in self._issuers:
            mask = 0
            for pending in pe.pending_tlbis:
                mask |= 1 << pending.issuer
            self._issuers[number] = mask
        return number

    def issuers(self, cpu: int) -> int:
        """Mask of the CPUs whose TLBIs are pending on a CPU of this value."""
        return self._issuers.get(cpu, 0)

    def owed(self, state: State, by: int = -1) -> int:
        """Mask of the CPUs whose TLBIs others (of the mask `by`) have not completed."""
        issuers = self._issuers
        if issuers.keys().isdisjoint(state[CPUS:]):
            return 0
        mask = 0
        for i, cpu in enumerate(state[CPUS:]):
            if cpu in issuers and by >> i & 1:
                mask |= issuers[cpu] & ~(1 << i)
        return mask

    def row(self, state: State, cpu: int, owed: int) -> Row:
        """What CPU number `cpu` can do; `owed` as `Rows.owed` says of the state."""
        rows = self._owed if owed >> cpu & 1 else self._free
        return rows[cpu][state[CPUS + cpu], state[MEMORY]]

    def rows(self, state: State) -> list[Row]:
        """What each CPU can do, by its number."""
        owed, memory, cpus = self.owed(state), state[MEMORY], state[CPUS:]
        if not owed:
            return [rows[cpu, memory] for rows, cpu in zip(self._free, cpus, strict=True)]
        return [
            (self._owed if owed >> i & 1 else self._free)[i][cpu, memory]
            for i, cpu in enumerate(cpus)
        ]

    def _new_row(self, cpu: int, k: tuple[int, int], *, owed: bool) -> Row:
        system = self.system
        self.count += 1
        if self.count > MAX_ROWS:
            self.count = 1
            for rows in (*self._free, *self._owed):
                rows.clear()
            self._reactions.clear()
            system.forget_moves()
        value, memory = self.cpus.parts[k[0]], self.memories.parts[k[1]]
        moves = system.moves_anew(value, memory, cpu, owed=owed)
        return Row(moves, tuple([self._step(move, *k) for move in moves]))

    def _step(self, move: Move, mover: int, before: int) -> Step:
        effect, system = move.effect, self.system
        assert isinstance(effect, Effect)
        memory = self.memories.parts[before]
        after = system.memory_after(memory, move)
        failure = self.failures.of(system.failure_of(move))
        own = system.reacted(effect.after, move.cpu, move, memory, after)
        step = self.cpu(own), self.memories.of(after), failure
        if system.common:
            return *step, partial(self._react_together, move)
        if effect.write is None and effect.tlbi is None and not effect.sev:
            return *step, None
        reactions: list[dict[int, int]] = []
        for number in range(len(system.spec.cpus)):
            if number == move.cpu:
                reactions.append({mover: step[0]})
                continue
            # Only a TLBI tells CPUs of one value apart, by their numbers.
            event = before, effect[1:4], (move.cpu, number) if effect.tlbi else None
            if event not in self._reactions:
                react = partial(self._react, move, number, memory, after)
                self._reactions[event] = Reaction(react)
            reactions.append(self._reactions[event])
        return *step, tuple(reactions)

    def _react(self, move: Move, number: int, before: Memory, after: Memory, cpu: int) -> int:
        """What a move of another CPU does to CPU `number`, which has the value `cpu`."""
        old = self.cpus.parts[cpu]
        new = self.system.reacted(old, number, move, before, after)
        return self.cpu(self._as_placed(old, new))

    def _as_placed(self, old: CpuState, new: CpuState) -> CpuState:
        """What an event made of a CPU; a placeholder keeps all but its entries."""
        if old.point is not self.placeholder:
            return new
        return self.system.shared.cpus.change(old, mmu=new.mmu)

    def _react_together(self, move: Move, state: State) -> State:
        old = self.machine(state)
        new = self.system.apply(old, move)
        return tuple(map(self.cpu, map(self._as_placed, old.cpus, new.cpus)))

    def _after(self, state: State, cpu: int, step: Step) -> State:
        own, memory, failure, reactions = step
        if reactions is None:
            after = list(state)
            after[CPUS + cpu] = own
        else:
            after = [0, 0, *[react[old] for react, old in zip(reactions, state[CPUS:])]]  # noqa: B905 - as many
        after[MEMORY], after[FAILURE] = memory, failure
        return after

    def _after_together(self, state: State, cpu: int, step: Step) -> State:  # noqa: ARG002
        _, memory, failure, react = step
        return (memory, failure, *react(state))

    def fine(self, state: State) -> bool:
        """Whether every uniform property is known to hold: asked for each value and table once."""
        if state[FAILURE]:
            return False
        memory = state[MEMORY]
        while memory >= len(self._fine):
            tables = self.memories.parts[len(self._fine)].tables
            self._fine.append(self._fine_by_tables.setdefault(tables, set()))
        fine = self._fine[memory]
        if fine.issuperset(state[CPUS:]):
            return True
        if not self.system.judged.uniform or self.system.problem(self.machine(state)):
            return False
        fine.update(state[CPUS:])
        return True

    def goes_on(self, state: State, rows: Iterable[Row]) -> bool:
        """Whether runs go on in a state with these rows; if not, it has to be judged."""
        return self.fine(state) and any(row.due for row in rows)


class RowKeys:
    """The states of a machine as tuples of numbers, for the graph of states that runs walk.

    Nobody compares these states with those of other rows, so the machine may drop its pools: then
    equal states are visited under several keys, and nothing else changes.
    """

    def __init__(self, system: Arm64) -> None:
        self.rows = Rows(system)

    @property
    def full(self) -> bool:
        """Whether as many rows are remembered as a machine remembers moves."""
        return self.rows.count >= MAX_REMEMBERED

    def anew(self) -> RowKeys:
        """Other numbers, for values that are made anew."""
        system = self.rows.system
        if system.keeps_values:
            system.forget_moves()
        else:
            system.forget()
        return RowKeys(system)

    def key(self, state: Machine) -> State:
        """The numbers of a state's parts."""
        return self.rows.state(state)

    def state(self, key: State) -> Machine:
        """The state that consists of these parts."""
        return self.rows.machine(key)

    def moves(self, key: State) -> tuple[Move, ...]:
        """CPU by CPU, what it can do."""
        return tuple([move for row in self.rows.rows(key) for move in row.moves])

    def after(self, key: State, k: int) -> State:
        """The numbers after the k-th move."""
        owed = self.rows.owed(key)
        for cpu in range(len(key) - CPUS):
            row = self.rows.row(key, cpu, owed)
            if k < len(row.steps):
                return tuple(self.rows.after(key, cpu, row.steps[k]))
            k -= len(row.steps)
        raise IndexError(k)

    def judged(self, key: State) -> Judged:
        """The judgement of a state."""
        rows = self.rows.rows(key)
        if self.rows.goes_on(key, rows):
            return Judged(tuple([move for row in rows for move in row.moves]), None, None)
        return judge(self.rows.system, self.rows.machine(key))
