"""Offsets of structure members out of BTF, the kernel's own description of its types.

The format is Documentation/bpf/btf.rst: a header, types one after another (numbered from 1, of
different lengths), strings. Offsets differ from kernel to kernel and by configuration, so that none
of them is written down anywhere in simbbm.
"""

from __future__ import annotations

from functools import cached_property
from struct import unpack_from
from typing import NamedTuple

from simbbm.binary.formats.elf import text_at
from simbbm.binary.formats.image import Image
from simbbm.binary.formats.symbols import Symbols
from simbbm.core.errors import UsageError
from simbbm.host.reading import quoted

MAGIC = 0xEB9F
BTF_MAX = 64 << 20
DEPTH_MAX = 64
"""Modifiers before a type, and unnamed structures within each other."""

INT, PTR, ARRAY, STRUCT, UNION, ENUM, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT = range(1, 12)
FUNC, FUNC_PROTO, VAR, DATASEC, FLOAT, DECL_TAG, TYPE_TAG, ENUM64 = range(12, 20)
SAME = {TYPEDEF, VOLATILE, CONST, RESTRICT, TYPE_TAG}
"""Other names for a type, and qualifiers of it."""
EXTRA = {INT: (4, 0), ARRAY: (12, 0), STRUCT: (0, 12), UNION: (0, 12), ENUM: (0, 8)} | {
    FUNC_PROTO: (0, 8),
    VAR: (4, 0),
    DATASEC: (0, 12),
    DECL_TAG: (4, 0),
    ENUM64: (0, 12),
}
"""Bytes behind the 12 that each type has: so many, and so many for each of its vlen parts."""


class Member(NamedTuple):
    """A part of a structure, in bits."""

    name: str
    type: int
    bit: int


class Btf:
    """The types of a kernel."""

    source = "BTF"

    def __init__(self, data: bytes) -> None:
        """Read the header; UsageError if it is none, or promises more than there is."""
        if len(data) < 24 or unpack_from("<HB", data) != (MAGIC, 1):
            raise UsageError("damaged: its BTF does not begin as BTF does")
        head, types, types_size, strings, strings_size = unpack_from("<IIIII", data, 4)
        if max(head + types + types_size, head + strings + strings_size) > len(data):
            raise UsageError("damaged: its BTF ends early")
        self._types = data[head + types : head + types + types_size]
        self._strings = data[head + strings : head + strings + strings_size]

    @cached_property
    def _index(self) -> tuple[list[int], dict[str, int]]:
        """Where each type begins, and the structure or union of each name."""
        starts, at = [0], 0
        named: dict[str, int] = {}
        while at + 12 <= len(self._types):
            name, info = unpack_from("<II", self._types, at)
            kind = info >> 24 & 31
            if kind in (STRUCT, UNION) and name:
                named.setdefault(text_at(self._strings, name), len(starts))
            starts.append(at)
            once, each = EXTRA.get(kind, (0, 0))
            at += 12 + once + each * (info & 0xFFFF)
        if at != len(self._types):
            raise UsageError("damaged: the last type of its BTF ends behind it")
        return starts, named

    def __len__(self) -> int:
        return len(self._index[0]) - 1

    def _head(self, number: int) -> tuple[int, int, int, int]:
        """Where a type stands, its kind, its info and its size or the type that it is."""
        starts = self._index[0]
        if not 0 < number < len(starts):
            raise UsageError(f"damaged: its BTF has no type {number}")
        _, info, size_or_type = unpack_from("<III", self._types, starts[number])
        return starts[number], info >> 24 & 31, info, size_or_type

    def _plain(self, number: int) -> int:
        """A type without typedefs and qualifiers."""
        for _ in range(DEPTH_MAX):
            _, kind, _, of = self._head(number)
            if kind not in SAME:
                return number
            number = of
        raise UsageError("damaged: a type of its BTF never ends")

    def has(self, struct: str) -> bool:
        """Whether there is such a structure or union."""
        return struct in self._index[1]

    def size(self, struct: str) -> int:
        """The bytes of a structure."""
        return self._head(self._number(struct))[3]

    def _number(self, struct: str) -> int:
        number = self._index[1].get(struct)
        if number is None:
            raise UsageError(f"the kernel's BTF has no struct {quoted(struct)}")
        return number

    def _members(self, number: int) -> list[Member]:
        at, kind, info, _ = self._head(number)
        if kind not in (STRUCT, UNION):
            return []
        bits = 0xFFFFFF if info >> 31 else 0xFFFFFFFF  # kind_flag: above them, a bit-field's size
        rows = (unpack_from("<III", self._types, at + 12 + 12 * n) for n in range(info & 0xFFFF))
        return [
            Member(text_at(self._strings, name), of, offset & bits) for name, of, offset in rows
        ]

    def offset(self, struct: str, path: str) -> int:
        """The byte at which a member stands; `path` may lead into it: "thread_info.cpu"."""
        number, bit = self._number(struct), 0
        for name in path.split("."):
            found = self._find(number, name, DEPTH_MAX)
            if found is None:
                raise UsageError(f"the kernel's struct {quoted(struct)} has no {quoted(path)}")
            number, bit = self._plain(found.type), bit + found.bit
        return bit // 8

    def has_member(self, struct: str, path: str) -> bool:
        """Whether a structure has such a member."""
        try:
            self.offset(struct, path)
        except UsageError:
            return False
        return True

    def _find(self, number: int, name: str, depth: int) -> Member | None:
        """A member of a structure, or of one without a name within it."""
        for member in self._members(number):
            if member.name == name:
                return member
            if not member.name and depth:
                inner = self._find(self._plain(member.type), name, depth - 1)
                if inner:
                    return inner._replace(bit=member.bit + inner.bit)
        return None


def btf_of(image: Image, symbols: Symbols) -> Btf | None:
    """The types of an image; None if it was built without."""
    section = image.elf.section(".BTF") if image.elf else None
    if section is not None:
        return Btf(section)
    start, end = symbols.find("__start_BTF"), symbols.find("__stop_BTF")
    if start is None or end is None:
        return None
    if not 0 <= end - start <= BTF_MAX:
        raise image.damaged("its BTF has no end")
    return Btf(image.read(start, end - start))
