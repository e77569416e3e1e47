"""A machine's transitions as rows of numbers, each computed once: what searches and runs walk.

A state has few different parts: the 114,083 states of the merged protocol on four CPUs consist of
565 CPU values and 97 memories. So each part gets a number, a state is one integer with a field for
the number of each part, and what one CPU can do in one memory is computed once, as a row, by the
machine itself (`Arm64.moves_of`, `Arm64.reacted`): a row is a memo of a pure function. So is what
one event (a store that reaches memory, a TLBI, an SEV) does to a CPU of each value. A move adds a
constant to the integer, and each CPU's reaction another one.

Numbers are given in the order in which parts are met. They mean nothing outside of one `Rows`:
what is printed, kept or compared with other processes is the machine's state.

CPUs that share a TLB react together and not one by one: there, what a move does to all CPUs is
computed anew each time.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from simbbm.arm64.cpu import CpuState, Effect
from simbbm.arm64.machine import MAX_REMEMBERED, Arm64
from simbbm.arm64.state import Machine
from simbbm.arm64.translation.memory import Memory
from simbbm.core.graph import Judged, judge
from simbbm.core.points import ControlPoint
from simbbm.core.system import Move, Problem

State = int
"""The numbers of a state's parts: from the lowest bits up, that of each CPU's value in a field of
`BITS` bits, memory's in one more, and above it the failure's, which is 0 where there is none."""
BITS = 24
"""Far more values than fit into a process's memory."""
FIELD = (1 << BITS) - 1
PENDING = 1 << (BITS - 1)
"""A bit of the numbers of those CPU values on which TLBIs are pending, and of no others."""

Step = tuple[int, Any]
"""What a move does: what it adds to the state, by its own CPU, memory and failure, and how all
other CPUs react: for each its field and what its value adds there. (Where TLBs are shared, a
function of the state.) None: no other CPU notices."""

MAX_ROWS = 1_000_000
"""Rows that are remembered; beyond that they are computed again."""

P = TypeVar("P", bound=Hashable)
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Numbers(Generic[P]):
    """Numbers of the parts of one kind, in the order in which they are met."""

    def __init__(self) -> None:
        self.parts: dict[int, P] = {}
        self._numbers: dict[P, int] = {}

    def of(self, part: P, mark: int = 0) -> int:
        """The number of a part; one that was not met before gets the next, with the bit `mark`."""
        number = self._numbers.get(part)
        if number is None:
            if len(self.parts) >= PENDING:
                raise MemoryError("more parts of states than a field has numbers for")
            number = self._numbers[part] = len(self.parts) | mark
            self.parts[number] = part
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

    __slots__ = ("due", "fine", "moves", "notes", "steps")

    def __init__(self, moves: tuple[Move, ...], steps: tuple[Step, ...]) -> None:
        self.moves = moves
        self.steps = steps
        """What each of the moves does."""
        self.due = any(not move.optional for move in moves)
        """Whether one of the moves is an obligation."""
        self.fine = False
        """Whether every property is known to hold of this CPU with these tables (`Rows.fine`)."""
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
        self.named: Callable[[int], None] = _nobody_minds
        """Called with the number of a CPU that some program names (`symmetry`)."""
        everybody = range(len(system.spec.cpus))
        self.places = tuple([BITS * cpu for cpu in everybody])
        """By how many bits the field of each CPU is shifted."""
        self.fields = tuple([FIELD << place for place in self.places])
        """The mask of each CPU's field."""
        self.memory_at = BITS * len(everybody)
        self._failure_at = self.memory_at + BITS
        self.pending = sum(PENDING << place for place in self.places)
        """Mask of the bits that are set where TLBIs are pending."""
        memory = FIELD << self.memory_at
        self._reads = [field | memory for field in self.fields]
        """The mask of the fields that each CPU's row depends on."""
        self._free = [Memo(partial(self._new_row, cpu, owed=False)) for cpu in everybody]
        """By CPU number, its rows by these fields."""
        self._owed = [Memo(partial(self._new_row, cpu, owed=True)) for cpu in everybody]
        """The same, where others have not completed TLBIs of this CPU."""
        self._free_reads = tuple(zip(self._free, self._reads, strict=True))
        self._members = Memo(self._members_of)
        self.count = 0
        """How many rows are remembered."""
        self._reactions: dict[Hashable, Reaction] = {}
        self._issuers: dict[int, int] = {}
        """Of CPU values on which TLBIs are pending, the mask of these TLBIs' issuers."""
        self.after: Callable[[State, Step], State] = (
            self._after_together if system.common else self._after
        )
        """The state after a step of one in which no move has failed: a run ends where one has."""

    def state(self, machine: Machine) -> State:
        """The numbers of a state's parts."""
        state = self.failures.of(machine.failure) << self._failure_at
        state |= self.memories.of(machine.memory) << self.memory_at
        for place, pe in zip(self.places, machine.cpus, strict=True):
            state |= self.cpu(pe) << place
        return state

    def machine(self, state: State) -> Machine:
        """The state that consists of these parts."""
        cpus = self.cpus.parts
        return Machine(
            self.memories.parts[state >> self.memory_at & FIELD],
            tuple([cpus[state >> place & FIELD] for place in self.places]),
            self.failures.parts[state >> self._failure_at],
        )

    def cpu(self, pe: CpuState) -> int:
        """The number of a CPU's value."""
        if not pe.pending_tlbis:
            return self.cpus.of(pe)
        number = self.cpus.of(pe, PENDING)
        if number not in self._issuers:
            mask = 0
            for pending in pe.pending_tlbis:
                mask |= 1 << pending.issuer
            self._issuers[number] = mask
        return number

    def pe(self, state: State, cpu: int) -> CpuState:
        """The value of a CPU."""
        return self.cpus.parts[state >> self.places[cpu] & FIELD]

    def owed(self, state: State, by: int = -1) -> int:
        """Mask of the CPUs whose TLBIs others (of the mask `by`) have not completed."""
        if not state & self.pending:
            return 0
        mask = 0
        for i, place in enumerate(self.places):
            cpu = state >> place & FIELD
            if cpu & PENDING and by >> i & 1:
                mask |= self._issuers[cpu] & ~(1 << i)
        return mask

    def row(self, state: State, cpu: int, owed: int) -> Row:
        """What CPU number `cpu` can do; `owed` as `Rows.owed` says of the state."""
        rows = self._owed if owed >> cpu & 1 else self._free
        return rows[cpu][state & self._reads[cpu]]

    def rows(self, state: State) -> list[Row]:
        """What each CPU can do, by its number."""
        owed = self.owed(state) if state & self.pending else 0
        if not owed:
            return [rows[state & reads] for rows, reads in self._free_reads]
        return [self.row(state, cpu, owed) for cpu in range(len(self.places))]

    def some(self, state: State, active: int) -> dict[int, Row]:
        """What each CPU of a mask can do, by its number."""
        owed = self.owed(state) if state & self.pending else 0
        if not owed:
            return {cpu: rows[state & reads] for cpu, rows, reads in self._members[active]}
        return {cpu: self.row(state, cpu, owed) for cpu, _, _ in self._members[active]}

    def _members_of(self, active: int) -> list[tuple[int, Memo[int, Row], int]]:
        """The CPUs of a mask, with their rows where nobody owes them TLBIs (see `rows`)."""
        each = enumerate(self._free_reads)
        return [(cpu, rows, reads) for cpu, (rows, reads) in each if active >> cpu & 1]

    def _new_row(self, cpu: int, k: int, *, owed: bool) -> Row:
        system = self.system
        self.count += 1
        if self.count > MAX_ROWS:
            self.count = 1
            for rows in (*self._free, *self._owed):
                rows.clear()
            self._reactions.clear()
            system.forget_moves()
        memory = self.memories.parts[k >> self.memory_at]
        moves = system.moves_anew(self.pe(k, cpu), memory, cpu, owed=owed)
        return Row(moves, tuple([self._step(move, k) for move in moves]))

    def _step(self, move: Move, before: int) -> Step:
        """The step of a move; `before` are the fields that it depends on."""
        effect, system = move.effect, self.system
        assert isinstance(effect, Effect)
        if effect.signal and effect.signal.target is not None:
            self.named(effect.signal.target)
        if system.common:
            return 0, partial(self._react_together, move)
        number = before >> self.memory_at
        memory = self.memories.parts[number]
        after = system.memory_after(memory, move)
        new = self.failures.of(system.failure_of(move)) << self._failure_at
        new |= self.memories.of(after) << self.memory_at
        new |= self.cpu(system.moved(move, memory)) << self.places[move.cpu]
        noticed = effect.event
        if noticed is None:
            return new - before, None
        reactions: list[tuple[int, Reaction]] = []
        for cpu, field in enumerate(self.fields):
            if cpu == move.cpu:
                continue
            # Only TLBIs and SGIs tell CPUs of one value apart, by their numbers.
            told = (move.cpu, cpu) if effect.tlbi or effect.signal else None
            event = number, noticed, told
            there = event, cpu
            if there not in self._reactions:
                if event not in self._reactions:
                    react = partial(self._react, move, cpu, memory, after)
                    self._reactions[event] = Reaction(react)
                added = partial(_added, self._reactions[event], self.places[cpu])
                self._reactions[there] = Reaction(added)
            reactions.append((field, self._reactions[there]))
        return new - before, tuple(reactions)

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
        placed = map(self._as_placed, old.cpus, new.cpus)
        return self.state(new._replace(cpus=tuple(placed)))

    def _after(self, state: State, step: Step) -> State:
        added, reactions = step
        after = state + added
        for field, reaction in reactions or ():
            after += reaction[state & field]
        return after

    def _after_together(self, state: State, step: Step) -> State:
        after: State = step[1](state)
        return after

    def fine(self, state: State, rows: Sequence[Row], cpus: Sequence[int] | None = None) -> bool:
        """Whether every uniform property is known to hold: asked for each row once.

        `rows` are those of the state; or those of some `cpus` alone, and then these are judged.
        """
        if state >> self._failure_at:
            return False
        if all(row.fine for row in rows):
            return True
        machine = self.machine(state)
        if cpus is not None:
            machine = machine._replace(cpus=tuple([machine.cpus[i] for i in cpus]))
        if not self.system.judged.uniform or self.system.problem(machine):
            return False
        for row in rows:
            row.fine = True
        return True

    def goes_on(self, state: State, rows: Sequence[Row]) -> bool:
        """Whether runs go on in a state with these rows; if not, it has to be judged."""
        due = False
        for row in rows:
            if not row.fine:
                return self.fine(state, rows) and any(row.due for row in rows)
            due = due or row.due
        return due and not state >> self._failure_at


def _nobody_minds(cpu: int) -> None:
    """Where no CPU is taken for another, one may be named by its number."""


def _added(reaction: Reaction, place: int, field: int) -> int:
    """What a reaction adds to a CPU's field, in which its value stands, at its place."""
    cpu = field >> place
    return (reaction[cpu] - cpu) << place


class RowKeys:
    """The states of a machine as numbers, for the graph of states that runs walk.

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
        for cpu in range(len(self.rows.places)):
            row = self.rows.row(key, cpu, owed)
            if k < len(row.steps):
                return self.rows.after(key, row.steps[k])
            k -= len(row.steps)
        raise IndexError(k)

    def judged(self, key: State) -> Judged:
        """The judgement of a state."""
        rows = self.rows.rows(key)
        if self.rows.goes_on(key, rows):
            return Judged(tuple([move for row in rows for move in row.moves]), None, None)
        return judge(self.rows.system, self.rows.machine(key))
