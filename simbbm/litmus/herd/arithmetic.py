"""What instructions compute: on numbers, on addresses, and on descriptors by their bits.

Registers hold numbers, addresses of words (`Physical` where they are not translated), addresses of
instructions, and descriptors, which become numbers when something is computed of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from simbbm.arm64.descriptor import INVALID, LEAF, Attributes, Descriptor
from simbbm.arm64.ops import Physical
from simbbm.core.errors import ScenarioError
from simbbm.litmus.notation.syntax import PAGE_WORDS

WORD, DOUBLE = (1 << 32) - 1, (1 << 64) - 1
FIRST_TABLE = 1 << 21
"""Page of the first table: what is behind it in physical memory holds descriptors."""

_VALID, _PAGE, _USER, _READ_ONLY, _ACCESSED = 1, 2, 1 << 6, 1 << 7, 1 << 10
_DIRTY_BIT_MODIFIER, _NEVER_EXECUTED = 1 << 51, 1 << 54
_OUTPUT_SHIFT, _OUTPUT_BITS = 12, 36


def bits(descriptor: Descriptor) -> int:
    """A descriptor as a number, by the bits that the architecture gives its fields."""
    output, a = descriptor.output << _OUTPUT_SHIFT, descriptor.attributes
    flags = (
        (_VALID, descriptor.kind != INVALID),
        (_PAGE, True),
        (_USER, a.user),
        (_READ_ONLY, not a.write),
        (_ACCESSED, descriptor.access_flag),
        (_DIRTY_BIT_MODIFIER, a.dirty_modifier),
        (_NEVER_EXECUTED, not a.execute),
    )
    return output + sum(bit for bit, is_set in flags if is_set)


def descriptor_of(number: int) -> Descriptor:
    """The descriptor that a number is; memory attributes are as in every leaf."""
    user = bool(number & _USER)
    return Descriptor(
        LEAF if number & _VALID else INVALID,
        number >> _OUTPUT_SHIFT & (1 << _OUTPUT_BITS) - 1,
        Attributes(
            write=not number & _READ_ONLY,
            user=user,
            user_write=user,
            execute=not number & _NEVER_EXECUTED,
            dirty_modifier=bool(number & _DIRTY_BIT_MODIFIER),
        ),
        access_flag=bool(number & _ACCESSED),
    )


def equal(a: Any, b: Any) -> bool:
    """Whether two values are the same; a descriptor is the same as its bits."""
    if isinstance(a, Descriptor) != isinstance(b, Descriptor):
        a, b = (bits(v) if isinstance(v, Descriptor) else v for v in (a, b))
    if type(a) is int and type(b) is int:
        return (a - b) & DOUBLE == 0
    return bool(a == b)


def number(value: Any) -> int:
    """A value as a number; ScenarioError if it is an address whose bits mean nothing here."""
    if isinstance(value, Descriptor):
        return bits(value)
    if type(value) is not int:
        raise ScenarioError(f"nothing can be computed of {value}", "it is an address")
    return value


def low(value: Any) -> Any:
    """What a W register holds of a value."""
    return value & WORD if type(value) is int else value


def plus(a: Any, b: Any) -> Any:
    """ADD. Bytes behind the address of a descriptor are words, eight bytes each."""
    for one, other in ((a, b), (b, a)):
        if isinstance(one, Physical):
            offset = number(other)
            scale = 8 if one.address >= FIRST_TABLE * PAGE_WORDS else 1
            return Physical(one.address + (_signed(offset) // scale))
    return (number(a) + number(b)) & DOUBLE


def minus(a: Any, b: Any) -> Any:
    """SUB."""
    return 0 if a == b else (number(a) - number(b)) & DOUBLE


def exclusive_or(a: Any, b: Any) -> Any:
    """EOR."""
    return 0 if a == b else number(a) ^ number(b)


def conjunction(a: Any, b: Any) -> Any:
    """AND."""
    if 0 in (a, b):
        return 0
    return a if a == b else number(a) & number(b)


def disjunction(a: Any, b: Any) -> Any:
    """ORR."""
    if 0 in (a, b):
        return b if a == 0 else a
    return a if a == b else number(a) | number(b)


def cleared(a: Any, b: Any) -> Any:
    """BIC."""
    if b == 0:
        return a
    return 0 if a == b else number(a) & ~number(b) & DOUBLE


def shifted_left(a: Any, by: Any) -> Any:
    """LSL."""
    return number(a) << (number(by) & 63) & DOUBLE


def shifted_right(a: Any, by: Any) -> Any:
    """LSR. No page is where the descriptors of the test are mapped: page 0 stands for it."""
    return 0 if isinstance(a, Physical) else number(a) >> (number(by) & 63)


def sign_extended(a: Any) -> Any:
    """SXTW."""
    return a if type(a) is not int else ((a & WORD) ^ 1 << 31) - (1 << 31) & DOUBLE


def _signed(a: int) -> int:
    return (a & DOUBLE ^ 1 << 63) - (1 << 63)


# Flags, as N, Z, C and V from the highest bit down


def flags_of_difference(a: Any, b: Any, width: int) -> int:
    """What SUBS and CMP set; of addresses and descriptors only whether they are the same."""
    if not (type(a) is int and type(b) is int):
        return 0b0110 if equal(a, b) else 0
    mask, top = (1 << width) - 1, 1 << (width - 1)
    a, b = a & mask, b & mask
    found = (a - b) & mask
    overflow = bool((a ^ b) & (a ^ found) & top)
    return _flags(found, top, carry=a >= b, overflow=overflow)


def flags_of_sum(a: Any, b: Any, width: int) -> int:
    """What ADDS and CMN set."""
    mask, top = (1 << width) - 1, 1 << (width - 1)
    a, b = number(a) & mask, number(b) & mask
    found = (a + b) & mask
    overflow = bool(~(a ^ b) & (a ^ found) & top)
    return _flags(found, top, carry=a + b > mask, overflow=overflow)


def flags_of_conjunction(a: Any, b: Any, width: int) -> int:
    """What ANDS and TST set."""
    found = number(conjunction(a, b)) & ((1 << width) - 1)
    return _flags(found, 1 << (width - 1), carry=False, overflow=False)


def _flags(found: int, top: int, *, carry: bool, overflow: bool) -> int:
    return bool(found & top) << 3 | (found == 0) << 2 | carry << 1 | overflow


def _n(flags: int) -> int:
    return flags >> 3 & 1


def _z(flags: int) -> int:
    return flags >> 2 & 1


def _c(flags: int) -> int:
    return flags >> 1 & 1


def _v(flags: int) -> int:
    return flags & 1


CONDITIONS: Mapping[str, Callable[[int], int]] = {
    "EQ": _z,
    "NE": lambda f: 1 - _z(f),
    "CS": _c,
    "HS": _c,
    "CC": lambda f: 1 - _c(f),
    "LO": lambda f: 1 - _c(f),
    "MI": _n,
    "PL": lambda f: 1 - _n(f),
    "VS": _v,
    "VC": lambda f: 1 - _v(f),
    "HI": lambda f: _c(f) & (1 - _z(f)),
    "LS": lambda f: (1 - _c(f)) | _z(f),
    "GE": lambda f: int(_n(f) == _v(f)),
    "LT": lambda f: int(_n(f) != _v(f)),
    "GT": lambda f: int(_n(f) == _v(f) and not _z(f)),
    "LE": lambda f: int(_n(f) != _v(f) or bool(_z(f))),
    "AL": lambda f: 1,  # noqa: ARG005
}
"""What each condition asks of the flags."""


def is_zero(a: Any) -> int:
    """CBZ."""
    return int(equal(a, 0))


def is_not_zero(a: Any) -> int:
    """CBNZ."""
    return int(not equal(a, 0))


def bit_is_zero(a: Any, bit: int) -> int:
    """TBZ."""
    return 1 - (number(a) >> bit & 1)


def bit_is_set(a: Any, bit: int) -> int:
    """TBNZ."""
    return number(a) >> bit & 1


# Memory


def stored(value: Any, address: Any) -> Any:
    """What memory holds of a value at an address: a table holds descriptors, the rest numbers."""
    if isinstance(address, Physical) and address.address >= FIRST_TABLE * PAGE_WORDS:
        return value if isinstance(value, Descriptor) else descriptor_of(number(value))
    return number(value)


def _like(old: Any, new: Any) -> Any:
    if isinstance(old, Descriptor):
        return new if isinstance(new, Descriptor) else descriptor_of(number(new))
    return number(new)


def swapped(old: Any, new: Any) -> Any:
    """SWP."""
    return _like(old, new)


def compared(old: Any, wanted: Any, new: Any) -> Any:
    """CAS: None leaves the word as it is."""
    return _like(old, new) if equal(old, wanted) else None


def added(old: Any, more: Any) -> Any:
    """LDADD."""
    return _like(old, plus(old, more))


def bits_set(old: Any, which: Any) -> Any:
    """LDSET."""
    return _like(old, disjunction(old, which))


def bits_cleared(old: Any, which: Any) -> Any:
    """LDCLR."""
    return _like(old, cleared(old, which))


def bits_flipped(old: Any, which: Any) -> Any:
    """LDEOR."""
    return _like(old, exclusive_or(old, which))
