"""What is needed of a vmlinux (ELF64, little-endian): segments, symbols, sections.

Numbers come from the file and are checked against its size before they are used.
"""

from __future__ import annotations

from struct import calcsize, iter_unpack, unpack_from
from typing import NamedTuple

from simbbm.core.errors import UsageError

EM_AARCH64 = 183
EM_NAMES = {3: "x86", 62: "x86", 40: "32-bit Arm", 243: "RISC-V", 21: "PowerPC"}
PT_LOAD = 1
SHT_SYMTAB = 2
STT_OBJECT_OR_FUNC = (0, 1, 2)
SYMBOL = "<IBBHQQ"


class Segment(NamedTuple):
    """Bytes at a virtual address."""

    address: int
    data: bytes
    size: int
    """In memory; what is missing in `data` is zero (.bss)."""

    @property
    def end(self) -> int:
        """The first address behind it."""
        return self.address + self.size


class Symbol(NamedTuple):
    """A name, where it is, and how long; 0: not said."""

    name: str
    address: int
    size: int


class Section(NamedTuple):
    """A row of the section header table."""

    name: str
    kind: int
    flags: int
    address: int
    data: bytes
    link: int


class Elf:
    """An ELF file of the right kind, whose tables are within it."""

    def __init__(self, data: bytes) -> None:
        if len(data) < 64:
            raise UsageError("a truncated ELF file")
        if data[4] != 2 or data[5] != 1:
            raise UsageError("not an arm64 kernel: an ELF file that is not 64-bit little-endian")
        machine = unpack_from("<H", data, 18)[0]
        if machine != EM_AARCH64:
            told = EM_NAMES.get(machine, f"machine {machine}")
            raise UsageError(f"an ELF file for {told}, not an arm64 kernel")
        self._data = data
        self.segments = self._segments()
        self.sections = self._sections()

    def _table(self, at: int, form: str, count: int, what: str) -> list[tuple[int, ...]]:
        size = calcsize(form)
        if at + size * count > len(self._data):
            raise UsageError(f"a truncated ELF file: its {what} are not in it")
        return [unpack_from(form, self._data, at + size * i) for i in range(count)]

    def _segments(self) -> tuple[Segment, ...]:
        (at,) = unpack_from("<Q", self._data, 32)
        size, count = unpack_from("<HH", self._data, 54)
        if size != 56 or not count:
            raise UsageError("not a kernel: an ELF file without segments", "wanted: vmlinux")
        rows = self._table(at, "<IIQQQQQQ", count, "program headers")
        return tuple(
            Segment(address, self._bytes(offset, in_file, "segments"), in_memory)
            for kind, _, offset, address, _, in_file, in_memory, _ in rows
            if kind == PT_LOAD and in_memory
        )

    def _sections(self) -> tuple[Section, ...]:
        """The sections that have bytes; a stripped file may have none at all."""
        (at,) = unpack_from("<Q", self._data, 40)
        size, count, names_at = unpack_from("<HHH", self._data, 58)
        if not at or size != 64 or names_at >= count:
            return ()
        rows = self._table(at, "<IIQQQQIIQQ", count, "section headers")
        names = self._bytes(rows[names_at][4], rows[names_at][5], "names of sections")
        return tuple(
            Section(
                text_at(names, name), kind, flags, address, self._contents(kind, offset, size), link
            )
            for name, kind, flags, address, offset, size, link, _, _, _ in rows
        )

    def _contents(self, kind: int, offset: int, size: int) -> bytes:
        return b"" if kind in (0, 8) else self._bytes(offset, size, "sections")

    def _bytes(self, offset: int, size: int, what: str) -> bytes:
        if offset + size > len(self._data):
            raise UsageError(f"a truncated ELF file: its {what} are not in it")
        return self._data[offset : offset + size]

    def section(self, name: str) -> bytes | None:
        """The bytes of a section; None if there is no such one."""
        return next((s.data for s in self.sections if s.name == name), None)

    def symbols(self) -> tuple[Symbol, ...]:
        """Functions and objects of .symtab; none if it was stripped."""
        for section in self.sections:
            if section.kind == SHT_SYMTAB and section.link < len(self.sections):
                names = self.sections[section.link].data
                whole = len(section.data) // calcsize(SYMBOL) * calcsize(SYMBOL)
                return tuple(
                    Symbol(text_at(names, name), address, size)
                    for name, info, _, index, address, size in iter_unpack(
                        SYMBOL, section.data[:whole]
                    )
                    if name and index and info & 15 in STT_OBJECT_OR_FUNC
                    if not names.startswith(b"$", name)  # $x and $d: where code and data begin
                )
        return ()


def text_at(names: bytes, at: int) -> str:
    """A name of a string table."""
    end = names.find(b"\0", at)
    return names[at : end if end >= 0 else None].decode("utf-8", "replace")
