"""A state of the machine, and the predicates over states and moves that properties consist of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from simbbm.arm64.context import Shared
from simbbm.arm64.cpu import NOTHING, ON, CpuState
from simbbm.arm64.translation.memory import Memory, Tables
from simbbm.arm64.translation.view import Hit
from simbbm.core.system import Move, Problem


class Machine(NamedTuple):
    """A state. Its parts are interned: equal states have identical parts."""

    memory: Memory
    cpus: tuple[CpuState, ...]
    failure: Problem | None = None
    """What the last move did wrong, where a move is judged and not the state (a panic, a *step*
    property). It is part of the state so that the run ends there, and replays end there too."""


Check = Callable[[Shared, Machine], Problem | None]
"""A predicate over states: what is wrong with this one, or None."""
StepCheck = Callable[[Shared, Move], Problem | None]
"""A predicate over moves: what is wrong with this one, or None."""
Landmark = Callable[[Machine], bool]
"""Whether a state is of a kind that a proof should have reached."""


@dataclass(frozen=True)
class AllButOne:
    """A landmark that says something of the tables, and of all CPUs but one.

    A search asks it of each value of the tables and of a CPU once, and not of each state.
    """

    tables: Callable[[Tables], bool]
    cpu: Callable[[CpuState], bool]

    def __call__(self, machine: Machine) -> bool:
        """Whether the state is of this kind."""
        if not self.tables(machine.memory.tables):
            return False
        return sum(map(self.cpu, machine.cpus)) == len(machine.cpus) - 1


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What is judged on a machine, by kind of property (`check/kinds.py`).

    The fifth kind, *eventually*, needs no predicate: whether every program finishes is judged by
    the search, on runs and not on states (`explore/search/fairness.py:rounds`).
    """

    always: tuple[Check, ...] = ()
    final: tuple[Check, ...] = ()
    step: tuple[StepCheck, ...] = ()
    sometimes: Mapping[str, Landmark] = field(default_factory=dict)
    uniform: bool = False
    """All properties judge CPUs alike, one at a time (`check/kinds.py:Property.uniform`)."""
    monotone: bool = False
    """All that is judged on states and moves is monotone (`check/kinds.py:Property.monotone`)."""


def owed_mask(state: Machine, by: int = -1) -> int:
    """Mask of the CPUs whose TLBIs others (of the mask `by`) have not completed."""
    mask = 0
    for i, pe in enumerate(state.cpus):
        for pending in pe.pending_tlbis:
            if pending.issuer != i and by >> i & 1:
                mask |= 1 << pending.issuer
    return mask


def waits_for(shared: Shared, state: Machine, number: int) -> str:
    """What a CPU's program waits for."""
    pe = state.cpus[number]
    op = pe.point.op
    if pe.power != ON:
        return "nobody has called it out of reset"
    assert op is not None
    head = op.mnemonic.partition(".")[0]
    if head == "wait":
        address, predicate, args = op.args
        wanted = (
            f"{predicate.__name__}({', '.join(map(str, args))})" if args else predicate.__name__
        )
        return f"{shared.name(address)} is {_peek(shared, state, pe, address)}, wants {wanted}"
    if head == "wfi":
        return "no interrupt is pending"
    if head == "wfe":
        armed = "not armed" if pe.monitor == NOTHING else f"on {shared.name(pe.monitor)}"
        return f"no event, its exclusive monitor is {armed}"
    if head == "dsb":
        late = [
            f"{shared.tlbi_name(p.tlbi)} on cpu{i}"
            for i, other in enumerate(state.cpus)
            for p in other.pending_tlbis
            if p.issuer == number
        ]
        return "completion of " + ", ".join(late) if late else "its stores"
    return op.mnemonic


def _peek(shared: Shared, state: Machine, pe: CpuState, address: int) -> object:
    geometry = shared.geometry
    for hit in shared.view(pe, state.memory).lookup(geometry.page(address)):
        if isinstance(hit, Hit):
            physical = hit.page * geometry.page_words + address % geometry.page_words
            return shared.memories.read(state.memory, physical)
    return "unmapped"
