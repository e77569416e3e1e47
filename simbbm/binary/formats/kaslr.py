"""A kernel that KASLR has moved: arch/arm64/kernel/pi/relocate.c:relocate_kernel.

The linker leaves two tables of the words that hold an address in the image: .rela.dyn, with an
entry of 24 bytes for each, and .relr.dyn, where one word is an address and the words behind it are
bitmaps of the 63 words that follow. What else knows its address knows it from PC.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import iter_unpack
from typing import NamedTuple

from simbbm.binary.formats.elf import Symbol
from simbbm.binary.formats.image import R_AARCH64_RELATIVE, Image
from simbbm.binary.formats.symbols import Symbols
from simbbm.core.errors import UsageError

ALIGN = 64 << 10
"""SEGMENT_ALIGN: the image begins at a multiple of it, wherever KASLR puts it."""
TABLE_MAX = 256 << 20
PHYSICAL_MAX = 1 << 36
"""Bytes: the image is in the memory that there is."""


class Kaslr(NamedTuple):
    """How far the image is from where it was linked for, or where it usually is."""

    virtual: int = 0
    physical: int = 0


NOWHERE = Kaslr()


def moved(image: Image, symbols: Symbols, kaslr: Kaslr) -> tuple[Image, Symbols]:
    """The image and its symbols at other virtual addresses."""
    _check(image, kaslr)
    if not kaslr.virtual:
        return image, symbols
    places = list(_places(image, symbols))
    if not places:
        raise UsageError(
            "KASLR cannot move the kernel: it has no relocations (.rela.dyn, .relr.dyn)",
            "was it built without CONFIG_RELOCATABLE?",
        )
    return image.moved(kaslr.virtual, places), Symbols(
        [_moved(symbol, image, kaslr.virtual) for symbol in symbols], symbols.source
    )


def _check(image: Image, kaslr: Kaslr) -> None:
    """Raise UsageError for what kaslr_early_init() would never choose."""
    room = (1 << image.va_bits_min - 2) if image.va_bits_min else 0
    for offset, most in ((kaslr.virtual, room), (kaslr.physical, PHYSICAL_MAX)):
        if offset % ALIGN or not 0 <= offset <= most:
            raise UsageError(
                f"a KASLR offset of {offset:#x}: wanted a multiple of {ALIGN:#x} up to {most:#x}"
            )


def _moved(symbol: Symbol, image: Image, offset: int) -> Symbol:
    """A symbol with its part of the image; one that is a mere number stays."""
    inside = image.base <= symbol.address <= image.end
    return symbol._replace(address=symbol.address + offset) if inside else symbol


def _places(image: Image, symbols: Symbols) -> Iterator[int]:
    """Where words hold addresses."""
    table = _table(image, symbols, "rela")
    for place, info, _ in iter_unpack("<QQQ", table[: len(table) // 24 * 24]):
        if info == R_AARCH64_RELATIVE:
            yield place
    at = 0
    table = _table(image, symbols, "relr")
    for (entry,) in iter_unpack("<Q", table[: len(table) // 8 * 8]):
        if entry & 1:
            yield from (at + 8 * bit for bit in range(63) if entry >> bit + 1 & 1)
            at += 8 * 63
        else:
            yield entry
            at = entry + 8


def _table(image: Image, symbols: Symbols, name: str) -> bytes:
    start, end = symbols.find(f"__pi_{name}_start"), symbols.find(f"__pi_{name}_end")
    if start is None or end is None:
        return b""
    if not 0 <= end - start <= TABLE_MAX:
        raise image.damaged(f"its .{name}.dyn has no end")
    return image.read(start, end - start)
