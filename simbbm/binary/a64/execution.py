"""Executing instructions: one at a time, and private computation up to the next operation.

`step` executes the instruction at PC. What only computes is done. What asks for something stops: it
has changed nothing yet, and `complete` finishes it with the values that were wanted. Memory that no
other CPU sees may be accessed on the spot: `perform` does what an operation asks for in a `Memory`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from simbbm.binary.a64 import branches, exclusives, immediate, pairs, register, single, system
from simbbm.binary.a64.bits import M64, mask, signed
from simbbm.binary.a64.branches import Branch
from simbbm.binary.a64.cpu import Cpu
from simbbm.binary.a64.forms import Table, Undefined
from simbbm.binary.a64.operations import Access, Atomic, CompareAndSwap, Stop, Store

TABLE = Table(
    (
        *immediate.FORMS,
        *register.FORMS,
        *branches.FORMS,
        *system.FORMS,
        *single.FORMS,
        *pairs.FORMS,
        *exclusives.FORMS,
    )
)
"""Every form that is known."""


class UnknownInstruction(Exception):
    """A word that cannot be executed; whoever runs it says where it stands."""

    def __init__(self, word: int, address: int) -> None:
        super().__init__(f"{word:08x} at {address:#x}")
        self.word = word
        self.address = address


class Memory(Protocol):
    """Memory that is accessed on the spot."""

    def read(self, address: int, size: int) -> int:
        """A little-endian number."""

    def write(self, address: int, size: int, value: int) -> None:
        """Its bytes."""


def step(cpu: Cpu, word: int) -> Stop | None:
    """Execute one instruction, as far as it goes without the machine."""
    try:
        instruction = TABLE.decode(word)
        stop = instruction.form.execute(cpu, instruction.fields)
    except Undefined:
        raise UnknownInstruction(word, cpu.pc) from None
    if isinstance(instruction.form, Branch):
        cpu.pc &= M64
    elif stop is None:
        cpu.pc = cpu.pc + 4 & M64
    return stop


def complete(cpu: Cpu, stop: Stop, values: Sequence[int] = ()) -> None:
    """Finish an instruction: a value into each register that waits for one, writeback, PC."""
    for target, value in zip(stop.targets, values, strict=True):
        if target.sign_from:
            value = signed(value, target.sign_from) & mask(target.width)  # noqa: PLW2901
        cpu.put(target.register, value, target.width)
    if stop.base:
        cpu.put_sp(*stop.base)
    cpu.pc = cpu.pc + 4 & M64


def perform(operation: Access, memory: Memory) -> tuple[int, ...]:
    """Do an access in memory that nobody else sees. An exclusive store succeeds."""
    size = operation.size
    places = [operation.address + size * n & M64 for n in range(operation.count)]
    if isinstance(operation, Store):
        for place, value in zip(places, operation.values, strict=True):
            memory.write(place, size, value)
        return (0,) if operation.exclusive else ()
    old = tuple(memory.read(place, size) for place in places)
    match operation:
        case Atomic(rule=rule, operand=operand):
            memory.write(places[0], size, exclusives.result(rule, old[0], operand, 8 * size))
        case CompareAndSwap(expected=expected, new=new) if old == expected:
            for place, value in zip(places, new, strict=True):
                memory.write(place, size, value)
    return old


def run(
    cpu: Cpu, fetch: Callable[[int], int], memory: Memory, most: int, private: Callable[..., bool]
) -> Stop | None:
    """Execute until something is asked for that is more than an access to private memory.

    `fetch` gives the word at an address, `private(address, size)` says which memory is nobody
    else's. None: `most` instructions were executed, and it goes on.
    """
    for _ in range(most):
        stop = step(cpu, fetch(cpu.pc))
        if stop is None:
            continue
        operation = stop.operation
        if not isinstance(operation, Access):
            return stop
        if not private(operation.address, operation.size * operation.count):
            return stop
        complete(cpu, stop, perform(operation, memory))
    return None
