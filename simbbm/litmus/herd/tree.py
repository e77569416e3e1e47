"""What a herd7 test says, as typed data: names are names, nothing is laid out yet."""

from __future__ import annotations

from typing import Literal, NamedTuple

from simbbm.litmus.notation.conditions import And, Not, Or


class At(NamedTuple):
    """A place in a file, from 1."""

    line: int
    column: int


# Values


class Variable(NamedTuple):
    """The virtual address of a variable, or of an element behind it (`x[1]`)."""

    name: str
    element: int = 0


class Descriptor(NamedTuple):
    """The address of the leaf descriptor of a variable: `PTE(x)`, `TTD(x)`, `pte_x`."""

    name: str


class Page(NamedTuple):
    """The physical address of a variable: `PA(x)`, `phy_x`."""

    name: str


class Label(NamedTuple):
    """The address of an instruction: `label:"P1:L0"`."""

    thread: int
    name: str


class Fields(NamedTuple):
    """The value of a descriptor: `(oa:PA(x), valid:0)`; what is not given is as in every leaf."""

    output: str = ""
    """The variable whose page it maps to; empty where it is not given."""
    values: tuple[tuple[str, int], ...] = ()
    attributes: tuple[str, ...] = ()


Value = int | Variable | Descriptor | Page | Label | Fields
Word = Variable | Descriptor | Page
"""What names a word of memory."""


class Array(NamedTuple):
    """`{0, 1}`: elements one behind the other."""

    values: tuple[Value, ...]


class ThreadRegister(NamedTuple):
    """`1:X2`."""

    thread: int
    number: int


Where = ThreadRegister | Word
"""What has a value at the start and at the end."""

# Code


class Register(NamedTuple):
    """`X3` or `W3`; the zero register has the number 31."""

    number: int
    wide: bool


class Immediate(NamedTuple):
    """`#1`."""

    value: int


class Name(NamedTuple):
    """A label, a barrier's option, a system register, a condition."""

    text: str


class Memory(NamedTuple):
    """`[X1]`, `[X1,#8]`, `[X1,X2,SXTW]`, `[X1,#8]!`."""

    base: Register
    offset: Register | Immediate | None = None
    extend: str = ""
    shift: int = 0
    writes_back: bool = False


Operand = Register | Immediate | Name | Memory


class Line(NamedTuple):
    """One instruction of a thread, or a label behind the last one."""

    at: At
    labels: tuple[str, ...]
    mnemonic: str = ""
    operands: tuple[Operand, ...] = ()

    def __str__(self) -> str:
        return self.mnemonic


class Code(NamedTuple):
    """A thread, or its handler (`P1.F`)."""

    thread: int
    handler: bool
    lines: tuple[Line, ...]


# Conditions


class RegisterIs(NamedTuple):
    """`1:X2=V`."""

    where: ThreadRegister
    value: Value


class WordIs(NamedTuple):
    """`[x]=V`, `[PTE(x)]=V`: what memory holds in the end."""

    where: Word
    value: Value


class Faulted(NamedTuple):
    """`fault(P1:L0,x,MMU:Permission)`; what is not given may be any."""

    thread: int
    label: str = ""
    variable: str = ""
    kind: str = ""


class Always(NamedTuple):
    """`true`, `false`."""

    value: bool


Atom = RegisterIs | WordIs | Faulted | Always
Condition = Atom | Not | And | Or


class Item(NamedTuple):
    """One item between the braces: `0:X1=x`, `[PTE(x)]=(valid:0)`, `int x`."""

    at: At
    where: Where
    value: Value | Array | None
    """None: it is only declared."""
    size: int = 4
    """Bytes of an element, by the type that is given."""


class HerdTest(NamedTuple):
    """A test of herd7."""

    name: str
    header: tuple[tuple[str, str, At], ...]
    """`Variant=vmsa` and the like."""
    items: tuple[Item, ...]
    code: tuple[Code, ...]
    shown: tuple[Where, ...]
    """`locations [...]`: registers and words that are of interest."""
    quantifier: str
    """`exists`, `~exists`, `forall`."""
    condition: Condition
    filtered: Condition | None
    """`filter`: executions in which it does not hold are not looked at."""
    text: str
    """The condition as it was written."""
    file: str = ""

    @property
    def note(self) -> None:
        """Why its verdict is what it is: herd's tests do not say."""
        return None

    @property
    def verdict(self) -> Literal["forbidden"] | None:
        """What the test itself claims: that no execution ends in what `reached` asks for."""
        return "forbidden" if self.quantifier != "exists" else None

    @property
    def threads(self) -> tuple[Code, ...]:
        """The threads, without handlers."""
        return tuple(code for code in self.code if not code.handler)
