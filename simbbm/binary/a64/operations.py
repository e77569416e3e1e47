"""What an instruction asks of the machine: architectural operations, with their operands.

An instruction that only computes asks for nothing. One of these stops the execution, and goes on
when whoever runs it brings the values that were asked for (`execution.py:complete`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class Operation:
    """Something that is more than a computation; `name` is its mnemonic."""

    name: str


@dataclass(frozen=True)
class Access(Operation):
    """An access to memory: `count` elements of `size` bytes each, one after another.

    Each element is single-copy atomic if it is aligned. A pair (LDP, STP) is two accesses.
    """

    address: int
    size: int
    count: int = 1


@dataclass(frozen=True)
class Load(Access):
    """It wants a value for each element."""

    acquire: bool = False
    acquire_pc: bool = False
    exclusive: bool = False
    unprivileged: bool = False


@dataclass(frozen=True)
class Store(Access):
    """It brings a value for each element; an exclusive one wants its status: 0 done, 1 not."""

    values: tuple[int, ...] = ()
    release: bool = False
    exclusive: bool = False
    unprivileged: bool = False


@dataclass(frozen=True)
class Atomic(Access):
    """An LSE atomic: memory becomes `rule`(memory, operand), and the old value is wanted."""

    rule: str = "swp"
    """add, clr, eor, set, smax, smin, umax, umin or swp."""
    operand: int = 0
    acquire: bool = False
    release: bool = False


@dataclass(frozen=True)
class CompareAndSwap(Access):
    """CAS, CASP: if memory is `expected` it becomes `new`; the old value is wanted."""

    expected: tuple[int, ...] = ()
    new: tuple[int, ...] = ()
    acquire: bool = False
    release: bool = False


@dataclass(frozen=True)
class Barrier(Operation):
    """DSB, DMB with an option ("ishst"); ISB, SB, CLREX without."""

    option: str = ""


@dataclass(frozen=True)
class Hint(Operation):
    """WFE, WFI, SEV, SEVL, and WFET, WFIT with a time. All other hints do nothing."""

    operand: int | None = None


@dataclass(frozen=True)
class ReadRegister(Operation):
    """MRS: it wants the value of a system register."""

    register: str = ""


@dataclass(frozen=True)
class WriteRegister(Operation):
    """MSR, of a register or of an immediate."""

    register: str = ""
    value: int = 0


@dataclass(frozen=True)
class System(Operation):
    """TLBI, DC, IC, AT, and whatever else SYS does; `what` is "vmalle1is"; SYSL wants a value."""

    what: str = ""
    operand: int | None = None
    """The value of its register; None if it takes none."""


@dataclass(frozen=True)
class Exception_(Operation):  # noqa: N801 - Python has that name
    """SVC, HVC, SMC, BRK, HLT, UDF with a number, and ERET."""

    number: int = 0


class Target(NamedTuple):
    """Where a wanted value goes."""

    register: int
    width: int
    """Of the register, 32 or 64."""
    sign_from: int = 0
    """Bits from which the sign is extended; 0: zeros are."""


class Stop(NamedTuple):
    """An instruction that waits for the machine."""

    operation: Operation
    targets: tuple[Target, ...] = ()
    """A place for each value that is wanted."""
    base: tuple[int, int] | None = None
    """Writeback: a register (31: SP) and its new value."""
