"""Programs as data: listings of instructions, of which several can be in flight.

A coroutine program asks for one operation at a time. A listing can be looked ahead in, so that a
window of its instructions may be performed out of order (`window`). Litmus tests are listings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from simbbm.arm64.descriptor import Descriptor
from simbbm.arm64.ops import Physical
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


class CodeAddress(NamedTuple):
    """The address of an instruction: its number in the thread, handlers counted on."""

    number: int


class Apply(NamedTuple):
    """A function of other values: known when all of them are, so that it depends on all."""

    function: Callable[..., Any]
    operands: tuple[Value, ...]


class Select(NamedTuple):
    """One of two values, by a condition; it depends on the condition and on the one it takes."""

    condition: Apply
    then: Value
    otherwise: Value

    def of(self, *, taken: object) -> Value:
        """The value that is taken if the condition holds, or else the other."""
        return self.then if taken else self.otherwise


Value = Constant | Reg | IfFault | IfEqual | CodeAddress | Physical | Apply | Select

ELR = 33
"""The register that the return from a handler goes by, where a listing has one (`resumes`)."""


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
    address: Value | None = None
    """Where an access goes, or which page a TLBI is for, if a register says it: then `place` and
    `tlbi.page` say nothing."""
    target: int | None = None
    """Where a branch goes (`CodeAddress.number`); `value` is whether it is taken."""
    modifies: Callable[..., Any] | None = None
    """What an atomic instruction makes of the old value of the word and its `value`; an exclusive
    or other store has none."""
    compare: Value | None = None
    """What CAS compares with; it is given to `modifies` first."""
    text: str = ""
    """As it was written, where that is another notation."""


class Listing(NamedTuple):
    """A thread: its instructions, and what runs at EL1 on a fault and on an SVC.

    Without a `fault` handler a fault ends the thread. After a handler the thread goes on where
    `resumes` says; `stop` ends it. An ERET outside a handler goes to `eret_to` (an index into
    `instructions`), at EL0.
    """

    instructions: tuple[Instruction, ...]
    fault: tuple[Instruction, ...] | None = None
    svc: tuple[Instruction, ...] | None = None
    eret_to: int | None = None
    registers: tuple[tuple[int, Constant], ...] = ()
    """Registers that do not start as 0."""
    resumes: Literal["behind", "again", "elr"] = "behind"
    """Where the thread goes on after a fault: behind the instruction that faulted, once its
    handler is done; with that instruction again, and there is no handler; or where an `eret.elr` in
    its handler goes, by the register ELR: a handler that has none ends the thread."""
