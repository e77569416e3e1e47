"""Programs as data: straight-line listings, of which several instructions can be in flight.

A coroutine program asks for one operation at a time. A listing can be looked ahead in, so that a
window of its instructions may be performed out of order (`window`). Litmus tests are listings.
"""

from __future__ import annotations

from typing import NamedTuple

from simbbm.arm64.descriptor import Descriptor
from simbbm.arm64.registers import Tcr, Ttbr
from simbbm.arm64.translation.tlb import Tlbi

Constant = int | Descriptor | Ttbr | Tcr


class Reg(NamedTuple):
    """A register operand."""

    number: int


class IfFault(NamedTuple):
    """A value that depends on the fault being handled: `fault.<field> == equals`."""

    field: str
    """`level` or `kind`."""
    equals: int | str
    then: int
    otherwise: int


class IfEqual(NamedTuple):
    """1 if a register has a value, else 0."""

    register: int
    value: Constant


Value = Constant | Reg | IfFault | IfEqual


class Place(NamedTuple):
    """Where an access goes: a virtual word, or a physical one that is always mapped."""

    address: int
    physical: bool = False


class Instruction(NamedTuple):
    """One instruction. `op` is a row of `instructions.LISTED`, and says which fields count."""

    op: str
    destination: int | None = None
    """Register that a load, move or comparison writes."""
    place: Place | None = None
    value: Value | None = None
    """What a store, move or MSR writes."""
    address_from: tuple[int, ...] = ()
    """Registers that the address depends on."""
    data_from: tuple[int, ...] = ()
    """Registers that the data depend on besides `value`; for `ctrl`, what is branched on."""
    option: str = ""
    """Of DMB and DSB: `sy`, `ish`, `ld`, `st`, ...; of MSR: the register, `ttbr0_el1` and so on."""
    tlbi: Tlbi | None = None
    number: int = -1
    """Place in its thread, from 0; -1 in a handler."""


class Listing(NamedTuple):
    """A thread: its instructions, and what runs at EL1 on a fault and on an SVC.

    Without a `fault` handler a fault ends the thread. After a handler the thread goes on behind the
    instruction that faulted, or behind the SVC; `stop` ends it. An ERET outside a handler goes to
    `eret_to` (an index into `instructions`), at EL0.
    """

    instructions: tuple[Instruction, ...]
    fault: tuple[Instruction, ...] | None = None
    svc: tuple[Instruction, ...] | None = None
    eret_to: int | None = None
    registers: tuple[tuple[int, Constant], ...] = ()
    """Registers that do not start as 0."""
