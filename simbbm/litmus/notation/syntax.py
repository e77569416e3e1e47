"""The nouns of the notation: locations, descriptors, registers and other values, as typed data.

They name things by their names; `layout` knows where those are.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from simbbm.core.errors import UsageError
from simbbm.host import reading
from simbbm.host.reading import DIGITS_MAX, quoted

T = TypeVar("T")

KINDS = {
    "translation": "translation",
    "permission": "permission",
    "access-flag": "access-flag",
    "accessflag": "access-flag",
    "access_flag": "access-flag",
    "af": "access-flag",
    "conflict": "conflict",
}
"""How a kind of fault may be written, and what it is called everywhere else."""
FLAGS = ("ro", "el1ro", "el1rw", "af=0", "cont")
LEAF_LEVEL = 3
PAGE_WORDS = 4096
"""Words of a page: so many that an offset in a test is an offset here, byte or not."""
ENTRY_BITS = 4
PAGES = 1 << ENTRY_BITS
"""Pages that belong to a variable, and at least the entries of a table."""

NAME = r"[A-Za-z_]\w*"
NUMBER = r"(?:0x[0-9A-Fa-f]+|\d+)"
REGISTER = r"r\d+"
PLACE = rf"(?:pte\([^()]*\)|{NAME}(?:\s*\+\s*{NUMBER})?)"
_WORD = rf"({NAME})(?:\s*\+\s*({NUMBER}))?"
VALUE = rf"(?:INV(?:\([^()]*\))?(?:#\d+)?|(?:leaf|table|ttbr)\([^()]*\)|{NUMBER}|{REGISTER})"


class Location(NamedTuple):
    """A word: of a variable's page (`x`, `x+8`), or a descriptor on its path (`pte(x,L2)`).

    The page of an offset counts, too: `pte(x+0x1000)` is the descriptor behind that of x.
    """

    variable: str
    offset: int = 0
    level: int | None = None
    """Of a descriptor; None for data."""
    table: str = ""
    """Tree of tables in which a descriptor is; empty for the one that walks start from."""

    def __str__(self) -> str:
        word = self.variable + (f"+{self.offset:#x}" if self.offset else "")
        if self.level is None:
            return word
        where = f"{word}@{self.table}" if self.table else word
        return f"pte({where})" if self.level == LEAF_LEVEL else f"pte({where},L{self.level})"


class Physical(NamedTuple):
    """A word of a physical page."""

    page: str
    offset: int = 0

    def __str__(self) -> str:
        return self.page + (f"+{self.offset:#x}" if self.offset else "")


class Entry(NamedTuple):
    """A descriptor: `INV`, `INV(pa)`, `INV#2`, `leaf(pa,ro,af=0)`, `table(newtab)`.

    `leaf(pa,cont)` has the contiguous bit, `leaf(pa+0x1000)` maps to the page behind pa.
    """

    kind: str
    target: str = ""
    """A physical page, or a tree of tables."""
    flags: tuple[str, ...] = ()
    software: int = 0
    offset: int = 0


class Base(NamedTuple):
    """What a TTBR holds."""

    root: str
    asid: int = 0


class Register(NamedTuple):
    """A register of the thread."""

    number: int


class Choice(NamedTuple):
    """`A if fault.level==K else B`, in a fault handler."""

    field: str
    equals: int | str
    then: int
    otherwise: int


class Equal(NamedTuple):
    """`eq rB V`: 1 if a register has a value, else 0."""

    register: int
    value: int | Entry | Base


Constant = int | Entry | Base
Value = Constant | Register | Choice | Equal


class Malformed(UsageError):
    """A text that the notation does not have; the hint is the nearest that it has."""


class Unsupported(UsageError):
    """Well known, and not modelled."""


def whole(pattern: str, text: str) -> re.Match[str] | None:
    """Match a whole text, blanks around it aside."""
    return re.fullmatch(rf"\s*{pattern}\s*", text)


def number(text: str) -> int:
    """Read a number, decimal or hexadecimal, that is not too large for a register."""
    found = reading.number(text)
    if found is None:
        raise Malformed(f"`{quoted(text)}` is no number", f"of up to {DIGITS_MAX} digits")
    return found


def read(text: str, reader: Callable[[str], T | None], what: str, forms: str) -> T:
    """Read with a reader that gives None if the text is not of its form."""
    found = reader(text)
    if found is None:
        raise _malformed(text, what, forms)
    return found


def _malformed(text: str, what: str, forms: str) -> Malformed:
    return Malformed(f"`{quoted(text.strip())}` is no {what}", f"write {forms}")


def location(text: str) -> Location | None:
    """Read `x`, `x+8`, `pte(x)`, `pte(x,L2)`, `pte(x@newtab)`."""
    if match := whole(rf"pte\(\s*{_WORD}(?:@({NAME}))?\s*(?:,\s*L([0-3])\s*)?\)", text):
        level = LEAF_LEVEL if match[4] is None else int(match[4])
        return Location(match[1], number(match[2] or "0"), level, match[3] or "")
    if match := whole(_WORD, text):
        return Location(match[1], number(match[2] or "0"))
    return None


def physical(text: str) -> Physical | None:
    """Read `pa1`, `pa1+8`."""
    match = whole(_WORD, text)
    return Physical(match[1], number(match[2] or "0")) if match else None


def entry(text: str) -> Entry | None:
    """Read a descriptor."""
    if match := whole(rf"INV(?:\(\s*{_WORD}\s*\))?(?:#(\d+))?", text):
        return Entry("INV", match[1] or "", (), number(match[3] or "0"), number(match[2] or "0"))
    if match := whole(rf"table\(\s*({NAME})\s*\)", text):
        return Entry("table", match[1])
    if match := whole(r"leaf\(([^()]*)\)", text):
        target, *flags = (part.strip() for part in match[1].split(","))
        page = physical(target)
        if page and all(flag in FLAGS for flag in flags):
            return Entry("leaf", page.page, tuple(sorted(flags)), 0, page.offset)
    return None


def base(text: str) -> Base | None:
    """Read `ttbr(root=page_table_base,asid=1)`."""
    match = whole(rf"ttbr\(\s*root\s*=\s*({NAME})\s*(?:,\s*asid\s*=\s*({NUMBER})\s*)?\)", text)
    return Base(match[1], number(match[2] or "0")) if match else None


def constant(text: str) -> Constant | None:
    """Read a value that depends on nothing."""
    if match := whole(NUMBER, text):
        return number(match[0].strip())
    return entry(text) or base(text)


def register(text: str) -> Register | None:
    """Read `r2`."""
    match = whole(r"r(\d+)", text)
    return Register(number(match[1])) if match else None


def choice(text: str) -> Choice | None:
    """Read `1 if fault.level==3 else 2`."""
    match = whole(
        rf"({NUMBER})\s+if\s+fault\.(level|kind)\s*==\s*([\w-]+)\s+else\s+({NUMBER})", text
    )
    if match is None:
        return None
    equals = _fault_field(match[2], match[3])
    if equals is None:
        return None
    return Choice(match[2], equals, number(match[1]), number(match[4]))


def _fault_field(field: str, text: str) -> int | str | None:
    if field == "level":
        return int(text) if text in {"0", "1", "2", "3"} else None
    return KINDS.get(text.lower())


def equal(text: str) -> Equal | None:
    """Read `eq r1 leaf(pa1)`."""
    match = whole(rf"eq\s+r(\d+)\s*,?\s+({VALUE})", text)
    if match is None:
        return None
    value = constant(match[2])
    return None if value is None else Equal(number(match[1]), value)


def value(text: str) -> Value | None:
    """Read anything that a register can be made."""
    found = constant(text)
    return register(text) or choice(text) or equal(text) if found is None else found


def read_value(text: str, reader: Callable[[str], Value | None], what: str, forms: str) -> Value:
    """Read a value, as `read` does."""
    found = reader(text)
    if found is None:
        raise _malformed(text, what, forms)
    return found


def read_constant(text: str) -> Constant:
    """Read a constant, as `read` does."""
    found = constant(text)
    if found is None:
        raise _malformed(text, "value", FORMS_OF_A_VALUE)
    return found


FORMS_OF_A_LOCATION = "x, x+8, pte(x), pte(x,L2) or pte(x@newtab)"
FORMS_OF_A_VALUE = "a number, rN, INV, INV(pa1), INV#2, leaf(pa1,ro), table(newtab)"
FORMS_OF_A_DESCRIPTOR = "INV, INV(pa1), INV#2, leaf(pa1), leaf(pa1,ro), table(newtab)"
